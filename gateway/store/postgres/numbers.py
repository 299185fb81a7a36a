"""The numbers of events in their subscriptions, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.events import Event
from gateway.store import rows
from gateway.store.postgres.engine import Engine

COUNTS = "SELECT subscription_id, events FROM event_counts WHERE subscription_id = ANY ($1::text[])"
NUMBERED = (
    f"SELECT d.number, {rows.EVENT} FROM deliveries d"  # noqa: S608  # our own column names
    " JOIN events e ON e.id = d.event_id"
    " WHERE d.subscriptions = $1 AND d.number > 0 AND d.number BETWEEN $2 AND $3 ORDER BY d.number LIMIT $4"
)


class Numbers(Engine):
    """Tells the numbers that accept has given."""

    async def event_counts(self, subscription_ids: Sequence[str]) -> dict[str, int]:
        return dict(await self._fetch(COUNTS, list(subscription_ids)))

    async def numbered_events(
        self, subscription_id: str, since: int, until: int, limit: int
    ) -> list[tuple[int, Event]]:
        found = await self._fetch(NUMBERED, rows.json_text((subscription_id,)), since, until, limit)
        return [(row[0], rows.event_of(tuple(row)[1:])) for row in found]
