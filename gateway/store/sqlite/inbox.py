"""The messages of the own mailboxes, in SQLite."""

from __future__ import annotations

import sqlite3

from gateway.events import Attempt
from gateway.store import rows
from gateway.store.base import InboxMessage
from gateway.store.sqlite.deliveries import add_attempt
from gateway.store.sqlite.engine import Engine

# MESH repeats a message until it is acknowledged: what is known of it stays, unless there was nothing to go by, or an
# operator wants it looked at again.
ADD_INBOX = (
    f"INSERT INTO mesh_inbox ({rows.INBOX}, event_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # our own column names
    " ON CONFLICT (message_id) DO UPDATE SET disposition = excluded.disposition, event_id = excluded.event_id,"
    " reason = excluded.reason, headers = excluded.headers, body = excluded.body, released_ms = NULL"
    " WHERE mesh_inbox.disposition = 'quarantine' AND (mesh_inbox.released_ms OR mesh_inbox.body IS NULL)"
)
EVENT_OF = "SELECT event_id FROM mesh_inbox WHERE message_id = ?"
ONE = f"SELECT {rows.INBOX} FROM mesh_inbox WHERE message_id = ?"  # noqa: S608
REPORT = "UPDATE deliveries SET state = 'dead', attempts = attempts + 1, ended_ms = ? WHERE id = ?"
QUARANTINE = (
    "SELECT message_id, received_ms, disposition, reason, headers, NULL, mailbox, released_ms FROM mesh_inbox"
    " WHERE disposition = 'quarantine' ORDER BY received_ms DESC LIMIT ?"
)
RELEASE_MESSAGE = "UPDATE mesh_inbox SET released_ms = ? WHERE message_id = ? AND disposition = 'quarantine'"
RELEASED = (
    f"SELECT {rows.INBOX} FROM mesh_inbox"  # noqa: S608
    " WHERE disposition = 'quarantine' AND released_ms IS NOT NULL AND body IS NOT NULL ORDER BY received_ms LIMIT ?"
)
UNREAD = "SELECT message_id FROM mesh_inbox WHERE disposition = 'quarantine' AND body IS NULL AND released_ms IS NULL"


class Inbox(Engine):
    """Remembers the messages of the own mailboxes."""

    async def inbox(self, message_id: str) -> InboxMessage | None:
        return await self._read(lambda connection: message(connection, message_id))

    async def add_to_inbox(self, message: InboxMessage) -> None:
        await self._write(lambda connection: connection.execute(ADD_INBOX, rows.inbox_row(message)))

    async def add_report(self, message: InboxMessage, delivery_id: int) -> bool:
        return await self._write(lambda connection: _report(connection, message, delivery_id))

    async def quarantine(self, limit: int) -> list[InboxMessage]:
        return await self._read(lambda connection: quarantine(connection, limit))

    async def unread(self) -> list[str]:
        found = await self._read(lambda connection: connection.execute(UNREAD).fetchall())
        return [message_id for (message_id,) in found]

    async def release_message(self, message_id: str, now_ms: int) -> bool:
        return await self._write(lambda connection: release_message(connection, message_id, now_ms))

    async def released(self, limit: int) -> list[InboxMessage]:
        found = await self._read(lambda connection: connection.execute(RELEASED, (limit,)).fetchall())
        return [rows.inbox_of(row) for row in found]


def message(connection: sqlite3.Connection, message_id: str) -> InboxMessage | None:
    """What became of a message of an own mailbox."""
    row = connection.execute(ONE, (message_id,)).fetchone()
    return rows.inbox_of(row) if row else None


def quarantine(connection: sqlite3.Connection, limit: int) -> list[InboxMessage]:
    """The newest messages in quarantine, without their bodies."""
    return [rows.inbox_of(row) for row in connection.execute(QUARANTINE, (limit,))]


def release_message(connection: sqlite3.Connection, message_id: str, now_ms: int) -> bool:
    """Let a message out of quarantine; False when it is not there."""
    return connection.execute(RELEASE_MESSAGE, (now_ms, message_id)).rowcount > 0


def add_with_event(connection: sqlite3.Connection, message: InboxMessage, event_id: int) -> int | None:
    """Remember a message with its event; if it is remembered already, the row id of the event it made (0: none)."""
    if connection.execute(ADD_INBOX, rows.inbox_row(message, event_id)).rowcount:
        return None
    (first,) = connection.execute(EVENT_OF, (message.message_id,)).fetchone()
    return first or 0


def _report(connection: sqlite3.Connection, message: InboxMessage, delivery_id: int) -> bool:
    if connection.execute(ADD_INBOX, rows.inbox_row(message)).rowcount == 0:
        return False
    if connection.execute(REPORT, (message.received_ms, delivery_id)).rowcount == 0:
        return False
    add_attempt(connection, Attempt(delivery_id, 0, message.received_ms, 0, "reported", None, message.reason))
    return True
