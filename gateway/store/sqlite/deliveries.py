"""Deliveries in SQLite: claimed, judged, released."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gateway.events import Attempt, Delivery, Verdict
from gateway.store import rows
from gateway.store.base import Claimed
from gateway.store.sqlite.engine import Engine

ADD_DELIVERY = (
    "INSERT INTO deliveries"
    " (id, event_id, channel, endpoint, form, subscriptions, workflow, partner_id, state, next_ms, number)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# Numbered here: when a lease ended during an attempt, two attempts take themselves for the same one.
ADD_ATTEMPT = (
    "INSERT INTO attempts SELECT ?1, COALESCE(MAX(number), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7"
    " FROM attempts WHERE delivery_id = ?1"
)
# The unary plus keeps SQLite on the index of what is due.
DUE = (
    f"SELECT {rows.DELIVERY}, d.state, {rows.EVENT} FROM deliveries d"  # noqa: S608  # our own column names
    " JOIN events e ON e.id = d.event_id JOIN originals o ON o.event_id = e.id"
    " WHERE d.state IN ('pending', 'sending') AND d.next_ms <= ?"
    " AND +d.endpoint NOT IN (SELECT value FROM json_each(?)) ORDER BY d.next_ms LIMIT ?"
)
LEASE = "UPDATE deliveries SET state = 'sending', next_ms = ?, uncertain = ?, claim = ? WHERE id = ?"
# The verdict of a lease that another attempt has taken over counts only if it is that the notification was delivered.
RECORD = (
    "UPDATE deliveries SET state = ?1, attempts = attempts + 1, uncertain = ?2, next_ms = ?3, remote_id = ?4,"
    " ended_ms = ?5 WHERE id = ?6 AND ((state = 'sending' AND claim = ?7)"
    " OR (?1 = 'delivered' AND state IN ('pending', 'sending', 'dead')))"
)
RELEASE = "UPDATE deliveries SET state = 'pending', next_ms = ? WHERE id = ? AND state = 'sending' AND claim = ?"
WITH_REMOTE_ID = "SELECT id FROM deliveries WHERE remote_id = ? AND remote_id <> ''"


class Deliveries(Engine):
    """Keeps deliveries."""

    async def claim(self, limit: int, now_ms: int, lease_ms: int, full: Sequence[str] = ()) -> list[Claimed]:
        values = (now_ms, rows.json_text(full), limit)
        return await self._write(lambda connection: _claim(connection, values, lease_ms))

    async def record(self, verdict: Verdict) -> None:
        await self._write(lambda connection: _record(connection, verdict))

    async def release(self, held: Sequence[Delivery], now_ms: int) -> None:
        values = [(now_ms, one.id, one.claim) for one in held]
        await self._write(lambda connection: connection.executemany(RELEASE, values))

    async def delivery_with_remote_id(self, remote_id: str) -> int | None:
        row = await self._read(lambda connection: connection.execute(WITH_REMOTE_ID, (remote_id,)).fetchone())
        return row[0] if row else None


def add_attempt(connection: sqlite3.Connection, attempt: Attempt) -> None:
    """Keep an attempt, under the next number of its delivery."""
    values = (
        attempt.delivery_id, attempt.started_ms, attempt.duration_ms, attempt.outcome, attempt.status, attempt.detail,
        attempt.answer,
    )  # fmt: skip
    connection.execute(ADD_ATTEMPT, values)


def _claim(connection: sqlite3.Connection, values: tuple[object, ...], lease_ms: int) -> list[Claimed]:
    claimed, leases = [], []
    for row in connection.execute(DUE, values).fetchall():
        *columns, uncertain, claim, number, state = row[:13]
        # A lease that ended tells of an attempt whose end nobody saw.
        uncertain = uncertain or state == "sending"
        delivery = rows.delivery_of((*columns, uncertain, claim + 1, number))
        claimed.append(Claimed(delivery, rows.event_of(row[13:]), lease_ms))
        leases.append((lease_ms, uncertain, claim + 1, delivery.id))
    connection.executemany(LEASE, leases)
    return claimed


def _record(connection: sqlite3.Connection, verdict: Verdict) -> None:
    attempt, ended = verdict.attempt, verdict.state in {"delivered", "dead"}
    ended_ms = attempt.started_ms + attempt.duration_ms if ended else None
    values = (
        verdict.state, verdict.uncertain, verdict.next_ms, verdict.remote_id, ended_ms, attempt.delivery_id,
        verdict.claim,
    )  # fmt: skip
    connection.execute(RECORD, values)
    add_attempt(connection, attempt)
