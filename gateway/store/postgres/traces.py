"""What became of an event, read from PostgreSQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from gateway.events import Attempt
from gateway.store import rows
from gateway.store.base import DeliveryTrace, EventTrace
from gateway.store.postgres.engine import Engine

EVENT = f"SELECT {rows.EVENT} FROM events e WHERE e.id = $1"  # noqa: S608  # our own column names
STANDS = f"{rows.DELIVERY}, d.state, d.next_ms, d.remote_id, d.ended_ms, d.collected_ms, d.discarded_ms"
DELIVERIES = f"SELECT {STANDS} FROM deliveries d WHERE d.event_id = $1 ORDER BY d.id"  # noqa: S608
ATTEMPTS = f"SELECT {rows.ATTEMPT} FROM attempts WHERE delivery_id = ANY ($1) ORDER BY delivery_id, number"  # noqa: S608


class Traces(Engine):
    """Tells what became of events."""

    async def trace(self, row_id: int) -> EventTrace | None:
        row = await self._first(EVENT, row_id)
        return EventTrace(rows.event_of(row), await self._deliveries(row_id)) if row else None

    async def _deliveries(self, event_id: int) -> tuple[DeliveryTrace, ...]:
        told = await self._fetch(DELIVERIES, event_id)
        attempts = await self._attempts([row[0] for row in told])
        return tuple(trace_of(row, attempts[row[0]]) for row in told)

    async def _attempts(self, delivery_ids: list[int]) -> dict[int, list[Attempt]]:
        found: dict[int, list[Attempt]] = defaultdict(list)
        for row in await self._fetch(ATTEMPTS, delivery_ids):
            attempt = rows.attempt_of(row)
            found[attempt.delivery_id].append(attempt)
        return found


def trace_of(row: rows.Row, attempts: Sequence[Attempt] = ()) -> DeliveryTrace:
    """The trace of the columns STANDS."""
    *columns, state, next_ms, remote_id, ended_ms, collected_ms, discarded_ms = row
    delivery = rows.delivery_of(tuple(columns))
    return DeliveryTrace(delivery, state, next_ms, remote_id, ended_ms, tuple(attempts), collected_ms, discarded_ms)
