"""Events that come twice are found, wherever the hashes of their ids are: new, on their way, or in the index."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.errors import Unavailable
from gateway.store.base import Acceptance, Cutoffs
from gateway.store.sqlite import SqliteStore, events, names
from tests.samples import delivery, event


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MANY", 20)


async def accept(store: SqliteStore, number: int, **changed: str) -> int | None:
    """Accept an event once; the row id of the one that was there already."""
    return (await store.accept(Acceptance(event(id=f"id-{number}", **changed), [], once=True))).first


def counts(path: Path) -> tuple[int, int]:
    """How many hashes are new, and how many in the index."""
    with contextlib.closing(sqlite3.connect(path / "gateway.db")) as connection:
        (until,) = connection.execute("SELECT row_id FROM event_hashes_placed").fetchone()
        (new,) = connection.execute("SELECT COUNT(hash) FROM events WHERE id > ?", (until,)).fetchone()
        (placed,) = connection.execute("SELECT COUNT(*) FROM event_hashes").fetchone()
    return new, placed


async def placed(store: SqliteStore) -> None:
    """Wait until what is many has gone into the index."""
    if store._placing:
        await asyncio.wait([store._placing])


def refuse(*_: object, **__: object) -> None:
    """As a full disk does."""
    raise sqlite3.OperationalError("database or disk is full")


async def test_what_comes_twice_is_found_before_while_and_after_it_goes_into_the_index(
    store: SqliteStore, tmp_path: Path
) -> None:
    for number in range(100):
        assert await accept(store, number) is None
        assert await accept(store, number // 2) is not None
    await placed(store)
    new, in_index = counts(tmp_path)
    assert new + in_index == 100
    assert new < 40 < in_index
    found = await asyncio.gather(*(accept(store, number) for number in range(100)))
    assert None not in found
    assert len(set(found)) == 100


async def test_what_is_new_is_known_after_a_restart(tmp_path: Path) -> None:
    for turn in range(3):
        store = SqliteStore(tmp_path / "gateway.db")
        await store.open()
        found = [await accept(store, number) for number in range(30)]
        assert [one is None for one in found] == [turn == 0] * 30
        await store.close()


async def test_what_came_late_is_known_after_a_restart(tmp_path: Path) -> None:
    """As when the clock is set back: its row id is below those that are in the index already."""
    late = event(id="late")
    for turn in range(2):
        store = SqliteStore(tmp_path / "gateway.db")
        await store.open()
        for number in range(30):
            await accept(store, number)
        await placed(store)
        assert counts(tmp_path)[1] >= 20
        found = await store.accept(Acceptance(replace(late, row_id=late.row_id - turn), [], once=True))
        assert found.first == (None if turn == 0 else late.row_id)
        await store.close()


async def test_what_came_late_is_known_even_while_the_others_are_on_their_way(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    late = event(id="late")
    for number in range(15):
        await accept(store, number)
    parts = store._names.begin_to_place()
    await store.accept(Acceptance(late, [], once=True))
    for part in parts:
        await store._writer.submit_long(functools.partial(names.place, part=part))
    await store._write(store._names.are_placed)
    await store.close()
    again = SqliteStore(tmp_path / "gateway.db")
    await again.open()
    assert (await again.accept(Acceptance(replace(late, row_id=late.row_id + 99), [], once=True))).first == late.row_id
    await again.close()


async def test_what_may_come_again_does(store: SqliteStore, tmp_path: Path) -> None:
    one, other = event(id="id-1"), event(id="id-1")
    kept = await asyncio.gather(store.accept(Acceptance(one, [])), store.accept(Acceptance(other, [], once=True)))
    assert [each.first for each in kept] == [None, None]
    assert counts(tmp_path) == (1, 0)
    assert await accept(store, 1) == other.row_id


async def test_the_same_id_of_another_source_is_another_event(store: SqliteStore) -> None:
    for number in range(30):
        assert await accept(store, number) is None
        assert await accept(store, number, source="another") is None
    await placed(store)
    for number in range(30):
        assert await accept(store, number) != await accept(store, number, source="another")


async def test_an_event_that_was_not_kept_does_not_hide_the_next(store: SqliteStore) -> None:
    one = event(id="id-1")
    twin = delivery(one)
    with pytest.raises(Unavailable):
        await store.accept(Acceptance(one, [twin, twin], once=True))
    assert await accept(store, 1) is None
    assert await accept(store, 1) is not None


async def test_an_event_is_found_by_its_id_for_its_answers(store: SqliteStore) -> None:
    for number in range(50):
        await accept(store, number)
    await placed(store)
    assert [len(await store.events_named(f"id-{number}")) for number in range(50)] == [1] * 50


async def test_while_the_database_refuses_repeats_are_found_all_the_same(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAUSE_SECONDS", 0.1)
    with monkeypatch.context() as refusing:
        refusing.setattr(events, "place", refuse)
        assert [await accept(store, number) for number in range(50)] == [None] * 50
        assert None not in [await accept(store, number) for number in range(50)]
    assert counts(tmp_path) == (50, 0)
    await placed(store)
    assert await accept(store, 1) is not None
    await placed(store)
    assert counts(tmp_path) == (0, 50)


async def test_what_cannot_be_read_again_stays_known(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAUSE_SECONDS", 0.0)
    with monkeypatch.context() as refusing:
        refusing.setattr(events, "place", refuse)
        refusing.setattr(names, "NEW", "SELECT nothing FROM events WHERE id > ?")
        assert [await accept(store, number) for number in range(50)] == [None] * 50
        await placed(store)
        assert None not in [await accept(store, number) for number in range(50)]
    await accept(store, 50)
    await placed(store)
    assert None not in [await accept(store, number) for number in range(50)]


async def test_events_that_may_come_again_are_not_looked_through_again_at_each_start(
    store: SqliteStore, tmp_path: Path
) -> None:
    for _ in range(65):
        await store.accept(Acceptance(event(), []))
        await placed(store)
    with contextlib.closing(sqlite3.connect(tmp_path / "gateway.db")) as connection:
        (until,) = connection.execute("SELECT row_id FROM event_hashes_placed").fetchone()
        (after,) = connection.execute("SELECT COUNT(*) FROM events WHERE id > ?", (until,)).fetchone()
    assert after < names.MANY


async def test_an_event_is_found_by_its_id_by_who_only_reads(store: SqliteStore, tmp_path: Path) -> None:
    for number in range(30):
        await accept(store, number)
    await placed(store)
    reader = SqliteStore(tmp_path / "gateway.db")
    await reader.open_to_read()
    assert [len(await reader.events_named(f"id-{number}")) for number in range(30)] == [1] * 30
    await reader.close()


async def test_what_is_erased_leaves_no_hash(store: SqliteStore, tmp_path: Path) -> None:
    for number in range(50):
        await accept(store, number)
    await placed(store)
    forever = 1 << 42
    erased = await store.erase(Cutoffs(forever, {}, forever), 0, 100)
    assert (erased.events, counts(tmp_path)) == (50, (0, 0))
    assert await accept(store, 1) is None


async def test_what_is_erased_on_its_way_into_the_index_leaves_no_hash(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(19):
        await accept(store, number)
    monkeypatch.setattr(names, "PART", 5)
    first, *others = store._names.begin_to_place()
    await store._writer.submit_long(functools.partial(names.place, part=first))
    assert counts(tmp_path) == (19, 5)
    forever = 1 << 42
    await store.erase(Cutoffs(forever, {}, forever), 0, 100)
    for part in others:
        await store._writer.submit_long(functools.partial(names.place, part=part))
    await store._write(store._names.are_placed)
    assert counts(tmp_path) == (0, 0)


@pytest.mark.parametrize("full", [False, True])
async def test_what_is_refused_again_and_again_is_not_remembered_for_ever(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    one = event(id="id-1")
    twin = delivery(one)
    monkeypatch.setattr(events, "PAUSE_SECONDS", 0.0)
    if full:
        monkeypatch.setattr(events, "place", refuse)
    for _ in range(200):
        with pytest.raises(Unavailable):
            await store.accept(Acceptance(one, [twin, twin], once=True))
        await asyncio.sleep(0)
    await placed(store)
    known = store._names
    assert sum(map(len, [*known._new.values(), *known._on_their_way.values()])) <= 4 * names.MANY


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=30), max_size=12))
def test_of_any_events_each_is_kept_once(tmp_path_factory: pytest.TempPathFactory, groups: list[list[int]]) -> None:
    async def run() -> None:
        store = SqliteStore(tmp_path_factory.mktemp("any") / "gateway.db")
        await store.open()
        kept: set[int] = set()
        for group in groups:
            found = await asyncio.gather(*(accept(store, number) for number in group))
            fresh = [number for number, first in zip(group, found, strict=True) if first is None]
            assert sorted(fresh) == sorted(set(group) - kept)
            kept.update(group)
        await store.close()

    asyncio.run(run())
