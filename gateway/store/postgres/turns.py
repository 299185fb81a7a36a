"""Turns at jobs, in PostgreSQL."""

from __future__ import annotations

import secrets

from gateway.store.postgres.engine import Engine

TAKE = """
INSERT INTO turns VALUES ($1, $2, clock_ms() + $3)
ON CONFLICT (job) DO UPDATE SET node = excluded.node, until_ms = excluded.until_ms
WHERE turns.node = excluded.node OR turns.until_ms <= clock_ms()
"""


class Turns(Engine):
    """Gives turns at jobs."""

    async def open_to_read(self) -> None:
        await super().open_to_read()
        self._node = secrets.randbits(62)

    async def take_turn(self, job: str, seconds: float) -> bool:
        return await self._execute(TAKE, job, self._node, round(seconds * 1000)) > 0
