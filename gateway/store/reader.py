"""Reads a SQLite store: for the store itself, and for the command line while a gateway runs."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.events import Attempt, Event
from gateway.store import migrations, rows
from gateway.store.base import DeliveryTrace, EventTrace, InboxMessage
from gateway.subscriptions.subscription import Subscription


class SqliteReader:
    """A connection that only reads; of one thread at a time.

    Raises:
        ConfigurationError: there is no database at `path`, or it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ConfigurationError(
                f"{path}: there is no such database; start `gateway serve` first, or set GATEWAY_STORE__URL"
            )
        try:
            self._connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)
            missing = self.missing_migrations()
        except sqlite3.Error as error:
            raise ConfigurationError(f"{path}: not a database of the gateway ({error})") from None
        if missing:
            raise ConfigurationError(
                f"{path}: run `gateway migrate` first; migrations are missing: {', '.join(missing)}"
            )

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def missing_migrations(self) -> list[str]:
        """The migrations of this release that the database has not had."""
        done = {number for (number,) in self._connection.execute("SELECT number FROM migrations")}
        return [migration.name for migration in migrations.available() if migration.number not in done]

    def subscriptions(self) -> list[Subscription]:
        """All that are not deleted, in the order they were made."""
        sql = f"SELECT {rows.SUBSCRIPTION} FROM subscriptions WHERE deleted_ms IS NULL ORDER BY created_ms, id"  # noqa: S608  # our own column names
        return [rows.subscription_of(row) for row in self._connection.execute(sql)]

    def subscription(self, subscription_id: str) -> Subscription | None:
        """One, deleted or not."""
        sql = f"SELECT {rows.SUBSCRIPTION} FROM subscriptions WHERE id = ?"  # noqa: S608
        row = self._connection.execute(sql, (subscription_id,)).fetchone()
        return rows.subscription_of(row) if row else None

    def events(self, limit: int) -> list[Event]:
        """The newest events, newest first."""
        sql = f"SELECT {rows.EVENT} FROM events e JOIN originals o ON o.event_id = e.id ORDER BY e.id DESC LIMIT ?"  # noqa: S608
        return [rows.event_of(row) for row in self._connection.execute(sql, (limit,))]

    def trace(self, row_id: int) -> EventTrace | None:
        """An event and where its deliveries stand."""
        sql = f"SELECT {rows.EVENT} FROM events e JOIN originals o ON o.event_id = e.id WHERE e.id = ?"  # noqa: S608
        row = self._connection.execute(sql, (row_id,)).fetchone()
        return EventTrace(rows.event_of(row), self._deliveries(row_id)) if row else None

    def inbox(self, message_id: str) -> InboxMessage | None:
        """What became of a message of the own mailbox."""
        sql = f"SELECT {rows.INBOX} FROM mesh_inbox WHERE message_id = ?"  # noqa: S608
        row = self._connection.execute(sql, (message_id,)).fetchone()
        return rows.inbox_of(row) if row else None

    def delivery_with_remote_id(self, remote_id: str) -> int | None:
        """The delivery that MESH gave that message id."""
        sql = "SELECT id FROM deliveries WHERE remote_id = ? AND remote_id <> ''"
        row = self._connection.execute(sql, (remote_id,)).fetchone()
        return row[0] if row else None

    def _deliveries(self, event_id: int) -> tuple[DeliveryTrace, ...]:
        attempts = self._attempts(event_id)
        sql = f"SELECT {rows.DELIVERY}, d.state, d.next_ms, d.remote_id, d.ended_ms FROM deliveries d WHERE d.event_id = ? ORDER BY d.id"  # noqa: S608, E501
        found = []
        for *columns, state, next_ms, remote_id, ended_ms in self._connection.execute(sql, (event_id,)):
            delivery = rows.delivery_of(tuple(columns))
            found.append(DeliveryTrace(delivery, state, next_ms, remote_id, ended_ms, tuple(attempts[delivery.id])))
        return tuple(found)

    def _attempts(self, event_id: int) -> dict[int, list[Attempt]]:
        sql = f"SELECT {rows.ATTEMPT} FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE event_id = ?) ORDER BY delivery_id, number"  # noqa: S608, E501
        found: dict[int, list[Attempt]] = defaultdict(list)
        for row in self._connection.execute(sql, (event_id,)):
            attempt = rows.attempt_of(row)
            found[attempt.delivery_id].append(attempt)
        return found
