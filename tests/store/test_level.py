"""A month of traffic, retention at two days: the store ends as large as it was on day three.

The month is a simulated one, at 10 events a second scaled down: the days, the size of each event and each time are
those of the real month, only the events are fewer, by 1 in SCALE. What does not shrink with them, such as the few
pages that each table has at least, makes the store of the short form larger than its share, on both days alike.
"""

from __future__ import annotations

import asyncio

import pytest

from gateway.events import XML, Original
from gateway.ids import Ids
from gateway.retention import Eraser
from gateway.settings import RetentionSettings
from gateway.store.base import Acceptance
from tests.postgres import PostgresServer
from tests.samples import delivery, event, verdict
from tests.store.engines import Engine, Postgres, Sqlite

HOUR_MS = 3_600_000
START_MS = 1_800_000_000_000 // (24 * HOUR_MS) * 24 * HOUR_MS
STEP_HOURS = 6
PER_STEP = 10 * 3600 * STEP_HOURS
BODY = b"<Bundle xmlns='http://hl7.org/fhir'>" + b"x" * 5_400 + b"</Bundle>"
SETTINGS = RetentionSettings(days=2, event_types={}, audit_days=730)
SIZE = """
SELECT sum(pg_total_relation_size(oid)) FROM pg_class
WHERE relkind = 'r' AND relname ~ '^(events|deliveries|attempts|audit|audit_kinds)(_|$)'
"""


class Month:
    """The month on one engine; `now_ms` is its clock."""

    def __init__(self, engine: Engine, day: int = 0) -> None:
        self.now_ms = START_MS + day * 24 * HOUR_MS
        self._store = engine.store()
        self._ids = Ids(clock=lambda: self.now_ms)

    async def run(self, days: int, events_a_step: int) -> None:
        """Go on for so many days; whoever is alone runs retention every few hours."""
        eraser = Eraser(self._store, SETTINGS, clock=lambda: self.now_ms)
        await self._store.open()
        for _ in range(days * 24 // STEP_HOURS):
            await self._store.tidy(self.now_ms)
            await asyncio.gather(*(self._event() for _ in range(events_a_step)))
            self.now_ms += STEP_HOURS * HOUR_MS
            await eraser.run()
        await self._store.close()

    async def _event(self) -> None:
        one = event(
            row_id=self._ids.next(), received_ms=self.now_ms, original=Original(BODY, XML, "nems-message"),
            id=f"9d9e1e86-3a5c-4d1f-9d67-{self._ids.next() % 10**12:012}",
        )  # fmt: skip
        made = delivery(one, id=self._ids.next())
        await self._store.accept(Acceptance(one, [made], [made.id], self.now_ms + HOUR_MS))
        await self._store.record(verdict(made))


def size_of(engine: Engine, server: PostgresServer) -> int:
    """Bytes on disk of what is kept."""
    if isinstance(engine, Sqlite):
        return engine.path.stat().st_size
    assert isinstance(engine, Postgres)
    return int(server.sql(SIZE, engine.url.rpartition("/")[2])[0][0])


@pytest.mark.parametrize(
    "scale", [pytest.param(1_800, id="short"), pytest.param(100, id="long", marks=pytest.mark.soak)]
)
def test_a_month_of_traffic_leaves_the_store_as_large_as_day_three(
    engine: Engine, postgres: PostgresServer, scale: int
) -> None:
    asyncio.run(Month(engine).run(3, PER_STEP // scale))
    day_three = size_of(engine, postgres)
    assert day_three > 2 * 24 / STEP_HOURS * (PER_STEP // scale) * len(BODY), "two days are there"
    asyncio.run(Month(engine, day=3).run(27, PER_STEP // scale))
    month = size_of(engine, postgres)
    print(f"day three {day_three:,} bytes, day thirty {month:,}: {month / day_three:.3f}")  # noqa: T201  # the figure that it is run for, seen with -s
    assert month < 1.1 * day_three
