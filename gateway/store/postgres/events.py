"""Events in PostgreSQL: a group of them is one statement, and so one round trip and one commit."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from gateway.errors import Changed, Unavailable
from gateway.events import NUMBERED, Event
from gateway.store import rows
from gateway.store.base import Acceptance, InboxMessage, Kept, begins, kept
from gateway.store.group import Group
from gateway.store.postgres.database import Connection
from gateway.store.postgres.engine import Engine, columns
from gateway.store.postgres.inbox import add_with_event
from gateway.store.postgres.order import blocked

# Of events that are kept once, only those whose name is new, or was last used before `since`; what else the group
# holds is kept with them. Subscriptions are counted, and names written, in their order, so that two nodes do not wait
# for each other. Nothing is kept when the subscriptions have changed since the group was planned: each that was there
# when this began is matched.
ACCEPT = """
WITH clock AS MATERIALIZED (SELECT clock_ms() - $1::bigint AS ahead),
now AS MATERIALIZED (SELECT revision, $36::bigint IN (0, revision) AS same FROM subscription_revision),
names AS MATERIALIZED (
    SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $35::bigint[])
    AS t (event_id, source, application, row_id, since) WHERE (SELECT same FROM now)
),
named AS (
    INSERT INTO event_names
    SELECT DISTINCT ON (event_id, source, application) event_id, source, application, row_id
    FROM names ORDER BY event_id, source, application, row_id
    ON CONFLICT (event_id, source, application) DO UPDATE SET row_id = excluded.row_id
    WHERE event_names.row_id < (SELECT since FROM names WHERE names.row_id = excluded.row_id)
    RETURNING row_id
),
kept AS MATERIALIZED (
    SELECT id FROM unnest($6::bigint[]) AS given (id)
    WHERE (SELECT same FROM now) AND (id <> ALL ($5::bigint[]) OR id IN (SELECT row_id FROM named))
),
new_events AS (
    INSERT INTO events SELECT * FROM unnest(
        $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
        $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::bytea[]
    ) AS given (id) WHERE id IN (SELECT id FROM kept)
),
given AS MATERIALIZED (
    SELECT * FROM unnest(
        $22::bigint[], $23::bigint[], $24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::text[],
        $30::text[], $31::bigint[], $32::text[], $33::boolean[], $34::text[]
    ) AS t (
        id, of, channel, endpoint, form, subscriptions, workflow, partner_id, state, next_ms, order_key, blocked,
        counted
    )
    WHERE of IN (SELECT id FROM kept)
),
counts AS (
    INSERT INTO event_counts
    SELECT counted, count(*) FROM given WHERE counted IS NOT NULL GROUP BY counted ORDER BY counted
    ON CONFLICT (subscription_id) DO UPDATE SET events = event_counts.events + excluded.events
    RETURNING subscription_id, events
),
numbered AS MATERIALIZED (
    SELECT id, events + 1 - row_number() OVER (PARTITION BY counted ORDER BY given.id DESC) AS number
    FROM given JOIN counts ON subscription_id = counted
),
new_deliveries AS (
    INSERT INTO deliveries
        (id, event_id, channel, endpoint, form, subscriptions, workflow, partner_id, state, next_ms, number, order_key,
        blocked)
    SELECT id, of, channel, endpoint, form, subscriptions, workflow, partner_id, state, next_ms + ahead,
        COALESCE(number, 0), order_key, blocked
    FROM clock, given LEFT JOIN numbered USING (id)
)
SELECT 0, revision FROM now WHERE NOT same
UNION ALL SELECT id, 0 FROM kept
UNION ALL SELECT id, number FROM numbered
"""
CHANGED = 0
"""Among the ids that ACCEPT gives, which are greater: the group was refused."""
ADD_NAME = (
    "INSERT INTO event_names VALUES ($1, $2, $3, $4) ON CONFLICT (event_id, source, application)"
    " DO UPDATE SET row_id = excluded.row_id WHERE event_names.row_id < $5"
)
FIRST = "SELECT row_id FROM event_names WHERE event_id = $1 AND source = $2 AND application = $3"
NEWEST = f"SELECT {rows.EVENT} FROM events e ORDER BY e.id DESC LIMIT $1"  # noqa: S608  # our own column names


class Events(Engine):
    """Keeps events."""

    async def open(self) -> None:
        await super().open()
        self._accepting: Group[Acceptance, Kept] = Group(self._accept, self._max_waiting)
        self._closing.push_async_callback(self._accepting.close)

    def accept(self, acceptance: Acceptance) -> Awaitable[Kept]:
        if self._accepting.crowded:
            raise Unavailable("too many events wait to be stored")
        if inbox := acceptance.inbox:
            return self._transact(lambda connection: self._accept_with_inbox(connection, acceptance, inbox))
        return self._accepting.submit(acceptance)

    async def events(self, limit: int) -> list[Event]:
        return [rows.event_of(row) for row in await self._fetch(NEWEST, limit)]

    async def _accept(self, group: Sequence[Acceptance]) -> list[Kept | Exception]:
        """One planned by an older revision than its neighbours is refused without a look."""
        revision = max(one.revision for one in group)
        current = [one for one in group if one.revision == revision]
        found = dict(await self._keep(current))
        return [await self._fate(one, found) if one.revision == revision else _changed() for one in group]

    async def _fate(self, one: Acceptance, found: Mapping[int, int]) -> Kept | Exception:
        if CHANGED in found:
            return _changed()
        if one.event.row_id not in found:
            return Kept(await self._first_of(one.event))
        return kept(one, found)

    def _values(self, group: Sequence[Acceptance], waiting: Collection[int] = ()) -> list[object]:
        return [self._clock(), *_columns(group, waiting), group[0].revision]

    async def _keep(self, group: Sequence[Acceptance]) -> list[Any]:
        if any(each.order_key for one in group for each in one.deliveries):
            return await self._transact(lambda connection: self._keep_in_order(connection, group))
        return await self._fetch(ACCEPT, *self._values(group))

    async def _keep_in_order(self, connection: Connection, group: Sequence[Acceptance]) -> list[Any]:
        waiting = await blocked(connection, [each for one in group for each in one.deliveries])
        return list(await connection.fetch(ACCEPT, *self._values(group, waiting)))

    async def _first_of(self, event: Event) -> int:
        """The row id of the event that had that name already; 0 when its time was up just now."""
        row = await self._first(FIRST, *_name(event))
        return int(row[0]) if row else 0

    async def _accept_with_inbox(self, connection: Connection, one: Acceptance, inbox: InboxMessage) -> Kept:
        """Such a message makes one event, and may tell of one that is there already."""
        event, first = one.event, one.event.row_id
        if one.once and await connection.execute(ADD_NAME, *_name(event), first, one.since) != "INSERT 0 1":
            first = await connection.fetchval(FIRST, *_name(event))
        known = await add_with_event(connection, inbox, first)
        if known is not None or first != event.row_id:
            return Kept(first if known is None else known)
        alone = replace(one, once=False)
        found = dict(await self._keep_in_order(connection, [alone]))
        if CHANGED in found:
            raise _changed()
        return kept(one, found)


def _changed() -> Changed:
    return Changed("subscriptions have changed")


def _name(event: Event) -> tuple[str, str, str]:
    return event.id, event.source, event.application


def _columns(group: Sequence[Acceptance], waiting: Collection[int]) -> list[list[object]]:
    """The arrays of ACCEPT: of names, events, deliveries, of which those `waiting` are blocked, and since when names
    count.
    """
    return [
        *columns(((*_name(one.event), one.event.row_id) for one in group if one.once), 4),
        *columns((rows.event_row(one.event) for one in group), 16),
        *columns((row for one in group for row in _deliveries(one, waiting)), 13),
        [one.since for one in group if one.once],
    ]


def _deliveries(acceptance: Acceptance, waiting: Collection[int]) -> Iterator[rows.Row]:
    for one in acceptance.deliveries:
        state, next_ms = begins(acceptance, one, blocked=one.id in waiting)
        *row, _, order_key, is_blocked = rows.delivery_row(one, state, next_ms, blocked=one.id in waiting)
        yield (*row, order_key, is_blocked, one.subscriptions[0] if one.form in NUMBERED else None)
