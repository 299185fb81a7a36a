"""Deliveries in order, in PostgreSQL: of one endpoint and key all but one are held, and blocked by that one.

Whoever adds one or ends one first takes a lock on its endpoint and key, until the transaction's end: otherwise one node
could block a delivery by another that a second node has just ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from gateway.events import Delivery
from gateway.store.postgres.database import Connection

Key = tuple[str, str]

# In the order of the locks, so that two transactions do not wait for each other.
LOCK = """
SELECT pg_advisory_xact_lock(lock) FROM (
    SELECT DISTINCT hashtextextended(order_key || ' ' || endpoint, 0) AS lock
    FROM unnest($1::text[], $2::text[]) AS t (endpoint, order_key) ORDER BY lock
) locks
"""
_NOT_ENDED = (
    "d.endpoint = k.endpoint AND d.order_key = k.order_key AND d.order_key <> ''"
    " AND d.state IN ('pending', 'sending', 'held')"
)
BUSY = f"""
SELECT endpoint, order_key FROM unnest($1::text[], $2::text[]) AS k (endpoint, order_key)
WHERE EXISTS (SELECT 1 FROM deliveries d WHERE {_NOT_ENDED})
"""  # noqa: S608  # our own words
KEYS = "SELECT DISTINCT endpoint, order_key FROM deliveries WHERE id = ANY ($1::bigint[]) AND order_key <> ''"
LET_NEXT_GO = f"""
UPDATE deliveries SET state = 'pending', blocked = false, next_ms = clock_ms()
FROM unnest($1::text[], $2::text[]) AS k (endpoint, order_key), LATERAL (
    SELECT id, blocked FROM deliveries d WHERE {_NOT_ENDED} ORDER BY blocked, id LIMIT 1
) first
WHERE deliveries.id = first.id AND first.blocked
"""  # noqa: S608


async def blocked(connection: Connection, deliveries: Sequence[Delivery]) -> set[int]:
    """Of deliveries that are about to be added, those that have one before them; nothing changes that until the
    transaction ends.
    """
    keys = {_key(one) for one in deliveries if one.order_key}
    if not keys:
        return set()
    await _lock(connection, keys)
    busy = {tuple(row) for row in await connection.fetch(BUSY, *_columns(keys))}
    waiting = set()
    for one in deliveries:
        if one.order_key and _key(one) in busy:
            waiting.add(one.id)
        busy.add(_key(one))
    return waiting


async def lock_keys(connection: Connection, delivery_ids: Sequence[int]) -> Collection[Key]:
    """The keys of deliveries that are about to end, locked."""
    keys = [tuple(row) for row in await connection.fetch(KEYS, list(delivery_ids))]
    if keys:
        await _lock(connection, keys)
    return keys


async def let_next_go(connection: Connection, keys: Collection[Key]) -> None:
    """Deliveries of these keys have ended: the earliest of those that wait for them is due."""
    if keys:
        await connection.execute(LET_NEXT_GO, *_columns(keys))


async def _lock(connection: Connection, keys: Iterable[Key]) -> None:
    await connection.fetch(LOCK, *_columns(keys))


def _key(delivery: Delivery) -> Key:
    return delivery.endpoint, delivery.order_key


def _columns(keys: Iterable[Key]) -> tuple[list[str], list[str]]:
    pairs = list(keys)
    return [endpoint for endpoint, _ in pairs], [key for _, key in pairs]
