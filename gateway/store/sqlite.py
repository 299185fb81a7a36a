"""The embedded store: SQLite in WAL mode, every commit on disk before it is answered, one process at a time."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TypeVar

from gateway.clock import now_ms
from gateway.errors import ConfigurationError, Unavailable
from gateway.events import Event, Verdict
from gateway.ids import INSTANCE_BITS
from gateway.store import migrations, rows
from gateway.store.base import Acceptance, Claimed, EventTrace, InboxMessage
from gateway.store.group import GroupWriter
from gateway.store.reader import SqliteReader
from gateway.subscriptions.subscription import Subscription

T = TypeVar("T")

# Bodies are 4 to 20 KB: pages of 16 KB would stay half empty, pages of 4 KB chain several.
PRAGMAS = (
    "PRAGMA page_size = 8192",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = OFF",  # every writer is in this folder, and the checks cost a look-up a row
    "PRAGMA busy_timeout = 5000",
)

ADD_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ADD_ORIGINAL = "INSERT INTO originals VALUES (?, ?, ?, ?)"
ADD_DELIVERY = (
    "INSERT INTO deliveries"
    " (id, event_id, channel, endpoint, form, subscriptions, workflow, partner_id, state, next_ms)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# OR IGNORE: when a lease ended during an attempt, two attempts bear one number, and the first to end is kept.
ADD_ATTEMPT = "INSERT OR IGNORE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?)"
ADD_SUBSCRIPTION = (
    f"INSERT INTO subscriptions ({rows.SUBSCRIPTION})"  # noqa: S608  # our own column names
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
DELETE_SUBSCRIPTION = "UPDATE subscriptions SET deleted_ms = ? WHERE id = ? AND deleted_ms IS NULL"
# INSERT OR IGNORE: MESH repeats a message until it is acknowledged.
ADD_INBOX = "INSERT OR IGNORE INTO mesh_inbox VALUES (?, ?, ?, ?, ?, ?, ?)"
DUE = (
    f"SELECT {rows.DELIVERY}, d.state, {rows.EVENT} FROM deliveries d"  # noqa: S608
    " JOIN events e ON e.id = d.event_id JOIN originals o ON o.event_id = e.id"
    " WHERE d.state IN ('pending', 'sending') AND d.next_ms <= ? ORDER BY d.next_ms LIMIT ?"
)
LEASE = "UPDATE deliveries SET state = 'sending', next_ms = ?, uncertain = ? WHERE id = ?"
# An attempt that outlived its lease must not undo what a later one achieved.
RECORD = (
    "UPDATE deliveries SET state = ?1, attempts = ?2, uncertain = ?3, next_ms = ?4, remote_id = ?5, ended_ms = ?6"
    " WHERE id = ?7 AND state = 'sending' AND attempts < ?2"
)
RELEASE = "UPDATE deliveries SET state = 'pending', next_ms = ? WHERE id = ? AND state = 'sending'"
RELEASE_ALL = "UPDATE deliveries SET next_ms = ? WHERE state = 'sending'"
REPORT = "UPDATE deliveries SET state = 'dead', attempts = attempts + 1, ended_ms = ? WHERE id = ? RETURNING attempts"


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
        self._lock = _lock(self._path)
        try:
            self._connection = _connect(self._path)
            migrate(self._connection)
            self._instance = _instance(self._connection)
            # We hold the lock, so whoever claimed these is gone: their leases end now.
            self._connection.execute(RELEASE_ALL, (now_ms(),))
        except sqlite3.Error as error:
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
            missing = await self._read(SqliteReader.missing_migrations)
        except sqlite3.Error as error:
            return {"store": type(error).__name__, "migrations": "unknown"}
        return {"store": "ok", "migrations": f"missing: {', '.join(missing)}" if missing else "ok"}

    async def accept(self, acceptance: Acceptance) -> None:
        if self._writer.crowded:
            raise Unavailable("too many events wait to be stored")
        await self._writer.submit(lambda connection: _accept(connection, acceptance))

    async def claim(self, limit: int, now_ms: int, lease_ms: int) -> list[Claimed]:
        return await self._writer.submit(lambda connection: _claim(connection, limit, now_ms, lease_ms))

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


def migrate(connection: sqlite3.Connection) -> list[migrations.Migration]:
    """Bring the schema up to this release."""
    return migrations.migrate(connection, now_ms())


def migrate_file(path: Path) -> list[migrations.Migration]:
    """Bring the database at `path` up to this release, making it if it is missing; what was applied.

    Raises:
        ConfigurationError: another process has it open, or it is no database.
    """
    with contextlib.closing(_lock(path)):
        try:
            with contextlib.closing(_connect(path)) as connection:
                return migrate(connection)
        except sqlite3.Error as error:
            raise ConfigurationError(f"store {path}: {error}") from None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    for pragma in PRAGMAS:
        connection.execute(pragma)
    return connection


def _lock(path: Path) -> IO[bytes]:
    """Two processes writing one SQLite file would wait for each other up to a second at a time; so there is one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".lock").open("ab")
    except OSError as error:
        raise ConfigurationError(f"store {path}: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise ConfigurationError(
            f"store {path}: another gateway has it open; stop it, or set GATEWAY_STORE__URL"
        ) from None
    return lock


