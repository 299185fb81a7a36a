"""Deliveries in SQLite: claimed, judged, released."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from gateway.clock import Steps
from gateway.events import Attempt, Delivery, Verdict
from gateway.ids import ms_of
from gateway.store.base import Claimed, Room
from gateway.store.sqlite import claims
from gateway.store.sqlite.engine import Engine
from gateway.store.sqlite.order import let_next_go

ADD_DELIVERY = (
    "INSERT INTO deliveries"
    " (id, event_id, channel, endpoint, form, subscriptions, workflow, partner_id, state, next_ms, number, order_key,"
    " blocked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# Numbered here: when a lease ended during an attempt, two attempts take themselves for the same one.
ADD_ATTEMPT = (
    "INSERT INTO attempts SELECT ?1, COALESCE(MAX(number), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7"
    " FROM attempts WHERE delivery_id = ?1"
)
# The verdict of a lease that another attempt has taken over counts only if it is that the notification was delivered.
RECORD = (
    "UPDATE deliveries SET state = ?1, attempts = attempts + 1, uncertain = ?2, next_ms = ?3, remote_id = ?4,"
    " ended_ms = ?5 WHERE id = ?6 AND ((state = 'sending' AND claim = ?7)"
    " OR (?1 = 'delivered' AND state IN ('pending', 'sending', 'dead')))"
)
RELEASE = "UPDATE deliveries SET state = ?, next_ms = ? WHERE id = ? AND state = 'sending' AND claim = ?"
GIVE_UP = "UPDATE deliveries SET state = 'dead', ended_ms = ? WHERE id = ?"
OLD = (
    "SELECT id FROM deliveries WHERE state = 'held' AND blocked = 0 AND endpoint = ?1 AND id < ?2"
    " AND (replays = 0 OR next_ms < ?3) ORDER BY id LIMIT 500"
)
SET_BACK = (
    "UPDATE deliveries SET next_ms = next_ms - ? WHERE state IN ('pending', 'sending')",
    "UPDATE endpoints SET probe_ms = probe_ms - ?",
)
WITH_REMOTE_ID = "SELECT id FROM deliveries WHERE remote_id = ? AND remote_id <> ''"


class Deliveries(Engine):
    """Keeps deliveries."""

    def __init__(self, path: Path, max_waiting: int = 10_000) -> None:
        super().__init__(path, max_waiting)
        self._steps = Steps()

    async def claim(self, room: Room, now_ms: int, lease_ms: int, full: Collection[str] = ()) -> list[Claimed]:
        if back_ms := self._steps.back_ms():
            await self._write(lambda connection: set_back(connection, back_ms))
        return await self._write(lambda connection: claims.claim_due(connection, room, now_ms, lease_ms, full))

    async def claim_held(self, endpoint: str, room: Room, lease_ms: int) -> list[Claimed]:
        return await self._write(lambda connection: claims.claim_held(connection, endpoint, room, lease_ms))

    async def held_endpoints(self, after: str, limit: int) -> list[str]:
        return await self._read(lambda connection: list(claims.held_endpoints(connection, after, limit)))

    async def record(self, verdict: Verdict) -> None:
        await self._write(lambda connection: _record(connection, verdict))

    async def release(self, held: Sequence[Delivery], now_ms: int, *, hold: bool = False) -> None:
        values = [("held" if hold else "pending", now_ms, one.id, one.claim) for one in held]
        await self._write(lambda connection: connection.executemany(RELEASE, values))

    async def give_up_held(self, endpoint: str, before_id: int, now_ms: int, why: str) -> int:
        return await self._write(lambda connection: _give_up(connection, (endpoint, before_id), now_ms, why))

    async def delivery_with_remote_id(self, remote_id: str) -> int | None:
        row = await self._read(lambda connection: connection.execute(WITH_REMOTE_ID, (remote_id,)).fetchone())
        return row[0] if row else None


def set_back(connection: sqlite3.Connection, back_ms: int) -> None:
    """The clock was set back by so much: what is due later would be late by as much."""
    for statement in SET_BACK:
        connection.execute(statement, (back_ms,))


def add_attempt(connection: sqlite3.Connection, attempt: Attempt) -> None:
    """Keep an attempt, under the next number of its delivery."""
    values = (
        attempt.delivery_id, attempt.started_ms, attempt.duration_ms, attempt.outcome, attempt.status, attempt.detail,
        attempt.answer,
    )  # fmt: skip
    connection.execute(ADD_ATTEMPT, values)


def _record(connection: sqlite3.Connection, verdict: Verdict) -> None:
    attempt, ended = verdict.attempt, verdict.state in {"delivered", "dead"}
    ended_ms = attempt.started_ms + attempt.duration_ms if ended else None
    values = (
        verdict.state, verdict.uncertain, verdict.next_ms, verdict.remote_id, ended_ms, attempt.delivery_id,
        verdict.claim,
    )  # fmt: skip
    connection.execute(RECORD, values)
    add_attempt(connection, attempt)
    if ended and verdict.in_order:
        let_next_go(connection, attempt.delivery_id, attempt.started_ms)


def _give_up(connection: sqlite3.Connection, held: tuple[str, int], now_ms: int, why: str) -> int:
    found = connection.execute(OLD, (*held, ms_of(held[1]))).fetchall()
    for (delivery_id,) in found:
        connection.execute(GIVE_UP, (now_ms, delivery_id))
        add_attempt(connection, Attempt(delivery_id, 0, now_ms, 0, "given up", None, why))
        let_next_go(connection, delivery_id, now_ms)
    return len(found)
