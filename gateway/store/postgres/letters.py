"""Deliveries looked through, sent again and given up, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from gateway import ids
from gateway.store.base import DeliveryTrace, Selection
from gateway.store.postgres.database import Connection
from gateway.store.postgres.engine import Engine
from gateway.store.postgres.order import let_next_go, lock_keys
from gateway.store.postgres.traces import STANDS, Traces, trace_of

_READY = """
FROM subscriptions s WHERE s.deleted_ms IS NULL AND s.state <> 'off' AND NOT s.unproven
AND s.id IN (SELECT jsonb_array_elements_text(d.subscriptions::jsonb))
"""
_REPLAYABLE = f"state IN ('delivered', 'dead') AND EXISTS (SELECT 1 {_READY})"
# What is known to have arrived is sent all the same. What may have arrived may arrive twice: a replay has a name of its
# own at MESH, so that it is not taken for the send before it.
REPLAY = f"""
UPDATE deliveries d
SET state = CASE order_key WHEN '' THEN 'pending' ELSE 'held' END, next_ms = clock_ms(), attempts = 0,
    claim = claim + 1, replays = replays + 1, uncertain = uncertain AND state = 'dead', ended_ms = NULL,
    collected_ms = NULL, discarded_ms = NULL, blocked = order_key <> '',
    endpoint = COALESCE((SELECT s.endpoint {_READY} AND s.channel = d.channel LIMIT 1), endpoint)
WHERE id = ANY ($1::bigint[]) AND {_REPLAYABLE}
RETURNING id
"""  # noqa: S608  # our own words
DISCARD = """
UPDATE deliveries SET state = 'dead', blocked = false, discarded_ms = $2, ended_ms = COALESCE(ended_ms, $2)
WHERE id = ANY ($1::bigint[]) AND state IN ('dead', 'held', 'pending') AND discarded_ms IS NULL
RETURNING id
"""
_FROM = "FROM deliveries d JOIN events e ON e.id = d.event_id"


class Letters(Traces, Engine):
    """Finds deliveries of any state."""

    async def count_deliveries(self, which: Selection) -> int:
        where, values = _where(which)
        row = await self._first(f"SELECT COUNT(*) {_FROM} WHERE {where}", *values)  # our own words
        return int(row[0])

    async def deliveries(self, which: Selection, limit: int, after: int = 0) -> list[DeliveryTrace]:
        where, values = _where(which)
        page = f"d.id > ${len(values) + 1} ORDER BY d.id LIMIT ${len(values) + 2}"
        found = await self._fetch(f"SELECT {STANDS} {_FROM} WHERE {where} AND {page}", *values, after, limit)
        attempts = await self._attempts([row[0] for row in found])
        return [trace_of(row, attempts[row[0]]) for row in found]

    async def delivery(self, delivery_id: int) -> DeliveryTrace | None:
        row = await self._first(f"SELECT {STANDS} FROM deliveries d WHERE d.id = $1", delivery_id)  # noqa: S608
        return trace_of(row, (await self._attempts([delivery_id]))[delivery_id]) if row else None

    async def replay(self, delivery_ids: Sequence[int], now_ms: int) -> list[int]:
        return await self._transact(lambda connection: _change(connection, REPLAY, list(delivery_ids)))

    async def discard(self, delivery_ids: Sequence[int], now_ms: int) -> list[int]:
        return await self._transact(lambda connection: _change(connection, DISCARD, list(delivery_ids), now_ms))


async def _change(connection: Connection, sql: str, delivery_ids: list[int], *values: object) -> list[int]:
    keys = await lock_keys(connection, delivery_ids)
    done = sorted(row[0] for row in await connection.fetch(sql, delivery_ids, *values))
    # One that is sent again may have moved with its subscription.
    await let_next_go(connection, {*keys, *await lock_keys(connection, done)})
    return done


def _where(which: Selection) -> tuple[str, list[object]]:
    """The condition, made of our own words alone, and its values."""
    since = ids.first_at(which.since_ms) if which.since_ms is not None else None
    until = ids.first_at(which.until_ms) if which.until_ms is not None else None
    given: list[tuple[object, str]] = [
        (list(which.states) or None, "d.state = ANY ($?::text[])"),
        (which.subscription or None, "d.subscriptions::jsonb ? $?"),
        (which.endpoint or None, "d.endpoint = $?"),
        (which.event_type or None, "e.type = $?"),
        (list(which.ids) or None, "d.id = ANY ($?::bigint[])"),
        (since, "d.id >= $?"),
        (until, "d.id < $?"),
    ]
    held = [(value, words) for value, words in given if value is not None]
    words = [words.replace("$?", f"${place}") for place, (_, words) in enumerate(held, 1)]
    words += [] if which.discarded or which.ids else ["d.discarded_ms IS NULL"]
    words += [_REPLAYABLE] if which.replayable else []
    return " AND ".join(words) or "true", [value for value, _ in held]
