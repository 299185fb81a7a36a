"""The partitions of the large tables: one for each day (UTC), made ahead."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import asyncpg

from gateway import ids
from gateway.store.postgres.database import Connection

TABLES = {"events": "id", "deliveries": "id", "attempts": "delivery_id"}
"""The large tables, each with the column that it is partitioned by."""
PARTITIONS = """
SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = ANY ($1::text[]::regclass[])
"""
BUSY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
DAYS_AHEAD = 7
"""So many days' partitions are there beforehand: the gateways may all be away for that long."""
DAY_MS = 86_400_000
LOCK = 5_274_901_337_002
LOCK_MS = 300
"""So long intake may have to wait for partitions to come or go."""
# Each delivery is changed a few times soon after it is written: room in its page, and a vacuum that comes soon.
OPTIONS = {
    "deliveries": " WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0)"
}


async def make(opened: Connection, now_ms: int) -> None:
    """Make those that are missing, for the day of `now_ms` and the days after it.

    One that cannot be made now is left for the next time: until then its rows go into the default partition.
    """
    async with opened.transaction():
        await opened.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        there = {row[0] for row in await opened.fetch(PARTITIONS, list(TABLES))}
        today = now_ms // DAY_MS * DAY_MS
        for start in range(today, today + (DAYS_AHEAD + 1) * DAY_MS, DAY_MS):
            for table in TABLES:
                if name(table, start) not in there:
                    await _make(opened, table, start)


async def _make(opened: Connection, table: str, start_ms: int) -> None:
    first, after = ids_of(start_ms)
    # The default partition may hold rows of that day, from a clock that was wrong.
    with contextlib.suppress(asyncpg.CheckViolationError, *BUSY):
        async with opened.transaction():
            await opened.execute(f"SET LOCAL lock_timeout = {LOCK_MS}")
            await opened.execute(
                f"CREATE TABLE {name(table, start_ms)} PARTITION OF {table} FOR VALUES FROM ({first}) TO ({after})"
                f"{OPTIONS.get(table, '')}"
            )


async def days_before(opened: Connection, ms: int) -> list[int]:
    """The days that have partitions and were over at `ms`, as the times at which they began, oldest first."""
    found = (row[0] for row in await opened.fetch(PARTITIONS, ["events"]))
    starts = (_start(found_name.removeprefix("events_")) for found_name in found if found_name != "events_default")
    return sorted(start for start in starts if start + DAY_MS <= ms)


async def drop(opened: Connection, start_ms: int) -> bool:
    """Drop those of a day, in the transaction under way; False when others would have to wait for that."""
    first, after = ids_of(start_ms)
    try:
        async with opened.transaction():
            await opened.execute(f"SET LOCAL lock_timeout = {LOCK_MS}")
            for table, key in TABLES.items():
                # What came while there was no partition for it.
                await opened.execute(f"DELETE FROM {table}_default WHERE {key} >= {first} AND {key} < {after}")  # noqa: S608
                await opened.execute(f"DROP TABLE IF EXISTS {name(table, start_ms)}")
    except BUSY:
        return False
    return True


def ids_of(start_ms: int) -> tuple[int, int]:
    """The first id of a day, and the first of the day after it."""
    return ids.first_at(start_ms), ids.first_at(start_ms + DAY_MS)


def name(table: str, start_ms: int) -> str:
    """The partition of a table for a day."""
    return f"{table}_{_day(start_ms)}"


def _start(day: str) -> int:
    return round(datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).timestamp() * 1000)


def _day(start_ms: int) -> str:
    return datetime.fromtimestamp(start_ms / 1000, UTC).strftime("%Y%m%d")
