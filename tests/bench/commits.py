"""The store alone: group commit, and a commit for each event.

`python -m tests.bench.commits DATABASE SECONDS together|apart` prints events, seconds and CPU seconds as JSON.
`together`: 64 tasks store events as fast as they are durable, so events share commits. `apart`: the same 64 tasks take
turns, so that no two events can share one; the store is the same in both.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import sys
import time
from pathlib import Path

from msgspec.structs import replace

from gateway.events import JSON, Event, Original
from gateway.ids import Ids
from gateway.listener import loop_factory
from gateway.store.base import Acceptance
from gateway.store.sqlite import SqliteStore
from tests.bench.messages import message
from tests.bench.processes import IN_FLIGHT
from tests.samples import event


class Storing:
    """Stores events in a store that is open."""

    def __init__(self, store: SqliteStore, *, apart: bool) -> None:
        self._store = store
        self._turn: contextlib.AbstractAsyncContextManager[object] = (
            asyncio.Lock() if apart else contextlib.nullcontext()
        )
        self._ids = Ids()
        self._event = event(original=Original(message("json").body, JSON, "nems-message"), warnings=())
        self.events = 0

    async def run(self, seconds: float) -> None:
        """64 tasks, for so long."""
        deadline = time.monotonic() + seconds
        await asyncio.gather(*(self._store_until(deadline) for _ in range(IN_FLIGHT)))

    async def _store_until(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            async with self._turn:
                await self._store.accept(Acceptance(self._next(), ()))
            self.events += 1

    def _next(self) -> Event:
        return replace(self._event, row_id=self._ids.next())


async def measure(database: Path, seconds: float, *, apart: bool) -> dict[str, float]:
    """Events stored, and the time and the CPU time that took, in seconds."""
    store = SqliteStore(database)
    await store.open()
    storing = Storing(store, apart=apart)
    started, cpu = time.monotonic(), time.process_time()
    await storing.run(seconds)
    result = {
        "events": storing.events, "seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu,
    }  # fmt: skip
    await store.close()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (kept,) = connection.execute("SELECT count(*) FROM events").fetchone()
    assert kept == storing.events, f"{storing.events} stored, {kept} there"
    return result


def main(database: str, seconds: str, how: str) -> None:
    with asyncio.Runner(loop_factory=loop_factory()) as loop:
        print(json.dumps(loop.run(measure(Path(database), float(seconds), apart=how == "apart"))))


if __name__ == "__main__":
    main(*sys.argv[1:])
