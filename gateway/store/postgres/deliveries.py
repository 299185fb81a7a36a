"""Deliveries in PostgreSQL: claimed in batches, judged in groups, released."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from gateway.events import Attempt, Delivery, Verdict
from gateway.ids import ms_of
from gateway.store import rows
from gateway.store.base import Claimed, Room
from gateway.store.group import Group
from gateway.store.postgres import claims
from gateway.store.postgres.database import Connection
from gateway.store.postgres.engine import Engine, columns
from gateway.store.postgres.order import let_next_go, lock_keys

_ENDED = frozenset({"delivered", "dead"})

# The verdict of a lease that another attempt has taken over counts only if it is that the notification was delivered.
# Attempts are numbered here: when a lease ended during one, two take themselves for the same.
RECORD = """
WITH clock AS MATERIALIZED (SELECT clock_ms() - $1::bigint AS ahead),
given AS MATERIALIZED (
    SELECT * FROM unnest(
        $2::bigint[], $3::integer[], $4::text[], $5::boolean[], $6::bigint[], $7::text[], $8::bigint[],
        $9::bigint[], $10::bigint[], $11::text[], $12::integer[], $13::text[], $14::text[]
    ) AS t (
        id, claim, state, uncertain, next_ms, remote_id, ended_ms,
        started_ms, duration_ms, outcome, status, detail, answer
    )
),
judged AS (
    UPDATE deliveries d
    SET state = given.state, attempts = d.attempts + 1, uncertain = given.uncertain,
        next_ms = given.next_ms + (SELECT ahead FROM clock), remote_id = given.remote_id, ended_ms = given.ended_ms
    FROM given WHERE d.id = given.id AND ((d.state = 'sending' AND d.claim = given.claim)
        OR (given.state = 'delivered' AND d.state IN ('pending', 'sending', 'dead')))
)
INSERT INTO attempts
SELECT id, COALESCE((SELECT MAX(number) FROM attempts a WHERE a.delivery_id = given.id), 0) + 1,
    started_ms, duration_ms, outcome, status, detail, answer
