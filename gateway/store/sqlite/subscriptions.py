"""Subscriptions in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from gateway.clock import now_ms
from gateway.store import rows
from gateway.store.sqlite.engine import Engine
from gateway.subscriptions.changes import Changes
from gateway.subscriptions.subscription import Entry, Subscription, SubscriptionState

VALUES = f"({', '.join('?' * (rows.SUBSCRIPTION.count(',') + 1))})"
ADD = f"INSERT INTO subscriptions ({rows.SUBSCRIPTION}) VALUES {VALUES}"  # noqa: S608  # our own column names
ADD_RESOURCE = f"INSERT INTO subscription_resources ({rows.RESOURCE}, subscription_id) VALUES (?, ?, ?, ?)"  # noqa: S608
REPLACE = (
    f"UPDATE subscriptions SET ({rows.SUBSCRIPTION}) = {VALUES},"  # noqa: S608
    " heartbeat_ms = NULL WHERE id = ? AND deleted_ms IS NULL"
)
REPLACE_RESOURCE = f"UPDATE subscription_resources SET ({rows.RESOURCE}) = (?, ?, ?) WHERE subscription_id = ?"  # noqa: S608
SET_STATE = (
    "UPDATE subscriptions SET state = ?1, reason = ?2, unproven = unproven AND ?1 <> 'active',"
    " heartbeat_ms = CASE ?1 WHEN 'active' THEN ?3 + 1000 * heartbeat_seconds END"
    " WHERE id = ?4 AND deleted_ms IS NULL AND (?5 = '[]' OR state IN (SELECT value FROM json_each(?5)))"
)
HEARTBEATS = (
    "UPDATE subscriptions SET heartbeat_ms = ?1 + 1000 * heartbeat_seconds"
    " WHERE heartbeat_ms <= ?1 AND deleted_ms IS NULL RETURNING id"
)
REQUESTED = "SELECT id FROM subscriptions WHERE state = 'requested' AND deleted_ms IS NULL"
DELETE = "UPDATE subscriptions SET deleted_ms = ? WHERE id = ? AND deleted_ms IS NULL"
SET_PRIVATE = "UPDATE subscriptions SET private = ? WHERE id = ? AND deleted_ms IS NULL"
WHOLE = (
    f"SELECT {rows.SUBSCRIPTION}, {rows.RESOURCE} FROM subscriptions"  # noqa: S608
    " JOIN subscription_resources ON subscription_id = id"
)
PRESENT = f"{WHOLE} WHERE deleted_ms IS NULL AND face <> ? ORDER BY created_ms, id"
ONE = f"{WHOLE} WHERE id = ?"
IS_SUBSCRIBED = "SELECT 1 FROM subscriptions WHERE id = ? AND deleted_ms IS NULL"
ENTRIES = (
    f"SELECT {rows.NEMS_ENTRY} FROM subscriptions"  # noqa: S608
    " WHERE face = 'nems' AND id > ? AND deleted_ms IS NULL ORDER BY id LIMIT ?"
)


class Subscriptions(Engine):
    """Keeps subscriptions."""

    async def add_subscription(self, subscription: Subscription, revision: int = 0) -> None:
        await self._write(lambda connection: _add(connection, subscription))

    async def replace_subscription(self, subscription: Subscription) -> bool:
        return await self._write(lambda connection: _replace(connection, subscription))

    async def delete_subscription(self, subscription_id: str, now_ms: int) -> bool:
        values = (now_ms, subscription_id)
        return await self._write(lambda connection: connection.execute(DELETE, values).rowcount > 0)

    async def set_subscription_state(
        self, subscription_id: str, state: SubscriptionState, reason: str = "", was: Sequence[SubscriptionState] = ()
    ) -> bool:
        values = (state, reason, now_ms(), subscription_id, rows.json_text(was))
        return await self._write(lambda connection: connection.execute(SET_STATE, values).rowcount > 0)

    async def requested_subscriptions(self) -> list[str]:
        found = await self._read(lambda connection: connection.execute(REQUESTED).fetchall())
        return [row[0] for row in found]

    async def due_heartbeats(self, now_ms: int) -> list[str]:
        found = await self._write(lambda connection: connection.execute(HEARTBEATS, (now_ms,)).fetchall())
        return [row[0] for row in found]

    async def set_subscription_private(self, subscription_id: str, private: str) -> bool:
        values = (private, subscription_id)
        return await self._write(lambda connection: connection.execute(SET_PRIVATE, values).rowcount > 0)

    async def subscription_changes(self, since: int) -> Changes:
        return Changes(max(since, 1))  # whoever asks has made every change itself

    def hear_of_changes(self, heard: Callable[[], None]) -> None:
        """There is no other node."""

    async def subscriptions(self, but_of: str = "") -> list[Subscription]:
        return await self._read(
            lambda connection: [rows.subscription_of(row) for row in connection.execute(PRESENT, (but_of,))]
        )

    async def nems_entries(self, after: str, limit: int) -> list[Entry]:
        return await self._read(lambda connection: rows.nems_entries_of(connection.execute(ENTRIES, (after, limit))))

    async def subscription(self, subscription_id: str) -> Subscription | None:
        row = await self._read(lambda connection: connection.execute(ONE, (subscription_id,)).fetchone())
        return rows.subscription_of(row) if row else None

    async def is_subscribed(self, subscription_id: str) -> bool:
        row = await self._read(lambda connection: connection.execute(IS_SUBSCRIBED, (subscription_id,)).fetchone())
        return row is not None


def _add(connection: sqlite3.Connection, one: Subscription) -> None:
    connection.execute(ADD, rows.subscription_row(one))
    connection.execute(ADD_RESOURCE, (*rows.resource_row(one), one.id))


def _replace(connection: sqlite3.Connection, one: Subscription) -> bool:
    if connection.execute(REPLACE, (*rows.subscription_row(one), one.id)).rowcount == 0:
        return False
    connection.execute(REPLACE_RESOURCE, (*rows.resource_row(one), one.id))
    return True
