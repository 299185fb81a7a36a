"""Endpoints that fail, in PostgreSQL. Their times are of the clocks of nodes: a probe a little early does no harm."""

from __future__ import annotations

from gateway.store.base import FailingEndpoint
from gateway.store.postgres.engine import Engine

# Times are kept by the database's clock: each statement is told the node's own.
ALL = """
SELECT endpoint, failing_ms + $1::bigint - clock_ms(), probes, probe_ms + $1::bigint - clock_ms(), reason FROM endpoints
"""
KEEP = """
INSERT INTO endpoints
SELECT $1, $2::bigint + clock_ms() - $6::bigint, $3, $4::bigint + clock_ms() - $6::bigint, $5
ON CONFLICT (endpoint) DO UPDATE
SET probes = excluded.probes, probe_ms = excluded.probe_ms, reason = excluded.reason
"""
FORGET = "DELETE FROM endpoints WHERE endpoint = $1"
TAKE_PROBE = """
UPDATE endpoints SET probe_ms = $1::bigint + clock_ms() - $4::bigint
WHERE endpoint = $2 AND probe_ms <= $3::bigint + clock_ms() - $4::bigint
"""
HASTEN_PROBE = """
UPDATE endpoints SET probe_ms = LEAST(probe_ms, $1::bigint + clock_ms() - $3::bigint) WHERE endpoint = $2
"""


class Endpoints(Engine):
    """Remembers endpoints that fail."""

    async def failing_endpoints(self) -> list[FailingEndpoint]:
        return [FailingEndpoint(*row) for row in await self._fetch(ALL, self._clock())]

    async def keep_failing_endpoint(self, failing: FailingEndpoint) -> None:
        one = failing
        values = one.endpoint, one.failing_ms, one.probes, one.probe_ms, one.reason
        await self._execute(KEEP, *values, self._clock())

    async def forget_failing_endpoint(self, endpoint: str) -> None:
        await self._execute(FORGET, endpoint)

    async def take_probe(self, endpoint: str, now_ms: int, next_ms: int) -> bool:
        return await self._execute(TAKE_PROBE, next_ms, endpoint, now_ms, self._clock()) > 0

    async def hasten_probe(self, endpoint: str, now_ms: int) -> bool:
        return await self._execute(HASTEN_PROBE, now_ms, endpoint, self._clock()) > 0
