"""Claims in SQLite: what is due, and what is held for an endpoint, taken under a lease."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator

from msgspec.structs import replace

from gateway.store import rows
from gateway.store.base import Claimed, Room
from gateway.store.sqlite.bodies import EVENT

_LOOK = 500
_LOOKS = 4
"""A claim looks at no more than so many times so many deliveries: it holds up the writer."""

# Only the index of what is due is read here: bodies are read of what is taken.
DUE = (
    "SELECT id, endpoint FROM deliveries WHERE state IN ('pending', 'sending') AND next_ms <= ?"
    " ORDER BY next_ms LIMIT ?"
)
HELD = "SELECT id FROM deliveries WHERE state = 'held' AND blocked = 0 AND endpoint = ? ORDER BY id LIMIT ?"
HOLD = "UPDATE deliveries SET uncertain = uncertain OR state = 'sending', state = 'held' WHERE id = ?"
ONE = (
    f"SELECT d.state, {EVENT}, {rows.DELIVERY} FROM deliveries d"  # noqa: S608  # our own column names
    " JOIN events e ON e.id = d.event_id WHERE d.id = ?"
)
EVENT_END = rows.EVENT.count(",") + 2
LEASE = "UPDATE deliveries SET state = 'sending', next_ms = ?, uncertain = ?, claim = ? WHERE id = ?"
HELD_ENDPOINT = (
    "SELECT endpoint FROM deliveries WHERE state = 'held' AND blocked = 0 AND endpoint > ? ORDER BY endpoint LIMIT 1"
)


def claim_due(
    connection: sqlite3.Connection, room: Room, now_ms: int, lease_ms: int, full: Collection[str]
) -> list[Claimed]:
    """Take what is due, and hold what is due for the endpoints in `full`."""
    for _ in range(_LOOKS):
        found = connection.execute(DUE, (now_ms, _LOOK)).fetchall()
        connection.executemany(HOLD, [(identity,) for identity, endpoint in found if endpoint in full])
        left = [identity for identity, endpoint in found if endpoint not in full]
        if left or len(found) < _LOOK:
            return _take(connection, left, room, lease_ms)
    return []


def claim_held(connection: sqlite3.Connection, endpoint: str, room: Room, lease_ms: int) -> list[Claimed]:
    """Take what is held for `endpoint`."""
    found = connection.execute(HELD, (endpoint, room.deliveries)).fetchall()
    return _take(connection, [identity for (identity,) in found], room, lease_ms)


def held_endpoints(connection: sqlite3.Connection, after: str, limit: int) -> Iterator[str]:
    """The endpoints that deliveries are held for: one step in the index for each."""
    for _ in range(limit):
        row = connection.execute(HELD_ENDPOINT, (after,)).fetchone()
        if row is None:
            return
        (after,) = row
        yield after


def _take(connection: sqlite3.Connection, delivery_ids: Iterable[int], room: Room, lease_ms: int) -> list[Claimed]:
    claimed: list[Claimed] = []
    left = room.bytes
    for delivery_id in delivery_ids:
        if len(claimed) >= room.deliveries or left <= 0:
            break
        one = _leased(connection.execute(ONE, (delivery_id,)).fetchone(), lease_ms)
        left -= len(one.event.original.body)
        claimed.append(one)
    leases = [(lease_ms, one.delivery.uncertain, one.delivery.claim, one.delivery.id) for one in claimed]
    connection.executemany(LEASE, leases)
    return claimed


def _leased(row: rows.Row, lease_ms: int) -> Claimed:
    delivery = rows.delivery_of(row[EVENT_END:])
    # A lease that ended tells of an attempt whose end nobody saw.
    uncertain = delivery.uncertain or row[0] == "sending"
    delivery = replace(delivery, uncertain=uncertain, claim=delivery.claim + 1)
    return Claimed(delivery, rows.event_of(row[1:EVENT_END]), lease_ms)
