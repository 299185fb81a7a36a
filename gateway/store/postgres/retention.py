"""Retention in PostgreSQL: whole days go with their partitions; small steps are for what must go earlier or stayed."""

from __future__ import annotations

import asyncio

from gateway.ids import first_at
from gateway.store.base import Audit, Cutoffs, Erasure
from gateway.store.postgres import partitions
from gateway.store.postgres.database import Connection
from gateway.store.postgres.engine import Engine

_UNFINISHED = "SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.state IN ('pending', 'sending', 'held')"
# $1: the default; $2 and $3: types and theirs; $4: the latest of all.
_EXPIRED = f"""
e.id < $4 AND e.id < COALESCE(($3::bigint[])[array_position($2::text[], e.type)], $1) AND NOT EXISTS ({_UNFINISHED})
"""
BLOCK = 500
_UUID = "e.event_id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'"
# Of lines, up to BLOCK of a kind make one row.
_ADD_BLOCKS = f"""
INSERT INTO audit
SELECT min(id), max(id), kind, array_agg(id ORDER BY id), array_agg(LEAST(delivered, 32767)::smallint ORDER BY id),
    array_agg(LEAST(dead, 32767)::smallint ORDER BY id),
    array_agg(CASE WHEN is_uuid THEN event_id::uuid END ORDER BY id),
    CASE WHEN bool_and(is_uuid) THEN NULL ELSE array_agg(CASE WHEN NOT is_uuid THEN event_id END ORDER BY id) END
FROM (SELECT *, (row_number() OVER (PARTITION BY kind ORDER BY id) - 1) / {BLOCK} AS block FROM lines) AS placed
GROUP BY kind, block
"""  # noqa: S608  # our own words
COUNT = f"SELECT e.type, COUNT(*) FROM events e WHERE {_EXPIRED} GROUP BY e.type"  # noqa: S608  # our own words
FIND = f"SELECT e.id FROM events e WHERE e.id > $5 AND {_EXPIRED} ORDER BY e.id LIMIT $6"  # noqa: S608
KINDS = """
INSERT INTO audit_kinds (type, source, face, application)
SELECT DISTINCT type, source, face, application FROM {events} WHERE id >= $1 AND id < $2 ON CONFLICT DO NOTHING
"""
# Deliveries are made with their event, and so on its day or the next.
ADD_AUDIT = f"""
WITH lines AS (
    SELECT e.id, kind, e.event_id, {_UUID} AS is_uuid,
        COUNT(*) FILTER (WHERE d.state = 'delivered') AS delivered, COUNT(*) FILTER (WHERE d.state = 'dead') AS dead
    FROM {{events}} e JOIN audit_kinds USING (type, source, face, application)
    LEFT JOIN deliveries d ON d.event_id = e.id AND d.id >= $1 AND d.id < $2 + ($2 - $1)
    WHERE e.id >= $1 AND e.id < $2 GROUP BY e.id, kind, e.event_id
)
{_ADD_BLOCKS}"""  # noqa: S608
FORGET_NAMES = """
DELETE FROM event_names n USING {events} e
WHERE e.id >= $1 AND e.id < $2 AND n.row_id = e.id
AND (n.event_id, n.source, n.application) = (e.event_id, e.source, e.application)
"""
BUSY_DAY = """
SELECT EXISTS (
    SELECT 1 FROM deliveries WHERE event_id >= $1 AND event_id < $2 AND state IN ('pending', 'sending', 'held')
)
"""
COUNT_DAY = "SELECT COUNT(*) FROM {events}"
# One step, of what is done.
STEP = f"""
WITH gone AS MATERIALIZED (
    SELECT id, event_id, type, source, face, application FROM events e
    WHERE e.id = ANY ($1::bigint[]) AND NOT EXISTS ({_UNFINISHED})
),
of_gone AS MATERIALIZED (SELECT d.id, d.event_id, d.state FROM gone JOIN deliveries d ON d.event_id = gone.id),
lines AS (
    SELECT e.id, kind, e.event_id, {_UUID} AS is_uuid,
        (SELECT COUNT(*) FROM of_gone WHERE event_id = e.id AND state = 'delivered') AS delivered,
        (SELECT COUNT(*) FROM of_gone WHERE event_id = e.id AND state = 'dead') AS dead
    FROM gone e JOIN audit_kinds USING (type, source, face, application)
),
kept AS ({_ADD_BLOCKS}),
no_attempts AS (DELETE FROM attempts WHERE delivery_id IN (SELECT id FROM of_gone)),
no_deliveries AS (DELETE FROM deliveries WHERE id IN (SELECT id FROM of_gone)),
no_names AS (
    DELETE FROM event_names n USING gone e
    WHERE n.row_id = e.id AND (n.event_id, n.source, n.application) = (e.event_id, e.source, e.application)
),
no_answers AS (DELETE FROM answers WHERE event_id IN (SELECT id FROM gone)),
no_events AS (DELETE FROM events WHERE id IN (SELECT id FROM gone))
SELECT COUNT(*) FROM gone
"""  # noqa: S608
KINDS_OF = """
INSERT INTO audit_kinds (type, source, face, application)
SELECT DISTINCT type, source, face, application FROM events WHERE id = ANY ($1::bigint[]) ON CONFLICT DO NOTHING
"""
_DELETED = "(SELECT id FROM subscriptions WHERE deleted_ms < $1 LIMIT $2)"
REST = (
    "DELETE FROM mesh_inbox WHERE message_id IN (SELECT message_id FROM mesh_inbox WHERE received_ms < $1 LIMIT $2)",
    f"DELETE FROM event_counts WHERE subscription_id IN {_DELETED}",  # noqa: S608
    f"DELETE FROM subscription_resources WHERE subscription_id IN {_DELETED}",  # noqa: S608
    f"DELETE FROM subscriptions WHERE id IN {_DELETED}",  # noqa: S608
)
REST_OF_ANSWERS = "DELETE FROM answers WHERE ctid = ANY (ARRAY(SELECT ctid FROM answers WHERE event_id < $1 LIMIT $2))"
REST_OF_AUDIT = "DELETE FROM audit WHERE ctid = ANY (ARRAY(SELECT ctid FROM audit WHERE last < $1 LIMIT $2))"
AUDIT = """
SELECT line.id, COALESCE(uuid::text, name), type, source, face, application, line.delivered, line.dead
FROM audit JOIN audit_kinds USING (kind),
    unnest(ids, delivered, dead, uuids, names) AS line (id, delivered, dead, uuid, name)
WHERE first <= $1 AND last >= $1 AND line.id = $1
"""
# For statements that read a day and more.
READ_MUCH = "SET LOCAL enable_hashjoin = on; SET LOCAL enable_seqscan = on; SET LOCAL enable_sort = on"
DAY_SECONDS = 600
"""So long the server may take over a day."""
TRIES, PAUSE_SECONDS = 5, 0.5


