from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from gateway.errors import Unavailable
from gateway.store.base import Acceptance, Store
from tests.samples import delivery, event
from tests.store.acts import accept
from tests.store.engines import Engine


async def test_an_accepted_event_is_read_back_whole(store: Store) -> None:
    one, made = await accept(store, 2)
    trace = await store.trace(one.row_id)
    assert trace
    assert trace.event == one
    assert [told.delivery for told in trace.deliveries] == made
    assert await store.trace(one.row_id + 1) is None


async def test_numbers_are_read_back_as_they_were_written(store: Store) -> None:
    one = event(filtering={"share": Decimal("1.50"), "long": 2**70})
    await store.accept(Acceptance(one, []))
    (found,) = await store.events(1)
    assert repr(found.filtering) == repr(one.filtering)


async def test_events_are_listed_newest_first(store: Store) -> None:
    accepted = [(await accept(store))[0] for _ in range(3)]
    assert await store.events(2) == [accepted[2], accepted[1]]


async def test_many_at_once_share_commits_and_all_are_kept(store: Store) -> None:
    await asyncio.gather(*(accept(store) for _ in range(600)))
    assert len(await store.events(1000)) == 600


async def test_one_that_fails_does_not_fail_its_neighbours(store: Store) -> None:
    one, _ = await accept(store)
    fresh = [event() for _ in range(5)]
    results = await asyncio.gather(
        *(store.accept(Acceptance(each, [])) for each in [*fresh[:2], one, *fresh[2:]]), return_exceptions=True
    )
    assert [isinstance(result, Unavailable) for result in results] == [False, False, True, False, False, False]
    assert {found.row_id for found in await store.events(9)} == {one.row_id, *(each.row_id for each in fresh)}


async def test_an_event_and_its_deliveries_never_part(store: Store) -> None:
    one = event()
    twin = delivery(one)
    with pytest.raises(Unavailable):
        await store.accept(Acceptance(one, [twin, twin]))
    assert await store.events(9) == []


async def test_when_too_many_wait_nothing_more_is_taken(engine: Engine) -> None:
    store = engine.store(max_waiting=3)
    await store.open()
    waiting = [asyncio.create_task(accept(store)) for _ in range(10)]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    kept = [result for result in results if not isinstance(result, BaseException)]
    assert any(isinstance(result, Unavailable) for result in results)
    assert len(await store.events(99)) == len(kept)
    await store.close()


async def test_an_event_that_is_kept_once_is_kept_once(store: Store) -> None:
    first, repeat = event(), event()
    assert (await store.accept(Acceptance(first, [delivery(first)], once=True))).first is None
    assert (await store.accept(Acceptance(repeat, [delivery(repeat)], once=True))).first == first.row_id
    assert await store.events(9) == [first]
    assert await store.trace(repeat.row_id) is None


async def test_repeats_within_one_commit_are_found(store: Store) -> None:
    twins = [event() for _ in range(20)]
    results = await asyncio.gather(*(store.accept(Acceptance(one, [], once=True)) for one in twins))
    (kept,) = await store.events(99)
    assert sorted(str(result.first) for result in results) == sorted(["None", *[str(kept.row_id)] * 19])


@pytest.mark.parametrize("other", [{"id": "2"}, {"source": "another"}, {"application": "another"}])
async def test_an_event_with_another_name_is_another(store: Store, other: dict[str, str]) -> None:
    for one in (event(), event(**other)):
        assert (await store.accept(Acceptance(one, [], once=True))).first is None
    assert len(await store.events(9)) == 2


async def test_an_event_that_need_not_be_alone_is_kept_again(store: Store) -> None:
    for one in (event(), event()):
        assert (await store.accept(Acceptance(one, []))).first is None
    assert len(await store.events(9)) == 2


async def test_what_was_kept_before_the_time_asked_for_does_not_count(store: Store) -> None:
    first, second, third = event(), event(), event()
    assert (await store.accept(Acceptance(first, [], once=True))).first is None
    assert (await store.accept(Acceptance(second, [], once=True, since=second.row_id))).first is None
    assert (await store.accept(Acceptance(third, [], once=True, since=first.row_id))).first == second.row_id
