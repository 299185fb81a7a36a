"""What became of an event, read from SQLite."""

from __future__ import annotations

import sqlite3
from collections import defaultdict

from gateway.events import Attempt
from gateway.store import rows
from gateway.store.base import DeliveryTrace, EventTrace
from gateway.store.sqlite.engine import Engine

EVENT = f"SELECT {rows.EVENT} FROM events e JOIN originals o ON o.event_id = e.id WHERE e.id = ?"  # noqa: S608  # our own column names
DELIVERIES = (
    f"SELECT {rows.DELIVERY}, d.state, d.next_ms, d.remote_id, d.ended_ms, d.collected_ms FROM deliveries d"  # noqa: S608
    " WHERE d.event_id = ? ORDER BY d.id"
)
ATTEMPTS = (
    f"SELECT {rows.ATTEMPT} FROM attempts"  # noqa: S608
    " WHERE delivery_id IN (SELECT id FROM deliveries WHERE event_id = ?) ORDER BY delivery_id, number"
)


class Traces(Engine):
    """Tells what became of events."""

    async def trace(self, row_id: int) -> EventTrace | None:
        return await self._read(lambda connection: trace(connection, row_id))


def trace(connection: sqlite3.Connection, row_id: int) -> EventTrace | None:
    """An event and where its deliveries stand."""
    row = connection.execute(EVENT, (row_id,)).fetchone()
    return EventTrace(rows.event_of(row), _deliveries(connection, row_id)) if row else None


def _deliveries(connection: sqlite3.Connection, event_id: int) -> tuple[DeliveryTrace, ...]:
    told = connection.execute(DELIVERIES, (event_id,)).fetchall()
    attempts = _attempts(connection, event_id)  # after the deliveries: one that has ended has its attempts
    found = []
    for *columns, state, next_ms, remote_id, ended_ms, collected_ms in told:
        delivery = rows.delivery_of(tuple(columns))
        tried = tuple(attempts[delivery.id])
        found.append(DeliveryTrace(delivery, state, next_ms, remote_id, ended_ms, tried, collected_ms))
    return tuple(found)


def _attempts(connection: sqlite3.Connection, event_id: int) -> dict[int, list[Attempt]]:
    found: dict[int, list[Attempt]] = defaultdict(list)
    for row in connection.execute(ATTEMPTS, (event_id,)):
        attempt = rows.attempt_of(row)
        found[attempt.delivery_id].append(attempt)
    return found
