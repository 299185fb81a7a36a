"""The hot path in one process: each step timed alone, then the whole application without an HTTP server.

`python -m tests.bench.steps FOLDER SECONDS` prints, for each syntax, the CPU microseconds of each step, as JSON. Timed
alone, over and over on one message, a step finds everything in the processor's caches; in the whole it does not.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog
from msgspec.structs import replace
from starlette.requests import Request

from gateway import ids, logs, metrics
from gateway import settings as configuration
from gateway.app import Gateway
from gateway.applications import LOCAL
from gateway.asgi import create
from gateway.catalogue import EventType
from gateway.events import Event
from gateway.faces.nems.identity import PUBLISH_SCOPES, interaction_of, require_interaction
from gateway.faces.nems.reading import STU3, message_event_type, read_message
from gateway.ids import Ids
from gateway.listener import loop_factory
from gateway.reader import Received, check
from gateway.store.base import Acceptance
from gateway.subscriptions.plan import plan
from tests.bench.messages import PUBLISH, Message, message
from tests.bench.processes import IN_FLIGHT
from tests.bench.timing import microseconds


class Steps:
    """The steps of one message through a gateway that has started; each method does one, from its input alone."""

    def __init__(self, gateway: Gateway, published: Message) -> None:
        self._gateway, self._message = gateway, published
        headers = [(name.lower().encode(), value.encode()) for name, value in published.headers.items()]
        self._scope = {"type": "http", "headers": headers}
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
        return {name: microseconds(step, seconds / len(steps)) for name, step in steps.items()}

    async def accept(self, seconds: float) -> float:
        """CPU microseconds of an event in the store, commit included, at 64 in flight."""

        async def store() -> None:
            event = replace(self._event, row_id=self._ids.next())
            await self._gateway.store.accept(Acceptance(event, ()))

        return await _microseconds_together(store, seconds)

    async def application(self, seconds: float) -> float:
        """CPU microseconds of a request in the ASGI application, all steps included, at 64 in flight."""
        app = create(self._gateway)
        headers = [(name.lower().encode(), value.encode()) for name, value in self._message.headers.items()]
        scope = {
            "type": "http", "method": "POST", "path": PUBLISH, "raw_path": PUBLISH.encode(), "root_path": "",
            "query_string": b"", "headers": headers, "http_version": "1.1", "scheme": "http",
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": self._message.body, "more_body": False}

        async def send(part: dict[str, Any]) -> None:
            assert part.get("status", 202) == 202, part

        return await _microseconds_together(lambda: app(dict(scope), receive, send), seconds)

    def _check_headers(self) -> None:
        request = Request(self._scope)
        self._gateway.identity.caller(request, PUBLISH_SCOPES)
        require_interaction(interaction_of(request.headers), self._message.headers["InteractionID"])

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


async def _microseconds_together(work: Callable[[], Awaitable[None]], seconds: float) -> float:
    """CPU microseconds of one `work`, as 64 tasks do it again and again."""
    count, deadline, started = 0, time.monotonic() + seconds, time.process_time()

    async def work_until_then() -> None:
        nonlocal count
        while time.monotonic() < deadline:
            await work()
            count += 1

    await asyncio.gather(*(work_until_then() for _ in range(IN_FLIGHT)))
    return (time.process_time() - started) / count * 1e6


async def measure(seconds: float) -> dict[str, dict[str, float]]:
    """The steps of both messages, which take about twice `seconds` each."""
    gateway = Gateway(configuration.load())
    await gateway.start()
    result = {}
    for syntax in ("json", "xml"):
        steps = Steps(gateway, message("xml" if syntax == "xml" else "json"))
        result[syntax] = steps.timed(seconds)
        result[syntax]["accept"] = await steps.accept(seconds / 2)
        result[syntax]["application"] = await steps.application(seconds / 2)
    await gateway.stop()
    return result


def main(folder: str, seconds: str) -> None:
    os.environ["GATEWAY_STORE__URL"] = f"sqlite:///{folder}/steps.db"
    with (Path(folder) / "steps.log").open("wb") as log:
        logs.configure("INFO", log)
        with asyncio.Runner(loop_factory=loop_factory()) as loop:
            result = loop.run(measure(float(seconds)))
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