FROM given
"""
ADD_ATTEMPT = """
INSERT INTO attempts SELECT $1::bigint, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5, $6, $7
FROM attempts WHERE delivery_id = $1
"""
RELEASE = """
UPDATE deliveries d SET state = $5, next_ms = $3::bigint + clock_ms() - $4::bigint
FROM unnest($1::bigint[], $2::integer[]) AS held (id, claim)
WHERE d.id = held.id AND d.state = 'sending' AND d.claim = held.claim
"""
GIVE_UP = "UPDATE deliveries SET state = 'dead', ended_ms = $2 WHERE id = ANY ($1::bigint[])"
OLD = """
SELECT id FROM deliveries WHERE state = 'held' AND NOT blocked AND endpoint = $1 AND id < $2
AND (replays = 0 OR next_ms < $3::bigint + clock_ms() - $4::bigint)
ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED
"""
WITH_REMOTE_ID = "SELECT id FROM deliveries WHERE remote_id = $1 AND remote_id <> ''"


class Deliveries(Engine):
    """Keeps deliveries."""

    async def open(self) -> None:
        await super().open()
        self._recording: Group[Verdict, None] = Group(self._record, self._max_waiting)
        self._closing.push_async_callback(self._recording.close)

    async def claim(self, room: Room, now_ms: int, lease_ms: int, full: Collection[str] = ()) -> list[Claimed]:
        look = claims.LOOK if full else room.deliveries
        for _ in range(claims.LOOKS if full else 1):
            values = lease_ms, self._clock(), room.deliveries, room.bytes, now_ms, list(full), look
            if found := await self._fetch(claims.DUE, *values):
                return _claimed(found, lease_ms)
        return []

    async def claim_held(self, endpoint: str, room: Room, lease_ms: int) -> list[Claimed]:
        values = lease_ms, self._clock(), room.deliveries, room.bytes, endpoint
        return _claimed(await self._fetch(claims.HELD, *values), lease_ms)

    async def held_endpoints(self, after: str, limit: int) -> list[str]:
        return [row[0] for row in await self._fetch(claims.HELD_ENDPOINTS, after, limit)]

    def record(self, verdict: Verdict) -> asyncio.Future[None]:
        return self._recording.submit(verdict)

    async def release(self, held: Sequence[Delivery], now_ms: int, *, hold: bool = False) -> None:
        ids, claim_numbers = columns(((one.id, one.claim) for one in held), 2)
        await self._execute(RELEASE, ids, claim_numbers, now_ms, self._clock(), "held" if hold else "pending")

    async def give_up_held(self, endpoint: str, before_id: int, now_ms: int, why: str) -> int:
        old = endpoint, before_id, ms_of(before_id), self._clock()
        return await self._transact(lambda connection: _give_up(connection, old, now_ms, why))

    async def delivery_with_remote_id(self, remote_id: str) -> int | None:
        row = await self._first(WITH_REMOTE_ID, remote_id)
        return row[0] if row else None

    async def _record(self, group: Sequence[Verdict]) -> list[None]:
        rounds = [(self._clock(), *columns(map(_verdict_row, one), 13)) for one in _rounds(group)]
        in_order = [one.attempt.delivery_id for one in group if one.in_order and one.state in _ENDED]
        if in_order:
            await self._transact(lambda connection: _record_in_order(connection, rounds, in_order))
        elif len(rounds) == 1:
            await self._execute(RECORD, *rounds[0])
        else:
            await self._transact(lambda connection: connection.executemany(RECORD, rounds))
        return [None] * len(group)


async def add_attempt(connection: Connection, attempt: Attempt) -> None:
    """Keep an attempt, under the next number of its delivery."""
    await connection.execute(
        ADD_ATTEMPT, attempt.delivery_id, attempt.started_ms, attempt.duration_ms, attempt.outcome, attempt.status,
        attempt.detail, attempt.answer,
    )  # fmt: skip


async def _record_in_order(connection: Connection, rounds: Sequence[rows.Row], in_order: Sequence[int]) -> None:
    keys = await lock_keys(connection, in_order)
    await connection.executemany(RECORD, rounds)
    await let_next_go(connection, keys)


async def _give_up(connection: Connection, old: tuple[str, int, int, int], now_ms: int, why: str) -> int:
    found = [row[0] for row in await connection.fetch(OLD, *old)]
    keys = await lock_keys(connection, found)
    await connection.execute(GIVE_UP, found, now_ms)
    for delivery_id in found:
        await add_attempt(connection, Attempt(delivery_id, 0, now_ms, 0, "given up", None, why))
    await let_next_go(connection, keys)
    return len(found)


def _claimed(found: Sequence[rows.Row], lease_ms: int) -> list[Claimed]:
    width = rows.DELIVERY.count(",") + 1
    told = sorted(map(tuple, found))  # by the delivery's id, which comes first
    return [Claimed(rows.delivery_of(row[:width]), rows.event_of(row[width:]), lease_ms) for row in told]


def _rounds(group: Sequence[Verdict]) -> list[list[Verdict]]:
    """The verdicts, in order, in parts that tell of each delivery once: a statement changes a row once."""
    rounds: list[dict[int, Verdict]] = []
    for verdict in group:
        delivery_id = verdict.attempt.delivery_id
        free = next((one for one in rounds if delivery_id not in one), None)
        if free is None:
            rounds.append(free := {})
        free[delivery_id] = verdict
    return [list(one.values()) for one in rounds]


def _verdict_row(verdict: Verdict) -> rows.Row:
    attempt, ended = verdict.attempt, verdict.state in _ENDED
    return (
        attempt.delivery_id, verdict.claim, verdict.state, verdict.uncertain, verdict.next_ms, verdict.remote_id,
        attempt.started_ms + attempt.duration_ms if ended else None, attempt.started_ms, attempt.duration_ms,
        attempt.outcome, attempt.status, attempt.detail, attempt.answer,
    )  # fmt: skip
