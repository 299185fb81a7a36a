"""Deliveries in order, in SQLite: of one endpoint and key all but one are held, and blocked by that one."""

from __future__ import annotations

import sqlite3

from gateway.events import Delivery

_NOT_ENDED = "endpoint = ? AND order_key = ? AND order_key <> '' AND state IN ('pending', 'sending', 'held')"
BEFORE = f"SELECT 1 FROM deliveries WHERE {_NOT_ENDED} LIMIT 1"  # noqa: S608  # our own words
FIRST = f"SELECT id, blocked FROM deliveries WHERE {_NOT_ENDED} ORDER BY blocked, id LIMIT 1"  # noqa: S608
UNBLOCK = "UPDATE deliveries SET state = 'pending', blocked = 0, next_ms = ? WHERE id = ?"
KEY = "SELECT endpoint, order_key FROM deliveries WHERE id = ?"


def must_wait(connection: sqlite3.Connection, delivery: Delivery, ahead: set[tuple[str, str]]) -> bool:
    """Whether a delivery that is about to be added has one before it; `ahead` are the endpoints and keys of those that
    are about to be added before it, to which its own are added.
    """
    if not delivery.order_key:
        return False
    key = delivery.endpoint, delivery.order_key
    if key in ahead:
        return True
    ahead.add(key)
    return connection.execute(BEFORE, key).fetchone() is not None


def let_next_go(connection: sqlite3.Connection, delivery_id: int, now_ms: int) -> None:
    """A delivery has ended: if it was in order, the earliest of those that wait for it is due."""
    key = connection.execute(KEY, (delivery_id,)).fetchone()
    found = connection.execute(FIRST, key).fetchone() if key and key[1] else None
    if found and found[1]:
        connection.execute(UNBLOCK, (now_ms, found[0]))
