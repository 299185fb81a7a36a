"""Events in SQLite."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence

from gateway.errors import Unavailable
from gateway.events import Event
from gateway.store import rows
from gateway.store.base import Acceptance, Kept, kept
from gateway.store.sqlite.database import hash_of
from gateway.store.sqlite.deliveries import add_deliveries
from gateway.store.sqlite.engine import Engine
from gateway.store.sqlite.inbox import add_with_event

Name = tuple[str, str, str]
"""A publisher's id of an event, its source, and the application."""

ADD_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ADD_ORIGINAL = "INSERT INTO originals VALUES (?, ?, ?, ?)"
ADD_HASH = "INSERT INTO event_hashes VALUES (?, ?)"
NAMED = (
    "SELECT h.row_id, e.event_id, e.source, e.application FROM event_hashes h JOIN events e ON e.id = h.row_id"
    " WHERE h.hash IN (SELECT value FROM json_each(?)) AND h.row_id >= ? ORDER BY h.row_id"
)
NEWEST = f"SELECT {rows.EVENT} FROM events e JOIN originals o ON o.event_id = e.id ORDER BY e.id DESC LIMIT ?"  # noqa: S608  # our own column names


class Events(Engine):
    """Keeps events."""

    def accept(self, acceptance: Acceptance) -> asyncio.Future[Kept]:
        if self._writer.crowded:
            raise Unavailable("too many events wait to be stored")
        return self._write_item(_accept_all, acceptance)

    async def events(self, limit: int) -> list[Event]:
        return await self._read(lambda connection: newest(connection, limit))


def newest(connection: sqlite3.Connection, limit: int) -> list[Event]:
    """The newest events, newest first."""
    return [rows.event_of(row) for row in connection.execute(NEWEST, (limit,))]


def _accept_all(connection: sqlite3.Connection, group: Sequence[Acceptance]) -> list[Kept]:
    hashes = {one.event.id: hash_of(one.event.id) for one in group if one.once}
    names = _names(connection, hashes, min((one.since for one in group if one.once), default=0))
    fates = [_fate(connection, one, names) for one in group]
    new = [one for one, fate in zip(group, fates, strict=True) if fate is None]
    events = [one.event for one in new]
    connection.executemany(ADD_EVENT, map(rows.event_row, events))
    connection.executemany(ADD_ORIGINAL, map(rows.original_row, events))
    connection.executemany(ADD_HASH, [(hashes[one.event.id], one.event.row_id) for one in new if one.once])
    numbers = add_deliveries(connection, new)
    return [fate or kept(one, numbers) for one, fate in zip(group, fates, strict=True)]


def _names(connection: sqlite3.Connection, hashes: Mapping[str, int], since: int) -> dict[Name, int]:
    """The row ids, not under `since`, of the newest events that have one of these ids, and source and application."""
    found = connection.execute(NAMED, (rows.json_text(list(hashes.values())), since)) if hashes else ()
    return {(event_id, source, application): row_id for row_id, event_id, source, application in found}


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
