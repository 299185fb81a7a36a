"""The embedded store: SQLite in WAL mode, every commit on disk before it is answered, one process at a time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gateway.clock import now_ms
from gateway.errors import ConfigurationError, Unavailable
from gateway.events import Attempt, Event, Verdict
from gateway.store import database, migrations, rows
from gateway.store.base import Acceptance, Claimed, EventTrace, InboxMessage
from gateway.store.group import GroupWriter
from gateway.store.reader import SqliteReader
from gateway.subscriptions.subscription import Subscription

T = TypeVar("T")

ADD_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ADD_ORIGINAL = "INSERT INTO originals VALUES (?, ?, ?, ?)"
ADD_DELIVERY = (
    "INSERT INTO deliveries"
    " (id, event_id, channel, endpoint, form, subscriptions, workflow, partner_id, state, next_ms)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# Numbered here: when a lease ended during an attempt, two attempts take themselves for the same one.
ADD_ATTEMPT = (
    "INSERT INTO attempts SELECT ?1, COALESCE(MAX(number), 0) + 1, ?2, ?3, ?4, ?5, ?6"
    " FROM attempts WHERE delivery_id = ?1"
)
ADD_SUBSCRIPTION = (
    f"INSERT INTO subscriptions ({rows.SUBSCRIPTION})"  # noqa: S608  # our own column names
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
DELETE_SUBSCRIPTION = "UPDATE subscriptions SET deleted_ms = ? WHERE id = ? AND deleted_ms IS NULL"
# INSERT OR IGNORE: MESH repeats a message until it is acknowledged.
ADD_INBOX = "INSERT OR IGNORE INTO mesh_inbox VALUES (?, ?, ?, ?, ?, ?, ?)"
# The unary plus keeps SQLite on the index of what is due.
DUE = (
    f"SELECT {rows.DELIVERY}, d.state, {rows.EVENT} FROM deliveries d"  # noqa: S608
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
RELEASE = "UPDATE deliveries SET state = 'pending', next_ms = ? WHERE id = ? AND state = 'sending'"
RELEASE_ALL = "UPDATE deliveries SET next_ms = ? WHERE state = 'sending'"
REPORT = "UPDATE deliveries SET state = 'dead', attempts = attempts + 1, ended_ms = ? WHERE id = ?"
PROBE = "UPDATE instance SET checked_ms = ?"


class SqliteStore:
    """The Store of one process; see `gateway.store.base.Store` for what each method promises."""

    def __init__(self, path: Path, max_waiting: int = 10_000) -> None:
        self._path = path
        self._max_waiting = max_waiting
        self._instance = 0

    @property
    def instance(self) -> int:
        """The store's own number."""
        return self._instance

    async def open(self) -> None:
        """Make the file if it is missing, migrate it, and release what a dead process left claimed."""
        self._lock = database.lock(self._path)
        try:
            self._connection = database.connect(self._path)
            migrations.migrate(self._connection, now_ms())
            self._instance = database.instance(self._connection)
            # We hold the lock, so whoever claimed these is gone: their leases end now.
            self._connection.execute(RELEASE_ALL, (now_ms(),))
        except (sqlite3.Error, ConfigurationError) as error:
            self._lock.close()
            raise ConfigurationError(f"store {self._path}: {error}") from None
        self._reader = SqliteReader(self._path)
        self._read_thread = ThreadPoolExecutor(1, thread_name_prefix="read")
        self._writer = GroupWriter(self._connection, self._max_waiting)

    async def close(self) -> None:
        await self._writer.close()
        self._read_thread.shutdown()
        self._reader.close()
        self._connection.close()
        self._lock.close()

    async def check(self) -> dict[str, str]:
        try:
            # Written, not only read: a full disk still reads well.
            await self._writer.submit(lambda connection: connection.execute(PROBE, (now_ms(),)))
            missing = await self._read(SqliteReader.missing_migrations)
        except (Unavailable, sqlite3.Error) as error:
            return {"store": str(error), "migrations": "unknown"}
        return {"store": "ok", "migrations": f"missing: {', '.join(missing)}" if missing else "ok"}

    async def accept(self, acceptance: Acceptance) -> None:
        if self._writer.crowded:
            raise Unavailable("too many events wait to be stored")
        await self._writer.submit(lambda connection: _accept(connection, acceptance))

    async def claim(self, limit: int, now_ms: int, lease_ms: int, full: Sequence[str] = ()) -> list[Claimed]:
        values = (now_ms, rows.json_text(full), limit)
        return await self._writer.submit(lambda connection: _claim(connection, values, lease_ms))

    async def record(self, verdict: Verdict) -> None:
        await self._writer.submit(lambda connection: _record(connection, verdict))

    async def release(self, delivery_ids: Sequence[int], now_ms: int) -> None:
        ids = [(now_ms, delivery_id) for delivery_id in delivery_ids]
        await self._writer.submit(lambda connection: connection.executemany(RELEASE, ids))

    async def add_subscription(self, subscription: Subscription) -> None:
        row = rows.subscription_row(subscription)
        await self._writer.submit(lambda connection: connection.execute(ADD_SUBSCRIPTION, row))

    async def delete_subscription(self, subscription_id: str, now_ms: int) -> bool:
        values = (now_ms, subscription_id)
        return await self._writer.submit(
            lambda connection: connection.execute(DELETE_SUBSCRIPTION, values).rowcount > 0
        )

    async def subscriptions(self) -> list[Subscription]:
        return await self._read(SqliteReader.subscriptions)

    async def subscription(self, subscription_id: str) -> Subscription | None:
        return await self._read(lambda reader: reader.subscription(subscription_id))

    async def inbox(self, message_id: str) -> InboxMessage | None:
        return await self._read(lambda reader: reader.inbox(message_id))

    async def add_to_inbox(self, message: InboxMessage) -> None:
        await self._writer.submit(lambda connection: connection.execute(ADD_INBOX, rows.inbox_row(message)))

    async def add_report(self, message: InboxMessage, delivery_id: int) -> None:
        await self._writer.submit(lambda connection: _report(connection, message, delivery_id))

    async def delivery_with_remote_id(self, remote_id: str) -> int | None:
        return await self._read(lambda reader: reader.delivery_with_remote_id(remote_id))

    async def events(self, limit: int) -> list[Event]:
        return await self._read(lambda reader: reader.events(limit))

    async def trace(self, row_id: int) -> EventTrace | None:
        return await self._read(lambda reader: reader.trace(row_id))

    async def _read(self, question: Callable[[SqliteReader], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._read_thread, question, self._reader)


def _accept(connection: sqlite3.Connection, acceptance: Acceptance) -> None:
    event = acceptance.event
    original = event.original
    connection.execute(ADD_EVENT, rows.event_row(event))
    connection.execute(ADD_ORIGINAL, (event.row_id, original.form, original.media_type, original.body))
    for delivery in acceptance.deliveries:
        leased = delivery.id in acceptance.leased
        state, next_ms = ("sending", acceptance.lease_ms) if leased else ("pending", event.received_ms)
        connection.execute(ADD_DELIVERY, rows.delivery_row(delivery, state, next_ms))
    if acceptance.inbox:
        connection.execute(ADD_INBOX, rows.inbox_row(acceptance.inbox, event.row_id))


def _claim(connection: sqlite3.Connection, values: tuple[object, ...], lease_ms: int) -> list[Claimed]:
    claimed, leases = [], []
    for row in connection.execute(DUE, values).fetchall():
        *columns, uncertain, claim, state = row[:12]
        # A lease that ended tells of an attempt whose end nobody saw.
        uncertain = uncertain or state == "sending"
        delivery = rows.delivery_of((*columns, uncertain, claim + 1))
        claimed.append(Claimed(delivery, rows.event_of(row[12:]), lease_ms))
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
    _add_attempt(connection, attempt)


def _add_attempt(connection: sqlite3.Connection, attempt: Attempt) -> None:
    values = (
        attempt.delivery_id, attempt.started_ms, attempt.duration_ms, attempt.outcome, attempt.status, attempt.detail,
    )  # fmt: skip
    connection.execute(ADD_ATTEMPT, values)


def _report(connection: sqlite3.Connection, message: InboxMessage, delivery_id: int) -> None:
    if connection.execute(ADD_INBOX, rows.inbox_row(message)).rowcount == 0:
        return
    if connection.execute(REPORT, (message.received_ms, delivery_id)).rowcount:
        _add_attempt(connection, Attempt(delivery_id, 0, message.received_ms, 0, "reported", None, message.reason))
