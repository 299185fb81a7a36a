"""Claims in SQLite: what is due, and what is held for an endpoint, taken under a lease."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator

from msgspec.structs import replace

from gateway.events import Delivery, Event
from gateway.remembered import EVENT_BYTES, Remembered
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
ONE = f"SELECT {rows.DELIVERY}, d.state FROM deliveries d WHERE d.id = ?"  # noqa: S608  # our own column names
ITS_EVENT = f"SELECT {EVENT} FROM events e WHERE e.id = ?"  # noqa: S608
LEASE = "UPDATE deliveries SET state = 'sending', next_ms = ?, uncertain = ?, claim = ? WHERE id = ?"
HELD_ENDPOINT = (
    "SELECT endpoint FROM deliveries WHERE state = 'held' AND blocked = 0 AND endpoint > ? ORDER BY endpoint LIMIT 1"
)


def claim_due(
    connection: sqlite3.Connection,
    room: Room,
    now_ms: int,
    lease_ms: int,
    full: Collection[str],
    events: Remembered[int, Event],
) -> list[Claimed]:
    """Take what is due, and hold what is due for the endpoints in `full`; `events` are those read lately."""
    for _ in range(_LOOKS):
        found = connection.execute(DUE, (now_ms, _LOOK)).fetchall()
        connection.executemany(HOLD, [(identity,) for identity, endpoint in found if endpoint in full])
        left = [identity for identity, endpoint in found if endpoint not in full]
        if left or len(found) < _LOOK:
            return _take(connection, left, room, lease_ms, events)
    return []


def claim_held(
    connection: sqlite3.Connection, endpoint: str, room: Room, lease_ms: int, events: Remembered[int, Event]
) -> list[Claimed]:
    """Take what is held for `endpoint`; `events` are those read lately."""
    found = connection.execute(HELD, (endpoint, room.deliveries)).fetchall()
    return _take(connection, [identity for (identity,) in found], room, lease_ms, events)


def held_endpoints(connection: sqlite3.Connection, after: str, limit: int) -> Iterator[str]:
    """The endpoints that deliveries are held for: one step in the index for each."""
    for _ in range(limit):
        row = connection.execute(HELD_ENDPOINT, (after,)).fetchone()
        if row is None:
            return
        (after,) = row
        yield after


def _take(
    connection: sqlite3.Connection,
    delivery_ids: Iterable[int],
    room: Room,
    lease_ms: int,
    events: Remembered[int, Event],
) -> list[Claimed]:
    claimed: list[Claimed] = []
    left = room.bytes
    for delivery_id in delivery_ids:
        if len(claimed) >= room.deliveries or left <= 0:
            break
        delivery = _leased(connection.execute(ONE, (delivery_id,)).fetchone())
        event = _event(connection, delivery.event_id, events)
        left -= len(event.original.body)
        claimed.append(Claimed(delivery, event, lease_ms))
    leases = [(lease_ms, one.delivery.uncertain, one.delivery.claim, one.delivery.id) for one in claimed]
    connection.executemany(LEASE, leases)
    return claimed


def _leased(row: rows.Row) -> Delivery:
    *columns, state = row
    delivery = rows.delivery_of(tuple(columns))
    # A lease that ended tells of an attempt whose end nobody saw.
    return replace(delivery, uncertain=delivery.uncertain or state == "sending", claim=delivery.claim + 1)


def _event(connection: sqlite3.Connection, event_id: int, events: Remembered[int, Event]) -> Event:
    """The event; deliveries of one event are often claimed soon after one another."""
    if known := events.get(event_id):
        return known
    event = rows.event_of(connection.execute(ITS_EVENT, (event_id,)).fetchone())
    if len(event.original.body) <= EVENT_BYTES:
        events.keep(event_id, event)
    return event
