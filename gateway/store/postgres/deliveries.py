"""Deliveries in PostgreSQL: claimed in batches, judged in groups, released."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.events import Attempt, Delivery, Verdict
from gateway.store import rows
from gateway.store.base import Claimed
from gateway.store.group import Group
from gateway.store.postgres.database import Connection
from gateway.store.postgres.engine import Engine, columns

# A lease that ended tells of an attempt whose end nobody saw.
CLAIM = f"""
WITH clock AS MATERIALIZED (SELECT clock_ms() - $5::bigint AS ahead),
due AS MATERIALIZED (
    SELECT id, state FROM deliveries
    WHERE state IN ('pending', 'sending') AND next_ms <= $1 + (SELECT ahead FROM clock) AND endpoint <> ALL ($2::text[])
    ORDER BY next_ms LIMIT $3 FOR UPDATE SKIP LOCKED
),
taken AS (
    UPDATE deliveries d
    SET state = 'sending', next_ms = $4 + (SELECT ahead FROM clock), uncertain = d.uncertain OR due.state = 'sending',
        claim = d.claim + 1
    FROM due WHERE d.id = due.id RETURNING d.*
)
SELECT {rows.DELIVERY}, {rows.EVENT} FROM taken d
JOIN events e ON e.id = d.event_id JOIN originals o ON o.event_id = e.id
"""  # noqa: S608  # our own column names
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
UPDATE deliveries d SET state = 'pending', next_ms = $3::bigint + clock_ms() - $4::bigint
FROM unnest($1::bigint[], $2::integer[]) AS held (id, claim)
WHERE d.id = held.id AND d.state = 'sending' AND d.claim = held.claim
"""
WITH_REMOTE_ID = "SELECT id FROM deliveries WHERE remote_id = $1 AND remote_id <> ''"


class Deliveries(Engine):
    """Keeps deliveries."""

    async def open(self) -> None:
        await super().open()
        self._recording: Group[Verdict, None] = Group(self._record, self._max_waiting)
        self._closing.push_async_callback(self._recording.close)

    async def claim(self, limit: int, now_ms: int, lease_ms: int, full: Sequence[str] = ()) -> list[Claimed]:
        found = await self._fetch(CLAIM, now_ms, list(full), limit, lease_ms, self._clock())
        width = rows.DELIVERY.count(",") + 1
        return [
            Claimed(rows.delivery_of(tuple(row)[:width]), rows.event_of(tuple(row)[width:]), lease_ms) for row in found
        ]

    async def record(self, verdict: Verdict) -> None:
        await self._recording.submit(verdict)

    async def release(self, held: Sequence[Delivery], now_ms: int) -> None:
        ids, claims = columns(((one.id, one.claim) for one in held), 2)
        await self._execute(RELEASE, ids, claims, now_ms, self._clock())

    async def delivery_with_remote_id(self, remote_id: str) -> int | None:
        row = await self._first(WITH_REMOTE_ID, remote_id)
        return row[0] if row else None

    async def _record(self, group: Sequence[Verdict]) -> list[None]:
        rounds = [(self._clock(), *columns(map(_verdict_row, one), 13)) for one in _rounds(group)]
        if len(rounds) == 1:
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
    attempt, ended = verdict.attempt, verdict.state in {"delivered", "dead"}
    return (
        attempt.delivery_id, verdict.claim, verdict.state, verdict.uncertain, verdict.next_ms, verdict.remote_id,
        attempt.started_ms + attempt.duration_ms if ended else None, attempt.started_ms, attempt.duration_ms,
        attempt.outcome, attempt.status, attempt.detail, attempt.answer,
    )  # fmt: skip
