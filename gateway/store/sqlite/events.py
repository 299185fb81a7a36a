"""Events in SQLite."""

from __future__ import annotations

import sqlite3

from gateway.errors import Unavailable
from gateway.events import NUMBERED, Event
from gateway.store import rows
from gateway.store.base import Acceptance, Kept, begins
from gateway.store.sqlite.database import hash_of
from gateway.store.sqlite.deliveries import ADD_DELIVERY
from gateway.store.sqlite.engine import Engine
from gateway.store.sqlite.inbox import add_with_event
from gateway.store.sqlite.numbers import next_number
from gateway.store.sqlite.order import must_wait

ADD_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ADD_ORIGINAL = "INSERT INTO originals VALUES (?, ?, ?, ?)"
ADD_HASH = "INSERT INTO event_hashes VALUES (?, ?)"
FIRST = (
    "SELECT h.row_id FROM event_hashes h JOIN events e ON e.id = h.row_id WHERE h.hash = ? AND h.row_id >= ?"
    " AND e.event_id = ? AND e.source = ? AND e.application = ? ORDER BY h.row_id DESC LIMIT 1"
)
NEWEST = f"SELECT {rows.EVENT} FROM events e JOIN originals o ON o.event_id = e.id ORDER BY e.id DESC LIMIT ?"  # noqa: S608  # our own column names


class Events(Engine):
    """Keeps events."""

    async def accept(self, acceptance: Acceptance) -> Kept:
        if self._writer.crowded:
            raise Unavailable("too many events wait to be stored")
        return await self._write(lambda connection: _accept(connection, acceptance))

    async def events(self, limit: int) -> list[Event]:
        return await self._read(lambda connection: newest(connection, limit))


def newest(connection: sqlite3.Connection, limit: int) -> list[Event]:
    """The newest events, newest first."""
    return [rows.event_of(row) for row in connection.execute(NEWEST, (limit,))]


def _accept(connection: sqlite3.Connection, acceptance: Acceptance) -> Kept:
    event, numbers = acceptance.event, dict[int, int]()
    first = _first(connection, event, acceptance.since) if acceptance.once else event.row_id
    if acceptance.inbox and (known := add_with_event(connection, acceptance.inbox, first)) is not None:
        return Kept(known)
    if first != event.row_id:
        return Kept(first)
    original = event.original
    connection.execute(ADD_EVENT, rows.event_row(event))
    connection.execute(ADD_ORIGINAL, (event.row_id, original.form, original.media_type, original.body))
    for delivery in acceptance.deliveries:
        blocked = must_wait(connection, delivery)
        state, next_ms = begins(acceptance, delivery, blocked=blocked)
        if delivery.form in NUMBERED:
            numbers[delivery.id] = next_number(connection, delivery.subscriptions[0])
        row = rows.delivery_row(delivery, state, next_ms, numbers.get(delivery.id, 0), blocked=blocked)
        connection.execute(ADD_DELIVERY, row)
    return Kept(numbers=numbers)


def _first(connection: sqlite3.Connection, event: Event, since: int) -> int:
    """The row id of the event of that application, source and id that is there since `since`; this one if none is."""
    hashed = hash_of(event.id)
    found = connection.execute(FIRST, (hashed, since, event.id, event.source, event.application)).fetchone()
    if found is None:
        connection.execute(ADD_HASH, (hashed, event.row_id))
    return int(found[0]) if found else event.row_id
