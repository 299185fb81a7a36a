"""The report: medians and spreads of all rounds, as tables to read."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from tests.bench.scenarios import Measure

ECHO_JSON, ECHO_XML = "bare ASGI echo, JSON", "bare ASGI echo, XML"
ACCEPT_JSON, ACCEPT_XML = "durable accept, JSON", "durable accept, XML"
DELIVER = "accept and deliver to a webhook, JSON"
TOGETHER, APART = "store alone, group commit", "store alone, a commit per event"
BESIDE = {
    ECHO_JSON: ECHO_JSON, ECHO_XML: ECHO_XML, ACCEPT_JSON: ECHO_JSON, ACCEPT_XML: ECHO_XML, DELIVER: ECHO_JSON,
    TOGETHER: ECHO_JSON, APART: ECHO_JSON,
}  # fmt: skip
"""Each scenario, and the echo of the same body."""

Round = dict[str, Measure]
Steps = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Results:
    """All that was measured: the scenarios of each round, and the steps of each."""

    rounds: list[Round]
    steps: list[Steps]

    def of(self, figure: Callable[[Round], float | None]) -> list[float]:
        """A figure in each round; nothing where the system does not tell it."""
        return [value for value in map(figure, self.rounds) if value is not None]

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
    ):
        console.print(f"\n{title}", style="bold")
        console.print(table)
    console.print(
        "\nEach figure: median [min..max] of the rounds. A share is the figure against the echo's in the same round:"
        "\nof rate, the rates; of CPU, the echo's CPU time of a request against this one's. The rates are of this"
        "\nmachine, which also makes the load; the shares, and most of all those of CPU, are what to compare.",
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
    }


def _scenarios(results: Results) -> Table:
    table = _table("", "/s", "share of rate", "CPU µs", "share of CPU", "p50 ms", "p99 ms")
    for name, echo in BESIDE.items():
        if name in {TOGETHER, APART}:
            continue
        table.add_row(
            name,
            _spread(results.of(lambda r, name=name: r[name].rate), "{:,.0f}"),
            _spread(results.of(lambda r, name=name, echo=echo: r[name].rate / r[echo].rate), "{:.2f}"),
            _spread(results.of(lambda r, name=name: r[name].cpu_us), "{:.0f}"),
            _spread(results.of(lambda r, name=name, echo=echo: _cpu_share(r[echo], r[name])), "{:.2f}"),
            _spread(results.of(lambda r, name=name: r[name].detail.get("p50_ms")), "{:.1f}"),
            _spread(results.of(lambda r, name=name: r[name].detail.get("p99_ms")), "{:.1f}"),
        )
    return table


def _commits(results: Results) -> Table:
    table = _table("64 in flight", "/s", "times as many", "CPU µs")
    for name in (TOGETHER, APART):
        table.add_row(
            name,
            _spread(results.of(lambda r, name=name: r[name].rate), "{:,.0f}"),
            _spread(results.of(lambda r, name=name: r[name].rate / r[APART].rate), "{:.1f}"),
            _spread(results.of(lambda r, name=name: r[name].cpu_us), "{:.0f}"),
        )
    return table


def _steps(results: Results) -> Table:
    table = _table("CPU µs, each step timed alone", "JSON", "XML")
    columns = [("json", ACCEPT_JSON, ECHO_JSON), ("xml", ACCEPT_XML, ECHO_XML)]
    names = list(results.steps[0]["json"])
    for name in names:
        label = f"{name} (rows, SQL, group commit)" if name == "accept" else name
        table.add_row(label, *(f"{results.step(syntax, name):.1f}" for syntax, _, _ in columns))
    table.add_section()
    sums = [sum(results.step(syntax, name) for name in names) for syntax, _, _ in columns]
    echoes = [_median(results.of(lambda r, echo=echo: r[echo].cpu_us)) for _, _, echo in columns]
    measured = [_median(results.of(lambda r, name=name: r[name].cpu_us)) for _, name, _ in columns]
    table.add_row("sum of the steps", *(f"{total:.1f}" for total in sums))
    table.add_row("bare ASGI echo: sockets, HTTP, loop", *map(_or_dash, echoes))
    rest = [
        None if echo is None or whole is None else whole - echo - total
        for echo, whole, total in zip(echoes, measured, sums, strict=True)
    ]
    table.add_row("the rest: routing, tasks, waiting threads, cold caches", *map(_or_dash, rest))
    table.add_section()
    table.add_row("measured: durable accept", *map(_or_dash, measured))
    return table


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
    return middle if len(values) == 1 else f"{middle} [{low}..{high}]"


def _cpu_share(echo: Measure, one: Measure) -> float | None:
    return echo.cpu_us / one.cpu_us if echo.cpu_us and one.cpu_us else None


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
