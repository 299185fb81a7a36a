"""Subscriptions at other servers, in SQLite."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from gateway.store.base.upstreams import Heard, Upstream, beginning, missing_numbers
from gateway.store.sqlite.engine import Engine

KNOWN = "SELECT events, complete FROM upstreams WHERE reference = ?"
KEEP = (
    "INSERT INTO upstreams VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (reference) DO UPDATE SET"
    " application = excluded.application, topic = COALESCE(NULLIF(excluded.topic, ''), topic), kind = excluded.kind,"
    " state = excluded.state, events = excluded.events, complete = excluded.complete, heard_ms = excluded.heard_ms"
)
EXPECT = (
    "INSERT INTO upstreams (reference, application, topic, kind, state, events, complete, heard_ms)"
    " VALUES (?, ?, ?, '', 'requested', 0, 0, ?) ON CONFLICT (reference) DO UPDATE SET topic = excluded.topic"
)
TAKE = "INSERT OR IGNORE INTO upstream_numbers VALUES (?, ?)"
# The number before the first one that is missing.
COMPLETE = (
    "SELECT MIN(number) - 1 FROM"
    " (SELECT ?2 + 1 AS number UNION ALL SELECT number + 1 FROM upstream_numbers WHERE reference = ?1 AND number > ?2)"
    " WHERE number NOT IN (SELECT number FROM upstream_numbers WHERE reference = ?1)"
)
SET_COMPLETE = "UPDATE upstreams SET complete = ? WHERE reference = ?"
FORGET = "DELETE FROM upstream_numbers WHERE reference = ? AND number <= ?"
ALL = "SELECT reference, application, topic, kind, state, events, heard_ms, complete FROM upstreams ORDER BY reference"
TAKEN = "SELECT number FROM upstream_numbers WHERE reference = ?"


class Upstreams(Engine):
    """Keeps how they are, and which of their events were taken in."""

    async def hear(self, heard: Heard) -> None:
        await self._write(lambda connection: _hear(connection, heard))

    async def expect(self, reference: str, application: str, topic: str, now_ms: int) -> None:
        await self._write(lambda connection: connection.execute(EXPECT, (reference, application, topic, now_ms)))

    async def upstreams(self, missing: int) -> list[Upstream]:
        return await self._read(lambda connection: _all(connection, missing))


def _hear(connection: sqlite3.Connection, heard: Heard) -> None:
    reference = heard.reference
    events, complete = beginning(heard, connection.execute(KNOWN, (reference,)).fetchone())
    row = (reference, heard.application, heard.topic, heard.kind, heard.state, events, complete, heard.heard_ms)
    connection.execute(KEEP, row)
    connection.executemany(TAKE, [(reference, number) for number in heard.numbers if number > complete])
    (complete,) = connection.execute(COMPLETE, (reference, complete)).fetchone()
    connection.execute(SET_COMPLETE, (complete, reference))
    connection.execute(FORGET, (reference, complete))


def _all(connection: sqlite3.Connection, limit: int) -> list[Upstream]:
    found = []
    for *columns, complete in connection.execute(ALL).fetchall():
        taken = frozenset(number for (number,) in connection.execute(TAKEN, (columns[0],)))
        known = Upstream(*columns)
        found.append(replace(known, missing=missing_numbers(known.events, complete, taken, limit)))
    return found
