"""The report: medians and spreads of all rounds, as tables to read."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from tests.bench.library import GATEWAY
from tests.bench.scenarios import Measure

ECHO_JSON, ECHO_XML = "bare ASGI echo, JSON", "bare ASGI echo, XML"
ACCEPT_JSON, ACCEPT_XML = "durable accept, JSON", "durable accept, XML"
ECHO_CLOUDEVENT = "bare ASGI echo, CloudEvent"
ACCEPT_CLOUDEVENT = "durable accept, CloudEvent with a token"
DELIVER_JSON = "accept and deliver to a webhook, JSON"
DELIVER_CLOUDEVENT = "accept and deliver to a webhook, CloudEvent"
FAN_OUT = "accept and deliver to ten webhooks, deliveries"
BARE_POSTS = "bare aiohttp posts to a webhook"
TOGETHER, APART = "store alone, group commit", "store alone, a commit per event"
BESIDE = {
    ECHO_JSON: ECHO_JSON, ECHO_XML: ECHO_XML, ACCEPT_JSON: ECHO_JSON, ACCEPT_XML: ECHO_XML, DELIVER_JSON: ECHO_JSON,
    FAN_OUT: ECHO_JSON, BARE_POSTS: ECHO_JSON,
    ECHO_CLOUDEVENT: ECHO_CLOUDEVENT, ACCEPT_CLOUDEVENT: ECHO_CLOUDEVENT,
    DELIVER_CLOUDEVENT: ECHO_CLOUDEVENT,
}  # fmt: skip
"""Each scenario over HTTP, and the echo of the same body."""

Round = dict[str, Measure]
Steps = dict[str, dict[str, float]]
Bridges = dict[str, Any]


@dataclass(frozen=True)
class Results:
    """All that was measured: in every round the scenarios, the steps of an accept, the bridges; the index once at each
    size.
    """

    rounds: list[Round]
    steps: list[Steps]
    bridges: list[Bridges]
    matching: list[dict[str, float]]

    def each(self, name: str, figure: Callable[[Measure], float | None]) -> list[float]:
        """A figure of a scenario in each round; nothing where the system does not tell it."""
        return [value for one in self.rounds if (value := figure(one[name])) is not None]

    def against(self, name: str, other: str, ratio: Callable[[Measure, Measure], float | None]) -> list[float]:
        """A ratio of two scenarios in each round."""
        return [value for one in self.rounds if (value := ratio(one[name], one[other])) is not None]

    def step(self, syntax: str, name: str) -> float:
        """The median of a step's CPU microseconds."""
        return statistics.median(timed[syntax][name] for timed in self.steps)


def print_report(console: Console, conditions: dict[str, str], results: Results) -> None:
    """Print all tables."""
    about = _table("", "")
    for name, value in conditions.items():
        about.add_row(name, value)
    for title, table in (
        ("Conditions", about),
        ("Beside the bare ASGI echo of the same body", _scenarios(results)),
        ("Group commit against a commit per event", _commits(results)),
        ("Where the CPU time of an accept goes", _steps(results)),
        ("Mapping modules beside the same written by hand in Python", _twins(results)),
        ("The index of subscriptions, loaded from SQLite by a process of its own", _matching(results)),
        ("XML in, validated, mapped to the signal of MNS, validated, JSON out", _library(results)),
    ):
        console.print(f"\n{title}", style="bold")
        console.print(table)
    console.print(
        "\nEach figure is the median of the rounds, over the least and the most. A share is against the echo in the same"
        "\nround: of rate, the rates; of CPU, the echo's CPU time of a request against this one's. The rates are of this"
        "\nmachine, which also makes the load; the shares, and most of all those of CPU, are what to compare. Of a module and its"
        "\ntwin, and of the ways from XML to JSON, the best of seven batches counts in each round.",
        style="dim",
    )


def as_json(conditions: dict[str, str], results: Results) -> dict[str, Any]:
    """All that was measured, to keep."""
    return {
        "conditions": conditions,
        "rounds": [
            {
                name: {"count": one.count, "seconds": one.seconds, "rate": one.rate, "cpu_us": one.cpu_us, **one.detail}
                for name, one in measures.items()
            }
            for measures in results.rounds
        ],
        "steps_cpu_us": results.steps,
        "bridges_cpu_us": results.bridges,
        "matching": results.matching,
    }


def _scenarios(results: Results) -> Table:
    table = _table("", "/s", "share of rate", "CPU µs", "share of CPU", "p50 ms", "p99 ms")
    for name, echo in BESIDE.items():
        table.add_row(
            name,
            _spread(results.each(name, _rate), "{:,.0f}"),
            _spread(results.against(name, echo, _rate_share), "{:.2f}"),
            _spread(results.each(name, _cpu), "{:.0f}"),
            _spread(results.against(name, echo, _cpu_share), "{:.2f}"),
            _spread(results.each(name, lambda one: one.detail.get("p50_ms")), "{:.1f}"),
            _spread(results.each(name, lambda one: one.detail.get("p99_ms")), "{:.1f}"),
        )
    return table


