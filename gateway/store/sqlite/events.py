"""Events in SQLite."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from gateway.errors import Unavailable
from gateway.events import Event
from gateway.store import rows
from gateway.store.base import Acceptance, Kept, kept
from gateway.store.sqlite.bodies import EVENT, add_events
from gateway.store.sqlite.database import hash_of
from gateway.store.sqlite.deliveries import add_deliveries
from gateway.store.sqlite.engine import Engine
from gateway.store.sqlite.inbox import add_with_event
from gateway.store.sqlite.names import Name, Names, place

log = structlog.get_logger()
PAUSE_SECONDS: Final = 5.0
"""How long it is until this is tried again when the database refused."""
NEWEST = f"SELECT {EVENT} FROM events e ORDER BY e.id DESC LIMIT ?"  # noqa: S608  # our own column names


class Events(Engine):
    """Keeps events."""

    def __init__(self, path: Path, max_waiting: int = 10_000) -> None:
        super().__init__(path, max_waiting)
        self._names = Names()
        self._placing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await super().open()
        await self._write(self._names.load)
        self._closing.push_async_callback(self._stop_placing)

    def accept(self, acceptance: Acceptance) -> asyncio.Future[Kept]:
        if self._writer.crowded:
            raise Unavailable("too many events wait to be stored")
        if self._names.are_many and (self._placing is None or self._placing.done()):
            self._placing = asyncio.create_task(self._place(), name="place-names")
        return self._write_item(self._accept_all, acceptance)

    async def events(self, limit: int) -> list[Event]:
        return await self._read(lambda connection: newest(connection, limit))

    def _accept_all(self, connection: sqlite3.Connection, group: Sequence[Acceptance]) -> list[Kept]:
        hashes = {one.event.id: hash_of(one.event.id) for one in group if one.once}
        since = min((one.since for one in group if one.once), default=0)
        names = self._names.find(connection, hashes.values(), since)
        fates = [_fate(connection, one, names) for one in group]
        new = [one for one, fate in zip(group, fates, strict=True) if fate is None]
        events = [(one.event, hashes[one.event.id] if one.once else None) for one in new]
        add_events(connection, events)
        self._names.add(connection, [(event.row_id, hashed) for event, hashed in events])
        numbers = add_deliveries(connection, new)
        return [fate or kept(one, numbers) for one, fate in zip(group, fates, strict=True)]

    async def events_named(self, event_id: str) -> list[int]:
        return await self._read(lambda connection: self._names.named(connection, event_id))

    async def _place(self) -> None:
        """Put the hashes that are new into the index, step by step, so that nobody waits for long."""
        try:
            for part in self._names.begin_to_place():
                await self._writer.submit_long(functools.partial(place, part=part))
            await self._write(self._names.are_placed)
        except Unavailable as error:
            log.warning("place-names", why=str(error))
            await asyncio.sleep(PAUSE_SECONDS)
            # In memory are the hashes of events that were refused, too, and more would come for as long as the database
            # refuses. Those of the events that are kept are in the tables.
            with contextlib.suppress(Unavailable):
                await self._write(self._names.load)

    async def _stop_placing(self) -> None:
        if self._placing:
            self._placing.cancel()
            await asyncio.wait([self._placing])


def newest(connection: sqlite3.Connection, limit: int) -> list[Event]:
    """The newest events, newest first."""
    return [rows.event_of(row) for row in connection.execute(NEWEST, (limit,))]


def _fate(connection: sqlite3.Connection, one: Acceptance, names: dict[Name, int]) -> Kept | None:
    """What becomes of an event that is not to be kept; None for one that is."""
    event, first = one.event, one.event.row_id
    name = event.id, event.source, event.application
    if one.once and names.get(name, -1) >= one.since:
        first = names[name]
    if one.inbox and (known := add_with_event(connection, one.inbox, first)) is not None:
        return Kept(known)
    if first != event.row_id:
        return Kept(first)
    if one.once:
        names[name] = first
    return None
