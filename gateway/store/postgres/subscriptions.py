"""Subscriptions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.errors import Changed
from gateway.store import rows
from gateway.store.postgres.database import Connection
from gateway.store.postgres.engine import Engine
from gateway.store.postgres.listening import Listener
from gateway.subscriptions.changes import Changes
from gateway.subscriptions.subscription import Entry, Subscription, SubscriptionState

_VALUES = ", ".join(f"${number}" for number in range(1, rows.SUBSCRIPTION.count(",") + 2))
ADD = f"INSERT INTO subscriptions ({rows.SUBSCRIPTION}) VALUES ({_VALUES})"  # noqa: S608  # our own column names
REPLACE = (
    f"UPDATE subscriptions SET ({rows.SUBSCRIPTION}) = ({_VALUES}), heartbeat_ms = NULL"  # noqa: S608
    " WHERE id = $1 AND deleted_ms IS NULL"
)
SET_STATE = """
UPDATE subscriptions SET state = $1, reason = $2, unproven = unproven AND $1 <> 'active',
    heartbeat_ms = CASE WHEN $1 = 'active' THEN clock_ms() + 1000 * heartbeat_seconds END
WHERE id = $3 AND deleted_ms IS NULL AND (cardinality($4::text[]) = 0 OR state = ANY ($4))
"""
HEARTBEATS = """
WITH clock AS MATERIALIZED (SELECT $1::bigint + clock_ms() - $2::bigint AS now)
UPDATE subscriptions SET heartbeat_ms = now + 1000 * heartbeat_seconds
FROM clock WHERE heartbeat_ms <= now AND deleted_ms IS NULL RETURNING id
"""
REQUESTED = "SELECT id FROM subscriptions WHERE state = 'requested' AND deleted_ms IS NULL"
SET_PRIVATE = "UPDATE subscriptions SET private = $1 WHERE id = $2 AND deleted_ms IS NULL"
ADD_RESOURCE = f"INSERT INTO subscription_resources ({rows.RESOURCE}, subscription_id) VALUES ($1, $2, $3, $4)"  # noqa: S608
REPLACE_RESOURCE = f"UPDATE subscription_resources SET ({rows.RESOURCE}) = ($1, $2, $3) WHERE subscription_id = $4"  # noqa: S608
DELETE = "UPDATE subscriptions SET deleted_ms = $1 WHERE id = $2 AND deleted_ms IS NULL"
WHOLE = (
    f"SELECT {rows.SUBSCRIPTION}, {rows.RESOURCE} FROM subscriptions"  # noqa: S608
    " JOIN subscription_resources ON subscription_id = id"
)
PRESENT = f"{WHOLE} WHERE deleted_ms IS NULL AND face <> $1 ORDER BY created_ms, id"
IS_SUBSCRIBED = "SELECT 1 FROM subscriptions WHERE id = $1 AND deleted_ms IS NULL"
ONE = f"{WHOLE} WHERE id = $1"
ENTRIES = (
    f"SELECT {rows.NEMS_ENTRY} FROM subscriptions"  # noqa: S608
    " WHERE face = 'nems' AND id > $1 AND deleted_ms IS NULL ORDER BY id LIMIT $2"
)


REVISION = "SELECT revision FROM subscription_revision"
# One statement, and so one moment: what has changed, and up to which revision that is.
CHANGED = f"""
SELECT now.revision, s.deleted_ms, {rows.SUBSCRIPTION}, {rows.RESOURCE}
FROM subscription_revision now LEFT JOIN subscriptions s ON s.revision > $1
LEFT JOIN subscription_resources ON subscription_id = id
"""  # noqa: S608


class Subscriptions(Engine):
    """Keeps subscriptions."""

    async def add_subscription(self, subscription: Subscription, revision: int = 0) -> None:
        await self._transact(lambda connection: _add(connection, subscription, revision))

    async def replace_subscription(self, subscription: Subscription) -> bool:
        return await self._transact(lambda connection: _replace(connection, subscription))

    async def delete_subscription(self, subscription_id: str, now_ms: int) -> bool:
        return await self._execute(DELETE, now_ms, subscription_id) > 0

    async def set_subscription_state(
        self, subscription_id: str, state: SubscriptionState, reason: str = "", was: Sequence[SubscriptionState] = ()
    ) -> bool:
        return await self._execute(SET_STATE, state, reason, subscription_id, list(was)) > 0

    async def requested_subscriptions(self) -> list[str]:
        return [row[0] for row in await self._fetch(REQUESTED)]

    async def due_heartbeats(self, now_ms: int) -> list[str]:
        return [row[0] for row in await self._fetch(HEARTBEATS, now_ms, self._clock())]

    async def set_subscription_private(self, subscription_id: str, private: str) -> bool:
        return await self._execute(SET_PRIVATE, private, subscription_id) > 0

    async def subscription_changes(self, since: int) -> Changes:
        if since == 0:
            return Changes((await self._first(REVISION))[0])
        found = [tuple(row) for row in await self._fetch(CHANGED, since)]
        return Changes(
            found[0][0],
            [rows.subscription_of(row[2:]) for row in found if row[1] is None and row[2] is not None],
            [row[2] for row in found if row[1] is not None],
        )

    def hear_of_changes(self, heard: Callable[[], None]) -> None:
        self._closing.push_async_callback(Listener(self._url, heard).close)

    async def subscriptions(self, but_of: str = "") -> list[Subscription]:
        return [rows.subscription_of(row) for row in await self._fetch(PRESENT, but_of)]

    async def nems_entries(self, after: str, limit: int) -> list[Entry]:
        return rows.nems_entries_of(await self._fetch(ENTRIES, after, limit))

    async def subscription(self, subscription_id: str) -> Subscription | None:
        row = await self._first(ONE, subscription_id)
        return rows.subscription_of(row) if row else None

    async def is_subscribed(self, subscription_id: str) -> bool:
        return await self._first(IS_SUBSCRIBED, subscription_id) is not None


async def _add(connection: Connection, one: Subscription, revision: int) -> None:
    # The lock makes whoever else adds wait for what becomes of this one.
    if revision and await connection.fetchval(f"{REVISION} FOR UPDATE") != revision:
        raise Changed("subscriptions have changed")
    await connection.execute(ADD, *rows.subscription_row(one))
    await connection.execute(ADD_RESOURCE, *rows.resource_row(one), one.id)


async def _replace(connection: Connection, one: Subscription) -> bool:
    if await connection.execute(REPLACE, *rows.subscription_row(one)) == "UPDATE 0":
        return False
    await connection.execute(REPLACE_RESOURCE, *rows.resource_row(one), one.id)
    return True
