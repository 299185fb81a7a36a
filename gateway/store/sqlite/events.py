"""Events in SQLite."""

from __future__ import annotations

import sqlite3

from gateway.errors import Unavailable
from gateway.events import NUMBERED, Event
from gateway.store import rows
from gateway.store.base import Acceptance, Kept, begins
from gateway.store.sqlite.deliveries import ADD_DELIVERY
from gateway.store.sqlite.engine import Engine
from gateway.store.sqlite.inbox import add_with_event
from gateway.store.sqlite.numbers import next_number
from gateway.store.sqlite.order import must_wait

ADD_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ADD_ORIGINAL = "INSERT INTO originals VALUES (?, ?, ?, ?)"
ADD_NAME = (
    "INSERT INTO event_names VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET row_id = excluded.row_id WHERE event_names.row_id < ?"
)
FIRST = "SELECT row_id FROM event_names WHERE event_id = ? AND source = ? AND application = ?"
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
    """The row id of the first event of that application, source and id since `since`: this one, unless there is one."""
    name = (event.id, event.source, event.application)
    if connection.execute(ADD_NAME, (*name, event.row_id, since)).rowcount:
        return event.row_id
    (row_id,) = connection.execute(FIRST, name).fetchone()
    return int(row_id)
