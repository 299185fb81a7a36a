"""The partitions of the large tables: one for each day (UTC), made ahead."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway import ids
from gateway.store.postgres.database import Connection

TABLES = ("events", "originals", "deliveries", "attempts")
DAYS_AHEAD = 7
"""So many days' partitions are there beforehand: the gateways may all be away for that long."""
DAY_MS = 86_400_000
LOCK = 5_274_901_337_002
# Each delivery is changed a few times soon after it is written: room in its page, and a vacuum that comes soon.
OPTIONS = {
    "deliveries": " WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0)"
}


async def make(opened: Connection, now_ms: int) -> None:
    """Make those that are missing, for the day of `now_ms` and the days after it."""
    async with opened.transaction():
        await opened.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        there = {row[0] for row in await opened.fetch("SELECT relname FROM pg_class WHERE relispartition")}
        first = now_ms // DAY_MS * DAY_MS
        for start in range(first, first + (DAYS_AHEAD + 1) * DAY_MS, DAY_MS):
            for table in TABLES:
                if (name := f"{table}_{_day(start)}") not in there:
                    await opened.execute(
                        f"CREATE TABLE {name} PARTITION OF {table}"
                        f" FOR VALUES FROM ({ids.first_at(start)}) TO ({ids.first_at(start + DAY_MS)})"
                        f"{OPTIONS.get(table, '')}"
                    )


def _day(start_ms: int) -> str:
    return datetime.fromtimestamp(start_ms / 1000, UTC).strftime("%Y%m%d")
