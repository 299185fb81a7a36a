"""The hot path in one process, each step timed alone: where the time of an accept goes.

`python -m tests.bench.steps FOLDER SECONDS` prints, for each syntax, the CPU microseconds of each step, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog
from starlette.datastructures import Headers

from gateway import ids, logs, metrics
from gateway import settings as configuration
from gateway.app import Gateway
from gateway.applications import LOCAL
from gateway.catalogue import EventType
from gateway.events import Event
from gateway.faces.authenticate import require_interaction, require_spine_headers
from gateway.faces.nems.publish import STU3, message_event_type, read_message
from gateway.ids import Ids
from gateway.intake import Received, check
from gateway.serve import _loop_factory
from gateway.store.base import Acceptance
from gateway.subscriptions.plan import plan
from tests.bench.messages import Message, message

_BATCHES = 7
_TOGETHER = 64


class Steps:
    """The steps of one message through a gateway that has started; each method does one, from its input alone."""

    def __init__(self, gateway: Gateway, published: Message) -> None:
        self._gateway, self._message = gateway, published
        self._headers = Headers(published.headers)
        self._received = self._parse()
        self._event_type = self._type()
        self._event = self._map_in()
        self._ids = Ids()
        self._log = structlog.get_logger()

    def timed(self, seconds: float) -> dict[str, float]:
        """CPU microseconds of each step that needs no waiting."""
        steps: dict[str, Callable[[], object]] = {
            "headers": self._check_headers, "parse": self._parse, "event type": self._type, "validate": self._validate,
            "map in": self._map_in, "match": self._match, "metrics": self._count, "log": self._tell,
        }  # fmt: skip
        return {name: _microseconds(step, seconds / len(steps)) for name, step in steps.items()}

    async def accept(self, seconds: float) -> float:
        """CPU microseconds of an event in the store, commit included, at 64 in flight."""
        events, started, deadline = 0, time.process_time(), time.monotonic() + seconds

        async def store_until_then() -> None:
            nonlocal events
            while time.monotonic() < deadline:
                event = replace(self._event, row_id=self._ids.next())
                await self._gateway.store.accept(Acceptance(event, ()))
                events += 1

        await asyncio.gather(*(store_until_then() for _ in range(_TOGETHER)))
        return (time.process_time() - started) / events * 1e6

    def _check_headers(self) -> None:
        require_spine_headers(self._headers)
        self._gateway.authenticator.authenticate(self._headers)
        require_interaction(self._headers, self._message.headers["InteractionID"])

    def _parse(self) -> Received:
        return read_message(self._message.body, self._message.headers["Content-Type"], "nems", LOCAL)

    def _type(self) -> EventType:
        return message_event_type(self._received.resource, self._gateway.catalogue)

    def _validate(self) -> None:
        check(self._received.resource, STU3)

    def _map_in(self) -> Event:
        return self._gateway.intake.map_in(self._received, self._event_type, ())

    def _match(self) -> None:
        plan(self._event, self._event_type, self._gateway.index.match(self._event), self._ids.next)

    @staticmethod
    def _count() -> None:
        metrics.received("nems", "accepted")
        metrics.accepted("nems", "pds-change-of-gp-1")

    def _tell(self) -> None:
        event = self._event
        self._log.info(
            "accept", event_id=ids.show(event.row_id), type=event.type, face=event.face, application=event.application,
            deliveries=0, warnings=0,
        )  # fmt: skip


def _microseconds(step: Callable[[], object], seconds: float) -> float:
    """The median of a few batches; the first calls, which fill caches, are not among them."""
    batch = 1
    while (once := _batch_seconds(step, batch)) < seconds / _BATCHES / 4:
        batch *= 2
    batch = max(1, round(batch * seconds / _BATCHES / once))
    return statistics.median(_batch_seconds(step, batch) for _ in range(_BATCHES)) / batch * 1e6


def _batch_seconds(step: Callable[[], object], batch: int) -> float:
    started = time.process_time()
    for _ in range(batch):
        step()
    return time.process_time() - started


async def measure(folder: Path, seconds: float) -> dict[str, dict[str, float]]:
    """The steps of both messages; each takes about `seconds` in all."""
    gateway = Gateway(configuration.load())
    await gateway.start()
    result = {}
    for syntax in ("json", "xml"):
        steps = Steps(gateway, message("xml" if syntax == "xml" else "json"))
        timed = steps.timed(seconds)
        result[syntax] = timed | {"accept": await steps.accept(seconds / 2)}
    await gateway.stop()
    return result


def main(folder: str, seconds: str) -> None:
    os.environ["GATEWAY_STORE__URL"] = f"sqlite:///{folder}/steps.db"
    with (Path(folder) / "steps.log").open("wb") as log:
        logs.configure("INFO", log)
        with asyncio.Runner(loop_factory=_loop_factory()) as loop:
            result = loop.run(measure(Path(folder), float(seconds)))
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
