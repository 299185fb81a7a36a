"""Whether deliveries to mailboxes have been collected, in PostgreSQL."""

from __future__ import annotations

from gateway.events import Attempt
from gateway.store.base import Uncollected
from gateway.store.postgres.database import Connection
from gateway.store.postgres.deliveries import add_attempt
from gateway.store.postgres.engine import Engine

_UNCOLLECTED = "channel = 'mesh' AND state = 'delivered' AND collected_ms IS NULL"
DUE = (
    f"SELECT id, remote_id, ended_ms FROM deliveries WHERE {_UNCOLLECTED}"  # noqa: S608  # our own words
    " AND ended_ms BETWEEN $1 AND $2 AND asked_ms < $3 AND remote_id <> '' ORDER BY ended_ms LIMIT $4"
)
OLDEST = f"SELECT MIN(ended_ms) FROM deliveries WHERE {_UNCOLLECTED} AND ended_ms >= $1"  # noqa: S608
ASKED = "UPDATE deliveries SET asked_ms = $1, collected_ms = $2 WHERE id = $3"
DEAD = (
    "UPDATE deliveries SET state = 'dead', attempts = attempts + 1, ended_ms = $1 WHERE id = $2 AND state = 'delivered'"
)


class Tracking(Engine):
    """Keeps what MESH says of deliveries to mailboxes."""

    async def uncollected(
        self, limit: int, delivered_between_ms: tuple[int, int], asked_before_ms: int
    ) -> list[Uncollected]:
        found = await self._fetch(DUE, *delivered_between_ms, asked_before_ms, limit)
        return [Uncollected(*row) for row in found]

    async def record_tracking(self, delivery_id: int, asked_ms: int, collected_ms: int | None) -> None:
        await self._execute(ASKED, asked_ms, collected_ms, delivery_id)

    async def record_undeliverable(self, delivery_id: int, now_ms: int, reason: str) -> bool:
        attempt = Attempt(delivery_id, 0, now_ms, 0, "reported", None, reason)
        return await self._transact(lambda connection: _give_up(connection, attempt))

    async def oldest_uncollected_ms(self, delivered_since_ms: int) -> int | None:
        (oldest,) = await self._first(OLDEST, delivered_since_ms)
        return oldest if oldest is None else int(oldest)


async def _give_up(connection: Connection, attempt: Attempt) -> bool:
    if await connection.execute(DEAD, attempt.started_ms, attempt.delivery_id) != "UPDATE 1":
        return False
    await add_attempt(connection, attempt)
    return True