class Conflict(Exception):
    """Others are at the partitions: what was done for that day is undone."""


class Retention(Engine):
    """Forgets."""

    async def expired(self, cutoffs: Cutoffs) -> dict[str, int]:
        async def count(connection: Connection) -> dict[str, int]:
            await connection.execute(READ_MUCH)
            return dict(await connection.fetch(COUNT, *_values(cutoffs), timeout=DAY_SECONDS))

        return await self._transact(count)

    async def erase(self, cutoffs: Cutoffs, after: int, limit: int) -> Erasure:
        if after == 0 and (events := await self._drop_days(cutoffs)):
            return Erasure(events, 1)
        found = [row[0] for row in await self._fetch(FIND, *_values(cutoffs), after, limit)]
        if not found:
            return Erasure(0, None)
        return Erasure(await self._transact(lambda connection: _erase(connection, found)), found[-1])

    async def erase_rest(self, cutoffs: Cutoffs, limit: int) -> int:
        rest = [(statement, cutoffs.earliest_ms) for statement in REST]
        rest += [(REST_OF_ANSWERS, first_at(cutoffs.earliest_ms)), (REST_OF_AUDIT, first_at(cutoffs.audit_ms))]
        return sum([await self._execute(statement, before, limit) for statement, before in rest])

    async def tidy(self, now_ms: int) -> None:
        await self._run(lambda connection: partitions.make(connection, now_ms))

    async def audit(self, row_id: int) -> Audit | None:
        row = await self._first(AUDIT, row_id)
        return Audit(*row) if row else None

    async def _drop_days(self, cutoffs: Cutoffs) -> int:
        days = await self._run(lambda connection: partitions.days_before(connection, cutoffs.earliest_ms))
        return sum([await self._drop_day(day) for day in days])

    async def _drop_day(self, start_ms: int) -> int:
        """How many events went with that day: none when others were at its partitions all the time."""
        try:
            return await self._transact(lambda connection: _drop_day(connection, start_ms))
        except Conflict:
            return 0


async def _drop_day(connection: Connection, start_ms: int) -> int:
    """Drop a day, and keep its audit rows; how many events went. Nothing is done while a delivery is to be made."""
    first, after = partitions.ids_of(start_ms)
    await connection.execute("SELECT pg_advisory_xact_lock($1)", partitions.LOCK)
    if await connection.fetchval(BUSY_DAY, first, after, timeout=DAY_SECONDS):
        return 0
    await connection.execute(READ_MUCH)
    events = partitions.name("events", start_ms)
    for statement in (KINDS, ADD_AUDIT, FORGET_NAMES):
        await connection.execute(statement.replace("{events}", events), first, after, timeout=DAY_SECONDS)
    count = int(await connection.fetchval(COUNT_DAY.replace("{events}", events)))
    for _ in range(TRIES):
        if await partitions.drop(connection, start_ms):
            return count
        await asyncio.sleep(PAUSE_SECONDS)
    raise Conflict


async def _erase(connection: Connection, found: list[int]) -> int:
    await connection.execute(KINDS_OF, found)
    return int(await connection.fetchval(STEP, found))


def _values(cutoffs: Cutoffs) -> tuple[object, ...]:
    """What is kept longest goes with its day; what of it is still there when that is over could not go so."""
    default_ms, types = cutoffs.default_ms, cutoffs.ids()[1]
    if default_ms == cutoffs.earliest_ms:
        default_ms -= default_ms % partitions.DAY_MS
    return first_at(default_ms), list(types), list(types.values()), first_at(cutoffs.latest_ms)
