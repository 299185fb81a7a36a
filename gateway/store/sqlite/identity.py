"""Secrets, and what may be used once, in SQLite."""

from __future__ import annotations

import sqlite3

from gateway.store.sqlite.engine import Engine

KEEP = "INSERT OR IGNORE INTO secrets VALUES (?, ?)"
KEPT = "SELECT value FROM secrets WHERE name = ?"
USE = "INSERT OR IGNORE INTO used VALUES (?, ?)"
FORGET_USED = "DELETE FROM used WHERE until_ms <= ?"


class Identity(Engine):
    """Keeps secrets, and what may be used once."""

    async def secret(self, name: str, fresh: bytes) -> bytes:
        return await self._write(lambda connection: _secret(connection, name, fresh))

    async def use_once(self, name: str, until_ms: int, now_ms: int) -> bool:
        return await self._write(lambda connection: _use(connection, name, until_ms, now_ms))


def _secret(connection: sqlite3.Connection, name: str, fresh: bytes) -> bytes:
    connection.execute(KEEP, (name, fresh))
    (value,) = connection.execute(KEPT, (name,)).fetchone()
    return bytes(value)


def _use(connection: sqlite3.Connection, name: str, until_ms: int, now_ms: int) -> bool:
    connection.execute(FORGET_USED, (now_ms,))
    return connection.execute(USE, (name, until_ms)).rowcount > 0
