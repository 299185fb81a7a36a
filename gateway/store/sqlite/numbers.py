"""The numbers of events in their subscriptions, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gateway.events import Event
from gateway.store import rows
from gateway.store.sqlite.bodies import EVENT
from gateway.store.sqlite.engine import Engine

NEXT = (
    "INSERT INTO event_counts VALUES (?, ?) ON CONFLICT (subscription_id)"
    " DO UPDATE SET events = events + excluded.events RETURNING events"
)
COUNTS = "SELECT subscription_id, events FROM event_counts WHERE subscription_id IN (SELECT value FROM json_each(?))"
NUMBERED = (
    f"SELECT d.number, {EVENT} FROM deliveries d"  # noqa: S608  # our own column names
    " JOIN events e ON e.id = d.event_id"
    " WHERE d.subscriptions = ? AND d.number > 0 AND d.number BETWEEN ? AND ? ORDER BY d.number LIMIT ?"
)


class Numbers(Engine):
    """Tells the numbers that accept has given."""

    async def event_counts(self, subscription_ids: Sequence[str]) -> dict[str, int]:
        values = (rows.json_text(subscription_ids),)
        return await self._read(lambda connection: dict(connection.execute(COUNTS, values).fetchall()))

    async def numbered_events(
        self, subscription_id: str, since: int, until: int, limit: int
    ) -> list[tuple[int, Event]]:
        values = (rows.json_text((subscription_id,)), since, until, limit)
        found = await self._read(lambda connection: connection.execute(NUMBERED, values).fetchall())
        return [(row[0], rows.event_of(row[1:])) for row in found]


def next_number(connection: sqlite3.Connection, subscription_id: str, count: int) -> int:
    """The number of the next event of a subscription; that and the `count - 1` after it are taken."""
    (last,) = connection.execute(NEXT, (subscription_id, count)).fetchone()
    return int(last) + 1 - count
