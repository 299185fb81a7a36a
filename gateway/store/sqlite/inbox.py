"""The messages of the own mailbox, in SQLite."""

from __future__ import annotations

import sqlite3

from gateway.events import Attempt
from gateway.store import rows
from gateway.store.base import InboxMessage
from gateway.store.sqlite.deliveries import add_attempt
from gateway.store.sqlite.engine import Engine

# INSERT OR IGNORE: MESH repeats a message until it is acknowledged.
ADD_INBOX = "INSERT OR IGNORE INTO mesh_inbox VALUES (?, ?, ?, ?, ?, ?, ?)"
ONE = f"SELECT {rows.INBOX} FROM mesh_inbox WHERE message_id = ?"  # noqa: S608  # our own column names
REPORT = "UPDATE deliveries SET state = 'dead', attempts = attempts + 1, ended_ms = ? WHERE id = ?"


class Inbox(Engine):
    """Remembers the messages of the own mailbox."""

    async def inbox(self, message_id: str) -> InboxMessage | None:
        return await self._read(lambda connection: message(connection, message_id))

    async def add_to_inbox(self, message: InboxMessage) -> None:
        await self._write(lambda connection: connection.execute(ADD_INBOX, rows.inbox_row(message)))

    async def add_report(self, message: InboxMessage, delivery_id: int) -> None:
        await self._write(lambda connection: _report(connection, message, delivery_id))


def message(connection: sqlite3.Connection, message_id: str) -> InboxMessage | None:
    """What became of a message of the own mailbox."""
    row = connection.execute(ONE, (message_id,)).fetchone()
    return rows.inbox_of(row) if row else None


def _report(connection: sqlite3.Connection, message: InboxMessage, delivery_id: int) -> None:
    if connection.execute(ADD_INBOX, rows.inbox_row(message)).rowcount == 0:
        return
    if connection.execute(REPORT, (message.received_ms, delivery_id)).rowcount:
        add_attempt(connection, Attempt(delivery_id, 0, message.received_ms, 0, "reported", None, message.reason))
