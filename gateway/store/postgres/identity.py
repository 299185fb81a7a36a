"""Secrets, and what may be used once, in PostgreSQL."""

from __future__ import annotations

from gateway.store.postgres.engine import Engine

KEEP = "INSERT INTO secrets VALUES ($1, $2) ON CONFLICT DO NOTHING"
KEPT = "SELECT value FROM secrets WHERE name = $1"
USE = "INSERT INTO used VALUES ($1, $2) ON CONFLICT DO NOTHING"
# Skips what another node forgets at the same time.
FORGET_USED = "DELETE FROM used WHERE name IN (SELECT name FROM used WHERE until_ms <= $1 FOR UPDATE SKIP LOCKED)"


class Identity(Engine):
    """Keeps secrets, and what may be used once."""

    async def secret(self, name: str, fresh: bytes) -> bytes:
        await self._execute(KEEP, name, fresh)
        return bytes((await self._first(KEPT, name))[0])

    async def use_once(self, name: str, until_ms: int, now_ms: int) -> bool:
        await self._execute(FORGET_USED, now_ms)
        return await self._execute(USE, name, until_ms) > 0