def _commits(results: Results) -> Table:
    table = _table("64 in flight", "/s", "times as many", "CPU µs")
    for name in (TOGETHER, APART):
        table.add_row(
            name,
            _spread(results.each(name, _rate), "{:,.0f}"),
            _spread(results.against(name, APART, _rate_share), "{:.1f}"),
            _spread(results.each(name, _cpu), "{:.0f}"),
        )
    return table


def _matching(results: Results) -> Table:
    table = _table("subscriptions", "load s", "of it CPU", "MiB", "median µs an event", "p99 µs", "matched")
    for one in results.matching:
        table.add_row(
            f"{one['subscriptions']:,.0f}", f"{one['load_seconds']:.1f}", f"{one['load_cpu_seconds']:.1f}",
            f"{one['memory_mib']:.0f}", f"{one['median_microseconds']:.1f}", f"{one['p99_microseconds']:.1f}",
            f"{one['matched']:.1f}",
        )  # fmt: skip
    return table


def _steps(results: Results) -> Table:
    table = _table("CPU µs", "JSON", "XML")
    columns = [_Column.of(results, "json", ACCEPT_JSON, ECHO_JSON), _Column.of(results, "xml", ACCEPT_XML, ECHO_XML)]

    def row(label: str, figure: Callable[[_Column], float]) -> None:
        table.add_row(label, *(_or_dash(figure(column)) for column in columns))

    for name in columns[0].steps:
        row(f"{name} (rows, SQL, group commit)" if name == "accept" else name, lambda one, name=name: one.steps[name])
    table.add_section()
    row("sum of the steps, each timed alone", lambda one: one.alone)
    row("+ routing, middleware, tasks, garbage, cold caches", lambda one: one.application - one.alone)
    row("= the application, without an HTTP server", lambda one: one.application)
    row("+ the echo: sockets, HTTP, loop", lambda one: one.echo)
    row("+ what is left", lambda one: one.measured - one.echo - one.application)
    row("= measured: durable accept", lambda one: one.measured)
    return table


def _twins(results: Results) -> Table:
    table = _table("", "module CPU µs", "by hand CPU µs", "times as long")
    for name in results.bridges[0]["twins"]:
        timed = [one["twins"][name] for one in results.bridges]
        table.add_row(
            name,
            _spread([one["module"] for one in timed], "{:.2f}"),
            _spread([one["twin"] for one in timed], "{:.2f}"),
            _spread([one["module"] / one["twin"] for one in timed], "{:.2f}"),
        )
    return table


def _library(results: Results) -> Table:
    table = _table("", "CPU µs", "times as long")
    for name in results.bridges[0]["library"]:
        timed = [one["library"] for one in results.bridges]
        table.add_row(
            name,
            _spread([one[name] for one in timed], "{:,.0f}"),
            _spread([one[name] / one[GATEWAY] for one in timed], "{:.1f}"),
        )
    return table


@dataclass(frozen=True)
class _Column:
    """The CPU microseconds of one syntax; `nan` for what the system does not tell."""

    steps: dict[str, float]
    application: float
    echo: float
    measured: float

    @classmethod
    def of(cls, results: Results, syntax: str, accept: str, echo: str) -> _Column:
        timed = {name: results.step(syntax, name) for name in results.steps[0][syntax]}
        application = timed.pop("application")
        return cls(timed, application, _median(results.each(echo, _cpu)), _median(results.each(accept, _cpu)))

    @property
    def alone(self) -> float:
        return sum(self.steps.values())


def _table(first: str, *columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_header=any((first, *columns)))
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right" if column else "left", overflow="fold")
    return table


def _spread(values: list[float], form: str) -> str:
    if not values:
        return "-"
    low, middle, high = (form.format(value) for value in (min(values), statistics.median(values), max(values)))
    return middle if len(values) == 1 else f"{middle}\n{low}..{high}"


def _rate(one: Measure) -> float:
    return one.rate


def _cpu(one: Measure) -> float | None:
    return one.cpu_us


def _rate_share(one: Measure, other: Measure) -> float:
    return one.rate / other.rate


def _cpu_share(one: Measure, echo: Measure) -> float | None:
    return echo.cpu_us / one.cpu_us if echo.cpu_us and one.cpu_us else None


def _median(values: list[float]) -> float:
    return statistics.median(values) if values else math.nan


def _or_dash(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"
