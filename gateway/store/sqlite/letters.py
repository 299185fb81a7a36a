"""Deliveries looked through, sent again and given up, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gateway import ids
from gateway.store import rows
from gateway.store.base import DeliveryTrace, Selection
from gateway.store.sqlite.engine import Engine
from gateway.store.sqlite.order import let_next_go
from gateway.store.sqlite.traces import STANDS, attempts_of, trace_of

_READY = (
    "FROM json_each(subscriptions) one JOIN subscriptions s ON s.id = one.value"
    " WHERE s.deleted_ms IS NULL AND s.state <> 'off' AND s.unproven = 0"
)
_REPLAYABLE = f"state IN ('delivered', 'dead') AND EXISTS (SELECT 1 {_READY})"
# What is known to have arrived is sent all the same. What may have arrived may arrive twice: a replay has a name of its
# own at MESH, so that it is not taken for the send before it.
REPLAY = f"""
UPDATE deliveries
SET state = 'pending', next_ms = ?1, attempts = 0, claim = claim + 1, replays = replays + 1,
    uncertain = uncertain AND state = 'dead', ended_ms = NULL, collected_ms = NULL, discarded_ms = NULL,
    blocked = order_key <> '',
    endpoint = COALESCE((SELECT s.endpoint {_READY} AND s.channel = deliveries.channel LIMIT 1), endpoint)
WHERE id = ?2 AND {_REPLAYABLE}
"""  # noqa: S608  # our own words
BLOCK = "UPDATE deliveries SET state = 'held' WHERE id = ? AND blocked = 1"
DISCARD = (
    "UPDATE deliveries SET state = 'dead', blocked = 0, discarded_ms = ?1, ended_ms = COALESCE(ended_ms, ?1)"
    " WHERE id = ?2 AND state IN ('dead', 'held', 'pending') AND discarded_ms IS NULL"
)


class Letters(Engine):
    """Finds deliveries of any state."""

    async def count_deliveries(self, which: Selection) -> int:
        return await self._read(lambda connection: count(connection, which))

    async def deliveries(self, which: Selection, limit: int, after: int = 0) -> list[DeliveryTrace]:
        return await self._read(lambda connection: selected(connection, which, limit, after))

    async def delivery(self, delivery_id: int) -> DeliveryTrace | None:
        return await self._read(lambda connection: one(connection, delivery_id))

    async def replay(self, delivery_ids: Sequence[int], now_ms: int) -> list[int]:
        return await self._write(lambda connection: replay(connection, delivery_ids, now_ms))

    async def discard(self, delivery_ids: Sequence[int], now_ms: int) -> list[int]:
        return await self._write(lambda connection: discard(connection, delivery_ids, now_ms))


def count(connection: sqlite3.Connection, which: Selection) -> int:
    """How many deliveries there are."""
    where, values = _where(which)
    sql = f"SELECT COUNT(*) {_from(which)} WHERE {where}"
    return int(connection.execute(sql, values).fetchone()[0])


def selected(connection: sqlite3.Connection, which: Selection, limit: int, after: int) -> list[DeliveryTrace]:
    """A page of deliveries with their attempts."""
    where, values = _where(which)
    sql = f"SELECT {STANDS} {_from(which)} WHERE {where} AND d.id > ? ORDER BY d.id LIMIT ?"
    found = connection.execute(sql, (*values, after, limit)).fetchall()
    return [trace_of(row, attempts_of(connection, row[0])) for row in found]


def one(connection: sqlite3.Connection, delivery_id: int) -> DeliveryTrace | None:
    """A delivery with its attempts."""
    row = connection.execute(f"SELECT {STANDS} FROM deliveries d WHERE d.id = ?", (delivery_id,)).fetchone()  # noqa: S608
    return trace_of(row, attempts_of(connection, delivery_id)) if row else None


def replay(connection: sqlite3.Connection, delivery_ids: Sequence[int], now_ms: int) -> list[int]:
    """Let deliveries be sent again."""
    done = []
    for delivery_id in delivery_ids:
        if connection.execute(REPLAY, (now_ms, delivery_id)).rowcount:
            connection.execute(BLOCK, (delivery_id,))
            let_next_go(connection, delivery_id, now_ms)
            done.append(delivery_id)
    return done


def discard(connection: sqlite3.Connection, delivery_ids: Sequence[int], now_ms: int) -> list[int]:
    """Give deliveries up."""
    done = [each for each in delivery_ids if connection.execute(DISCARD, (now_ms, each)).rowcount]
    for delivery_id in done:
        let_next_go(connection, delivery_id, now_ms)
    return done


def _from(which: Selection) -> str:
    """The events are looked at only for their type."""
    return "FROM deliveries d JOIN events e ON e.id = d.event_id" if which.event_type else "FROM deliveries d"


def _where(which: Selection) -> tuple[str, list[object]]:
    """The condition, made of our own words alone, and its values."""
    since = ids.first_at(which.since_ms) if which.since_ms is not None else None
    until = ids.first_at(which.until_ms) if which.until_ms is not None else None
    given: list[tuple[object, str]] = [
        (rows.json_text(which.states) if which.states else None, "d.state IN (SELECT value FROM json_each(?))"),
        (which.subscription or None, "EXISTS (SELECT 1 FROM json_each(d.subscriptions) WHERE value = ?)"),
        (which.endpoint or None, "d.endpoint = ?"),
        (which.event_type or None, "e.type = ?"),
        (rows.json_text(which.ids) if which.ids else None, "d.id IN (SELECT value FROM json_each(?))"),
        (since, "d.id >= ?"),
        (until, "d.id < ?"),
    ]
    held = [(value, words) for value, words in given if value is not None]
    words = [words for _, words in held]
    words += [] if which.discarded or which.ids else ["d.discarded_ms IS NULL"]
    words += [_REPLAYABLE] if which.replayable else []
    return " AND ".join(words) or "1", [value for value, _ in held]
