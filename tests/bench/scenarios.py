"""What is measured. Each scenario starts afresh, warms up, is measured, and proves that no work was dropped."""

from __future__ import annotations

import contextlib
import sqlite3
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from gateway.demo import r4_subscription
from tests.bench.caller import ask_token, closed
from tests.bench.messages import EVENT, Syntax
from tests.bench.processes import BenchError, Echo, Gateway, Receiver, Server, load, tool

WARM_UP = 0.4
"""The share of a measurement's time that the warm-up before it takes."""
_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Measure:
    """`count` units of work in `seconds`; `cpu_us` is the server's CPU time for one, where the system tells it."""

    count: int
    seconds: float
    cpu_us: float | None
    detail: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.count / self.seconds


Scenario = Callable[[Path, float], Measure]


def echo(syntax: Syntax) -> Scenario:
    """The bare ASGI application echoes the body."""

    def run(folder: Path, seconds: float) -> Measure:
        with Echo(folder) as server:
            load(server.port, syntax, seconds * WARM_UP, "200")
            return _loaded(server, syntax, seconds, "200")

    return run


def accept(syntax: Syntax) -> Scenario:
    """The gateway answers 202: headers, parsing, validation, mapping, matching, group commit, log and metrics."""

    def run(folder: Path, seconds: float) -> Measure:
        with Gateway(folder) as gateway:
            warm = load(gateway.port, syntax, seconds * WARM_UP, "202")
            measured = _loaded(gateway, syntax, seconds, "202")
            _expect("202 answers", warm.count + measured.count, _stored(gateway.database))
        return measured

    return run


def accept_cloudevent(folder: Path, seconds: float) -> Measure:
    """The gateway in closed mode answers 200: token, permission, quota, each event once, and all that `accept` has."""
    with Gateway(folder, **closed(folder)) as gateway:
        token = ask_token(f"http://127.0.0.1:{gateway.port}")
        warm = load(gateway.port, "cloudevent", seconds * WARM_UP, "200", token)
        measured = _loaded(gateway, "cloudevent", seconds, "200", token)
        _expect("200 answers", warm.count + measured.count, _stored(gateway.database))
    return measured


def deliver_to(webhooks: int, syntax: Syntax) -> Scenario:
    """So many R4 subscriptions: events published, stored, mapped out and posted to a webhook for each, until the last is
    received. What is counted are deliveries.
    """
    accepted = "200" if syntax == "cloudevent" else "202"

    def run(folder: Path, seconds: float) -> Measure:
        with Receiver(folder) as receiver, Gateway(folder) as gateway:
            for number in range(webhooks):
                _subscribe(gateway, f"http://127.0.0.1:{receiver.port}/signals/{number}")
            warm = load(gateway.port, syntax, seconds * WARM_UP, accepted).count
            _await_deliveries(gateway, receiver, warm * webhooks)
            before = gateway.cpu_seconds()
            published = load(gateway.port, syntax, seconds, accepted)
            deliveries = published.count * webhooks
            received = _await_deliveries(gateway, receiver, warm * webhooks + deliveries)
            cpu_us = _cpu_us(before, gateway.cpu_seconds(), deliveries)
            _expect(f"{accepted} answers", warm + published.count, _stored(gateway.database))
        drain = received - published.ended
        detail = {"published_per_second": published.count / published.seconds, "drain_seconds": drain}
        return Measure(deliveries, received - published.started, cpu_us, detail)

    return run


def post(folder: Path, seconds: float) -> Measure:
    """aiohttp alone posts a signal again and again to the receiver, as many at once as the gateway does to ten webhooks:
    a well-known measure of what posting takes.
    """
    with Receiver(folder) as receiver:
        made = tool("tests.bench.posts", str(receiver.port), str(seconds), seconds=seconds)
    return Measure(made["posts"], made["seconds"], made["cpu_seconds"] / made["posts"] * 1e6)


def commit(how: str) -> Scenario:
    """The store alone, in one process: events share commits (`together`), or each has its own (`apart`)."""

    def run(folder: Path, seconds: float) -> Measure:
        made = tool("tests.bench.commits", str(folder / "commits.db"), str(seconds), how, seconds=seconds)
        return Measure(made["events"], made["seconds"], made["cpu_seconds"] / made["events"] * 1e6)

    return run


def steps(folder: Path, seconds: float) -> dict[str, dict[str, float]]:
    """The CPU microseconds of each step of an accept, by syntax."""
    timed: dict[str, dict[str, float]] = tool("tests.bench.steps", str(folder), str(seconds), seconds=4 * seconds)
    return timed


def bridges(seconds: float) -> dict[str, Any]:
    """The CPU microseconds of each mapping module and its twin, and of each way from XML to JSON."""
    timed: dict[str, Any] = tool("tests.bench.bridges", str(seconds), seconds=4 * seconds)
    return timed


def _loaded(server: Server, syntax: Syntax, seconds: float, expect: str, token: str = "") -> Measure:
    before = server.cpu_seconds()
    done = load(server.port, syntax, seconds, expect, token)
    detail = {
        "p50_ms": done.p50_ms, "p99_ms": done.p99_ms, "generator_cpu_us": done.cpu_seconds / done.count * 1e6,
    }  # fmt: skip
    return Measure(done.count, done.seconds, _cpu_us(before, server.cpu_seconds(), done.count), detail)


def _cpu_us(before: float | None, after: float | None, count: int) -> float | None:
    return None if before is None or after is None else (after - before) / count * 1e6


def _subscribe(gateway: Gateway, webhook: str) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.port}/R4/Subscription",
        r4_subscription(EVENT, webhook),
        {"Content-Type": "application/fhir+json"},
    )
    with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS):
        pass


def _await_deliveries(gateway: Gateway, receiver: Receiver, count: int) -> float:
    """Wait until each of `count` deliveries was received and is recorded; when the last was received."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (heard := _heard(receiver))["distinct"] < count and time.monotonic() < deadline:
        time.sleep(0.05)
    _expect("answers, each delivered", count, {"distinct notifications received": heard["distinct"]})
    recorded = "SELECT count(*) FROM deliveries WHERE state = 'delivered'"
    while _number(gateway.database, recorded) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    _expect("answers, each delivered", count, {"deliveries recorded": _number(gateway.database, recorded)})
    return float(heard["last"])


def _heard(receiver: Receiver) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{receiver.port}/", timeout=_PATIENCE_SECONDS) as answer:
        heard: dict[str, Any] = msgspec.json.decode(answer.read())
        return heard


def _stored(database: Path) -> dict[str, int]:
    return {
        "events": _number(database, "SELECT count(*) FROM events"),
        "publishers' ids": _number(database, "SELECT count(DISTINCT event_id) FROM events"),
        "originals": _number(
            database,
            "SELECT count(COALESCE(e.body, b.body)) FROM events e LEFT JOIN large_bodies b ON b.event_id = e.id",
        ),
    }


def _number(database: Path, question: str) -> int:
    with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        (number,) = connection.execute(question).fetchone()
        return int(number)


def _expect(what: str, expected: int, found: dict[str, int]) -> None:
    if any(number != expected for number in found.values()):
        raise BenchError(f"{expected} {what}, but {found}: work was dropped, so the rates would be a lie")
