"""Subscriptions at other servers, in PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from gateway.store.base.upstreams import Heard, Upstream, beginning, missing_numbers
from gateway.store.postgres.database import Connection
from gateway.store.postgres.engine import Engine

# Two nodes that hear of one subscription do it one after the other.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
KNOWN = "SELECT events, complete FROM upstreams WHERE reference = $1"
KEEP = (
    "INSERT INTO upstreams AS u VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (reference) DO UPDATE SET"
    " application = excluded.application, topic = COALESCE(NULLIF(excluded.topic, ''), u.topic), kind = excluded.kind,"
    " state = excluded.state, events = excluded.events, complete = excluded.complete, heard_ms = excluded.heard_ms"
)
EXPECT = (
    "INSERT INTO upstreams (reference, application, topic, kind, state, events, complete, heard_ms)"
    " VALUES ($1, $2, $3, '', 'requested', 0, 0, $4) ON CONFLICT (reference) DO UPDATE SET topic = excluded.topic"
)
TAKE = "INSERT INTO upstream_numbers SELECT $1, unnest($2::bigint[]) ON CONFLICT DO NOTHING"
# The number before the first one that is missing.
COMPLETE = (
    "SELECT MIN(number) - 1 FROM (SELECT $2::bigint + 1 AS number UNION ALL"
    " SELECT number + 1 FROM upstream_numbers WHERE reference = $1 AND number > $2) AS following"
    " WHERE number NOT IN (SELECT number FROM upstream_numbers WHERE reference = $1)"
)
SET_COMPLETE = "UPDATE upstreams SET complete = $2 WHERE reference = $1"
FORGET = "DELETE FROM upstream_numbers WHERE reference = $1 AND number <= $2"
ALL = "SELECT reference, application, topic, kind, state, events, heard_ms, complete FROM upstreams ORDER BY reference"
TAKEN = "SELECT number FROM upstream_numbers WHERE reference = $1"


class Upstreams(Engine):
    """Keeps how they are, and which of their events were taken in."""

    async def hear(self, heard: Heard) -> None:
        await self._transact(lambda connection: _hear(connection, heard))

    async def expect(self, reference: str, application: str, topic: str, now_ms: int) -> None:
        await self._execute(EXPECT, reference, application, topic, now_ms)

    async def upstreams(self, missing: int) -> list[Upstream]:
        found = []
        for *columns, complete in await self._fetch(ALL):
            taken = frozenset(row[0] for row in await self._fetch(TAKEN, columns[0]))
            known = Upstream(*columns)
            found.append(replace(known, missing=missing_numbers(known.events, complete, taken, missing)))
        return found


async def _hear(connection: Connection, heard: Heard) -> None:
    reference = heard.reference
    await connection.execute(LOCK, reference)
    known = await connection.fetchrow(KNOWN, reference)
    events, complete = beginning(heard, (known[0], known[1]) if known else None)
    row = (reference, heard.application, heard.topic, heard.kind, heard.state, events, complete, heard.heard_ms)
    await connection.execute(KEEP, *row)
    await connection.execute(TAKE, reference, [number for number in heard.numbers if number > complete])
    complete = await connection.fetchval(COMPLETE, reference, complete)
    await connection.execute(SET_COMPLETE, reference, complete)
    await connection.execute(FORGET, reference, complete)
