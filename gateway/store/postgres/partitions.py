"""The partitions of the large tables: one for each day (UTC), made ahead."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg

from gateway import ids
from gateway.store.postgres.database import Connection

TABLES = ("events", "originals", "deliveries", "attempts")
DAYS_AHEAD = 7
"""So many days' partitions are there beforehand: the gateways may all be away for that long."""
DAY_MS = 86_400_000
LOCK = 5_274_901_337_002
LOCK_MS = 300
"""So long intake may have to wait for the partitions of a day to go."""
# Each delivery is changed a few times soon after it is written: room in its page, and a vacuum that comes soon.
OPTIONS = {
    "deliveries": " WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0)"
}


async def make(opened: Connection, now_ms: int) -> None:
    """Make those that are missing, for the day of `now_ms` and the days after it."""
    async with opened.transaction():
        await opened.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        there = {row[0] for row in await opened.fetch("SELECT relname FROM pg_class WHERE relispartition")}
        today = now_ms // DAY_MS * DAY_MS
        for start in range(today, today + (DAYS_AHEAD + 1) * DAY_MS, DAY_MS):
            first, after = ids_of(start)
            for table in TABLES:
                if name(table, start) not in there:
                    await opened.execute(
                        f"CREATE TABLE {name(table, start)} PARTITION OF {table}"
                        f" FOR VALUES FROM ({first}) TO ({after})"
                        f"{OPTIONS.get(table, '')}"
                    )


async def days_before(opened: Connection, ms: int) -> list[int]:
    """The days that have partitions and were over at `ms`, as the times at which they began, oldest first."""
    found = await opened.fetch(
        "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relname ~ '^events_[0-9]{8}$'"
    )
    starts = (_start(row[0].removeprefix("events_")) for row in found)
    return sorted(start for start in starts if start + DAY_MS <= ms)


async def drop(opened: Connection, start_ms: int) -> bool:
    """Drop those of a day, in the transaction under way; False when others would have to wait for that."""
    try:
        async with opened.transaction():
            await opened.execute(f"SET LOCAL lock_timeout = {LOCK_MS}")
            for table in TABLES:
                await opened.execute(f"DROP TABLE {name(table, start_ms)}")
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
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
