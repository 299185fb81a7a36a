"""Deliveries in SQLite: claimed, judged, released."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from gateway.clock import Steps
from gateway.events import NUMBERED, Attempt, Delivery, Event, Verdict
from gateway.ids import ms_of
from gateway.remembered import EVENTS, Remembered
from gateway.store import rows
from gateway.store.base import Acceptance, Claimed, Room, begins
from gateway.store.sqlite import claims
from gateway.store.sqlite.engine import Engine
from gateway.store.sqlite.numbers import next_number
from gateway.store.sqlite.order import let_next_go, must_wait

_ENDED = frozenset({"delivered", "dead"})

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
        self._events: Remembered[int, Event] = Remembered(EVENTS)

    async def claim(self, room: Room, now_ms: int, lease_ms: int, full: Collection[str] = ()) -> list[Claimed]:
        if back_ms := self._steps.back_ms():
            await self._write(lambda connection: set_back(connection, back_ms))
        return await self._write(
            lambda connection: claims.claim_due(connection, room, now_ms, lease_ms, full, self._events)
        )

    async def claim_held(self, endpoint: str, room: Room, lease_ms: int) -> list[Claimed]:
        return await self._write(
            lambda connection: claims.claim_held(connection, endpoint, room, lease_ms, self._events)
        )

    async def held_endpoints(self, after: str, limit: int) -> list[str]:
        return await self._read(lambda connection: list(claims.held_endpoints(connection, after, limit)))

    def record(self, verdict: Verdict) -> asyncio.Future[None]:
        return self._write_item(_record_all, verdict)

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


def add_deliveries(connection: sqlite3.Connection, new: Sequence[Acceptance]) -> dict[int, int]:
    """Add the deliveries of new events; the numbers of their events in subscriptions, by the ids of deliveries."""
    added = [(acceptance, one) for acceptance in new for one in acceptance.deliveries]
    if not added:
        return {}
    numbered = [one for _, one in added if one.form in NUMBERED]
    asked = Counter(one.subscriptions[0] for one in numbered)
    counters = {name: itertools.count(next_number(connection, name, count)) for name, count in asked.items()}
    numbers = {one.id: next(counters[one.subscriptions[0]]) for one in numbered}
    ahead: set[tuple[str, str]] = set()
    values = []
    for acceptance, one in added:
        blocked = must_wait(connection, one, ahead)
        state, next_ms = begins(acceptance, one, blocked=blocked)
        values.append(rows.delivery_row(one, state, next_ms, numbers.get(one.id, 0), blocked=blocked))
    connection.executemany(ADD_DELIVERY, values)
    return numbers


def add_attempt(connection: sqlite3.Connection, attempt: Attempt) -> None:
    """Keep an attempt, under the next number of its delivery."""
    connection.execute(ADD_ATTEMPT, _attempt_row(attempt))


def _attempt_row(attempt: Attempt) -> rows.Row:
    return (
        attempt.delivery_id, attempt.started_ms, attempt.duration_ms, attempt.outcome, attempt.status, attempt.detail,
        attempt.answer,
    )  # fmt: skip


def _record_all(connection: sqlite3.Connection, verdicts: Sequence[Verdict]) -> list[None]:
    connection.executemany(RECORD, map(_verdict_row, verdicts))
    connection.executemany(ADD_ATTEMPT, [_attempt_row(verdict.attempt) for verdict in verdicts])
    for verdict in verdicts:
        if verdict.in_order and verdict.state in _ENDED:
            let_next_go(connection, verdict.attempt.delivery_id, verdict.attempt.started_ms)
    return [None] * len(verdicts)


def _verdict_row(verdict: Verdict) -> rows.Row:
    attempt = verdict.attempt
    ended_ms = attempt.started_ms + attempt.duration_ms if verdict.state in _ENDED else None
    return (
        verdict.state, verdict.uncertain, verdict.next_ms, verdict.remote_id, ended_ms, attempt.delivery_id,
        verdict.claim,
    )  # fmt: skip


def _give_up(connection: sqlite3.Connection, held: tuple[str, int], now_ms: int, why: str) -> int:
    found = connection.execute(OLD, (*held, ms_of(held[1]))).fetchall()
    for (delivery_id,) in found:
        connection.execute(GIVE_UP, (now_ms, delivery_id))
        add_attempt(connection, Attempt(delivery_id, 0, now_ms, 0, "given up", None, why))
        let_next_go(connection, delivery_id, now_ms)
    return len(found)
