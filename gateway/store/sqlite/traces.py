"""What became of an event, read from SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gateway.events import Attempt
from gateway.store import rows
from gateway.store.base import DeliveryTrace, EventTrace
from gateway.store.sqlite.bodies import EVENT
from gateway.store.sqlite.engine import Engine

ONE = f"SELECT {EVENT} FROM events e WHERE e.id = ?"  # noqa: S608  # our own column names
STANDS = f"{rows.DELIVERY}, d.state, d.next_ms, d.remote_id, d.ended_ms, d.collected_ms, d.discarded_ms"
DELIVERIES = f"SELECT {STANDS} FROM deliveries d WHERE d.event_id = ? ORDER BY d.id"  # noqa: S608
ATTEMPTS = f"SELECT {rows.ATTEMPT} FROM attempts WHERE delivery_id = ? ORDER BY number"  # noqa: S608


class Traces(Engine):
    """Tells what became of events."""

    async def trace(self, row_id: int) -> EventTrace | None:
        return await self._read(lambda connection: trace(connection, row_id))


def trace(connection: sqlite3.Connection, row_id: int) -> EventTrace | None:
    """An event and where its deliveries stand."""
    row = connection.execute(ONE, (row_id,)).fetchone()
    return EventTrace(rows.event_of(row), _deliveries(connection, row_id)) if row else None


def trace_of(row: rows.Row, attempts: Sequence[Attempt] = ()) -> DeliveryTrace:
    """The trace of the columns STANDS."""
    *columns, state, next_ms, remote_id, ended_ms, collected_ms, discarded_ms = row
    delivery = rows.delivery_of(tuple(columns))
    return DeliveryTrace(delivery, state, next_ms, remote_id, ended_ms, tuple(attempts), collected_ms, discarded_ms)


def attempts_of(connection: sqlite3.Connection, delivery_id: int) -> list[Attempt]:
    """The attempts at a delivery, in order."""
    return [rows.attempt_of(row) for row in connection.execute(ATTEMPTS, (delivery_id,))]


def _deliveries(connection: sqlite3.Connection, event_id: int) -> tuple[DeliveryTrace, ...]:
    found = connection.execute(DELIVERIES, (event_id,)).fetchall()
    return tuple(trace_of(row, attempts_of(connection, row[0])) for row in found)
