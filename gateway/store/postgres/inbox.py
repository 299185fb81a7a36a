"""The messages of the own mailboxes, in PostgreSQL."""

from __future__ import annotations

from gateway.events import Attempt
from gateway.store import rows
from gateway.store.base import InboxMessage
from gateway.store.postgres.database import Connection
from gateway.store.postgres.deliveries import add_attempt
from gateway.store.postgres.engine import Engine

# MESH repeats a message until it is acknowledged: what is known of it stays, unless there was nothing to go by, or an
# operator wants it looked at again.
ADD_INBOX = f"""
INSERT INTO mesh_inbox ({rows.INBOX}, event_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (message_id) DO UPDATE SET disposition = excluded.disposition, event_id = excluded.event_id,
    reason = excluded.reason, headers = excluded.headers, body = excluded.body, released_ms = NULL
WHERE mesh_inbox.disposition = 'quarantine' AND (mesh_inbox.released_ms IS NOT NULL OR mesh_inbox.body IS NULL)
"""  # noqa: S608  # our own column names
EVENT_OF = "SELECT event_id FROM mesh_inbox WHERE message_id = $1"
ONE = f"SELECT {rows.INBOX} FROM mesh_inbox WHERE message_id = $1"  # noqa: S608
REPORT = "UPDATE deliveries SET state = 'dead', attempts = attempts + 1, ended_ms = $1 WHERE id = $2"
QUARANTINE = (
    "SELECT message_id, received_ms, disposition, reason, headers, NULL, mailbox, released_ms FROM mesh_inbox"
    " WHERE disposition = 'quarantine' ORDER BY received_ms DESC LIMIT $1"
)
RELEASE_MESSAGE = "UPDATE mesh_inbox SET released_ms = $1 WHERE message_id = $2 AND disposition = 'quarantine'"
RELEASED = (
    f"SELECT {rows.INBOX} FROM mesh_inbox"  # noqa: S608
    " WHERE disposition = 'quarantine' AND released_ms IS NOT NULL AND body IS NOT NULL ORDER BY received_ms LIMIT $1"
)
UNREAD = "SELECT message_id FROM mesh_inbox WHERE disposition = 'quarantine' AND body IS NULL AND released_ms IS NULL"


class Inbox(Engine):
    """Remembers the messages of the own mailboxes."""

    async def inbox(self, message_id: str) -> InboxMessage | None:
        row = await self._first(ONE, message_id)
        return rows.inbox_of(row) if row else None

    async def add_to_inbox(self, message: InboxMessage) -> None:
        await self._execute(ADD_INBOX, *rows.inbox_row(message))

    async def add_report(self, message: InboxMessage, delivery_id: int) -> bool:
        return await self._transact(lambda connection: _report(connection, message, delivery_id))

    async def quarantine(self, limit: int) -> list[InboxMessage]:
        return [rows.inbox_of(row) for row in await self._fetch(QUARANTINE, limit)]

    async def unread(self) -> list[str]:
        return [row[0] for row in await self._fetch(UNREAD)]

    async def release_message(self, message_id: str, now_ms: int) -> bool:
        return await self._execute(RELEASE_MESSAGE, now_ms, message_id) > 0

    async def released(self, limit: int) -> list[InboxMessage]:
        return [rows.inbox_of(row) for row in await self._fetch(RELEASED, limit)]


async def add_with_event(connection: Connection, message: InboxMessage, event_id: int) -> int | None:
    """Remember a message with its event; if it is remembered already, the row id of the event it made (0: none)."""
    if await connection.execute(ADD_INBOX, *rows.inbox_row(message, event_id)) == "INSERT 0 1":
        return None
    return await connection.fetchval(EVENT_OF, message.message_id) or 0


async def _report(connection: Connection, message: InboxMessage, delivery_id: int) -> bool:
    if await connection.execute(ADD_INBOX, *rows.inbox_row(message)) != "INSERT 0 1":
        return False
    if await connection.execute(REPORT, message.received_ms, delivery_id) != "UPDATE 1":
        return False
    await add_attempt(connection, Attempt(delivery_id, 0, message.received_ms, 0, "reported", None, message.reason))
    return True
