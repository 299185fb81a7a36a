"""Endpoints that fail, in PostgreSQL. Their times are of the clocks of nodes: a probe a little early does no harm."""

from __future__ import annotations

from gateway.store.base import FailingEndpoint
from gateway.store.postgres.engine import Engine

ALL = "SELECT endpoint, failing_ms, probes, probe_ms, reason FROM endpoints"
KEEP = (
    "INSERT INTO endpoints VALUES ($1, $2, $3, $4, $5) ON CONFLICT (endpoint) DO UPDATE"
    " SET probes = excluded.probes, probe_ms = excluded.probe_ms, reason = excluded.reason"
)
FORGET = "DELETE FROM endpoints WHERE endpoint = $1"
TAKE_PROBE = "UPDATE endpoints SET probe_ms = $1 WHERE endpoint = $2 AND probe_ms = $3"


class Endpoints(Engine):
    """Remembers endpoints that fail."""

    async def failing_endpoints(self) -> list[FailingEndpoint]:
        return [FailingEndpoint(*row) for row in await self._fetch(ALL)]

    async def keep_failing_endpoint(self, failing: FailingEndpoint) -> None:
        one = failing
        await self._execute(KEEP, one.endpoint, one.failing_ms, one.probes, one.probe_ms, one.reason)

    async def forget_failing_endpoint(self, endpoint: str) -> None:
        await self._execute(FORGET, endpoint)

    async def take_probe(self, endpoint: str, probe_ms: int, next_ms: int) -> bool:
        return await self._execute(TAKE_PROBE, next_ms, endpoint, probe_ms) > 0