def _instance(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT number FROM instance").fetchone()
    if row:
        return int(row[0])
    number = secrets.randbits(INSTANCE_BITS)
    connection.execute("INSERT INTO instance VALUES (?)", (number,))
    return number


def _accept(connection: sqlite3.Connection, acceptance: Acceptance) -> None:
    event = acceptance.event
    original = event.original
    connection.execute(ADD_EVENT, rows.event_row(event))
    connection.execute(ADD_ORIGINAL, (event.row_id, original.form, original.media_type, original.body))
    state, next_ms = ("sending", acceptance.lease_ms) if acceptance.lease_ms else ("pending", event.received_ms)
    for delivery in acceptance.deliveries:
        connection.execute(ADD_DELIVERY, rows.delivery_row(delivery, state, next_ms))
    if acceptance.inbox:
        connection.execute(ADD_INBOX, rows.inbox_row(acceptance.inbox, event.row_id))


def _claim(connection: sqlite3.Connection, limit: int, now_ms: int, lease_ms: int) -> list[Claimed]:
    claimed, leases = [], []
    for row in connection.execute(DUE, (now_ms, limit)).fetchall():
        # A lease that ended tells of an attempt whose end nobody saw.
        columns = (*row[:9], row[9] or row[10] == "sending")
        claimed.append(Claimed(rows.delivery_of(columns), rows.event_of(row[11:]), lease_ms))
        leases.append((lease_ms, columns[9], row[0]))
    connection.executemany(LEASE, leases)
    return claimed


def _record(connection: sqlite3.Connection, verdict: Verdict) -> None:
    attempt, ended = verdict.attempt, verdict.state in {"delivered", "dead"}
    ended_ms = attempt.started_ms + attempt.duration_ms if ended else None
    connection.execute(
        RECORD,
        (
            verdict.state, attempt.number, verdict.uncertain, verdict.next_ms, verdict.remote_id, ended_ms,
            attempt.delivery_id,
        ),
    )  # fmt: skip
    connection.execute(
        ADD_ATTEMPT,
        (
            attempt.delivery_id, attempt.number, attempt.started_ms, attempt.duration_ms, attempt.outcome,
            attempt.status, attempt.detail,
        ),
    )  # fmt: skip


def _report(connection: sqlite3.Connection, message: InboxMessage, delivery_id: int) -> None:
    if connection.execute(ADD_INBOX, rows.inbox_row(message)).rowcount == 0:
        return
    row = connection.execute(REPORT, (message.received_ms, delivery_id)).fetchone()
    if row:
        attempt = (delivery_id, row[0], message.received_ms, 0, "reported", None, message.reason)
        connection.execute(ADD_ATTEMPT, attempt)
