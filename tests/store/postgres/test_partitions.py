"""Whole days are dropped with their partitions."""

from __future__ import annotations

import pytest

from gateway.clock import now_ms
from gateway.retention import Eraser
from gateway.store.base import Room
from gateway.store.postgres import PostgresStore, partitions, retention
from tests.samples import verdict
from tests.store.test_retention import DAY_MS, SETTINGS, keep

PARTITIONS = "SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r' AND relname LIKE 'events_2%'"


async def days(store: PostgresStore) -> int:
    return int((await store._fetch(PARTITIONS))[0][0])


async def test_a_day_is_dropped_once_all_of_it_is_over_and_done(nodes: tuple[PostgresStore, PostgresStore]) -> None:
    store, other = nodes
    today = await days(store)
    await store.tidy(now_ms() - 6 * DAY_MS)
    assert await days(store) == today + 6
    waiting, _ = await keep(store, 5, "pending", id="waiting")
    beside, _ = await keep(store, 5, id="beside")
    alone, _ = await keep(store, 4, id="11111111-2222-4333-8444-555555555555")
    young, _ = await keep(store, 1, id="young")

    assert await Eraser(other, SETTINGS).run() == 2
    assert [one.row_id for one in await store.events(9)] == [young.row_id, waiting.row_id]
    found = await store.audit(alone.row_id)
    assert found
    assert (found.id, found.delivered, found.dead) == (alone.id, 2, 0)
    assert await store.audit(beside.row_id)
    # Of the days that are over, six to three ago, one stays for the sake of what is still to be delivered.
    assert await days(store) == today + 3

    for each in await store.claim(Room(9), now_ms(), now_ms() + DAY_MS):
        await store.record(verdict(each.delivery))
    assert await Eraser(store, SETTINGS).run() == 1
    assert await days(store) == today + 2
    line = await store.audit(waiting.row_id)
    assert line
    assert line.delivered == 2


async def test_rows_of_a_day_that_had_no_partition_go_with_it(nodes: tuple[PostgresStore, PostgresStore]) -> None:
    """A clock was wrong by days: what came then is in the default partition, and no node must fail for it."""
    store, _ = nodes
    early, _ = await keep(store, 5, id="early")
    await store.tidy(now_ms() - 6 * DAY_MS)
    assert await store.trace(early.row_id)
    assert await Eraser(store, SETTINGS).run() == 1
    assert await store.trace(early.row_id) is None
    assert await store.audit(early.row_id)


async def test_a_day_that_others_are_at_stays_for_the_next_time(
    nodes: tuple[PostgresStore, PostgresStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(partitions, "LOCK_MS", 20)
    store, other = nodes
    await store.tidy(now_ms() - 4 * DAY_MS)
    old, _ = await keep(store, 4, id="old")
    async with other._pool.acquire() as connection, connection.transaction():
        await connection.fetch("SELECT count(*) FROM events")
        assert await Eraser(store, SETTINGS).run() == 1, "by a small step"
    line = await store.audit(old.row_id)
    assert line
    assert [row[0] for row in await store._fetch("SELECT ids FROM audit")] == [[old.row_id]]
