"""Endpoints that fail, in SQLite."""

from __future__ import annotations

import sqlite3

from gateway.store.base import FailingEndpoint
from gateway.store.sqlite.engine import Engine

ALL = "SELECT endpoint, failing_ms, probes, probe_ms, reason FROM endpoints"
KEEP = (
    "INSERT INTO endpoints VALUES (?, ?, ?, ?, ?) ON CONFLICT (endpoint) DO UPDATE"
    " SET probes = excluded.probes, probe_ms = excluded.probe_ms, reason = excluded.reason"
)
FORGET = "DELETE FROM endpoints WHERE endpoint = ?"
TAKE_PROBE = "UPDATE endpoints SET probe_ms = ? WHERE endpoint = ? AND probe_ms <= ?"
HASTEN_PROBE = "UPDATE endpoints SET probe_ms = MIN(probe_ms, ?) WHERE endpoint = ?"


class Endpoints(Engine):
    """Remembers endpoints that fail."""

    async def failing_endpoints(self) -> list[FailingEndpoint]:
        return await self._read(all_failing)

    async def keep_failing_endpoint(self, failing: FailingEndpoint) -> None:
        values = (failing.endpoint, failing.failing_ms, failing.probes, failing.probe_ms, failing.reason)
        await self._write(lambda connection: connection.execute(KEEP, values))

    async def forget_failing_endpoint(self, endpoint: str) -> None:
        await self._write(lambda connection: connection.execute(FORGET, (endpoint,)))

    async def take_probe(self, endpoint: str, now_ms: int, next_ms: int) -> bool:
        values = (next_ms, endpoint, now_ms)
        return await self._write(lambda connection: connection.execute(TAKE_PROBE, values).rowcount > 0)

    async def hasten_probe(self, endpoint: str, now_ms: int) -> bool:
        values = (now_ms, endpoint)
        return await self._write(lambda connection: connection.execute(HASTEN_PROBE, values).rowcount > 0)


def all_failing(connection: sqlite3.Connection) -> list[FailingEndpoint]:
    """All that fail."""
    return [FailingEndpoint(*row) for row in connection.execute(ALL)]
