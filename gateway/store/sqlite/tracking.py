"""Whether deliveries to mailboxes have been collected, in SQLite."""

from __future__ import annotations

import sqlite3

from gateway.events import Attempt
from gateway.store.base import Uncollected
from gateway.store.sqlite.deliveries import add_attempt
from gateway.store.sqlite.engine import Engine

_UNCOLLECTED = "channel = 'mesh' AND state = 'delivered' AND collected_ms IS NULL"
DUE = (
    f"SELECT id, remote_id, ended_ms FROM deliveries WHERE {_UNCOLLECTED}"  # noqa: S608  # our own words
    " AND ended_ms BETWEEN ? AND ? AND asked_ms < ? AND remote_id <> '' ORDER BY ended_ms LIMIT ?"
)
OLDEST = f"SELECT MIN(ended_ms) FROM deliveries WHERE {_UNCOLLECTED} AND ended_ms >= ?"  # noqa: S608
ASKED = "UPDATE deliveries SET asked_ms = ?, collected_ms = ? WHERE id = ?"
DEAD = (
    "UPDATE deliveries SET state = 'dead', attempts = attempts + 1, ended_ms = ? WHERE id = ? AND state = 'delivered'"
)


class Tracking(Engine):
    """Keeps what MESH says of deliveries to mailboxes."""

    async def uncollected(
        self, limit: int, delivered_between_ms: tuple[int, int], asked_before_ms: int
    ) -> list[Uncollected]:
        values = (*delivered_between_ms, asked_before_ms, limit)
        found = await self._read(lambda connection: connection.execute(DUE, values).fetchall())
        return [Uncollected(*row) for row in found]

    async def record_tracking(self, delivery_id: int, asked_ms: int, collected_ms: int | None) -> None:
        await self._write(lambda connection: connection.execute(ASKED, (asked_ms, collected_ms, delivery_id)))

    async def record_undeliverable(self, delivery_id: int, now_ms: int, reason: str) -> bool:
        attempt = Attempt(delivery_id, 0, now_ms, 0, "reported", None, reason)
        return await self._write(lambda connection: _give_up(connection, attempt))

    async def oldest_uncollected_ms(self, delivered_since_ms: int) -> int | None:
        row = await self._read(lambda connection: connection.execute(OLDEST, (delivered_since_ms,)).fetchone())
        return row[0] if row[0] is None else int(row[0])


def _give_up(connection: sqlite3.Connection, attempt: Attempt) -> bool:
    if connection.execute(DEAD, (attempt.started_ms, attempt.delivery_id)).rowcount == 0:
        return False
    add_attempt(connection, attempt)
    return True
