"""Events are numbered 1, 2, 3 in each subscription whose form asks for it, without a gap."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import Unavailable
from gateway.events import Delivery, Event
from gateway.store.base import Acceptance, Kept, Room, Store
from tests.samples import delivery, event
from tests.store.acts import LATER, SOON, deliveries_of


def numbered(of: Event, subscription: str = "one") -> Delivery:
    return delivery(of, form="r4-id-only", subscriptions=(subscription,))


async def keep(store: Store, subscription: str = "one") -> tuple[Event, int]:
    one = event()
    made = numbered(one, subscription)
    kept = await store.accept(Acceptance(one, [made]))
    return one, kept.numbers[made.id]


async def test_numbers_begin_at_one_in_each_subscription(store: Store) -> None:
    assert [(await keep(store))[1] for _ in range(3)] == [1, 2, 3]
    assert (await keep(store, "two"))[1] == 1
    assert await store.event_counts(["one", "two", "three"]) == {"one": 3, "two": 1}


async def test_events_that_are_accepted_at_once_get_different_numbers(store: Store) -> None:
    kept = await asyncio.gather(*(keep(store) for _ in range(50)))
    assert sorted(number for _, number in kept) == list(range(1, 51))


async def test_what_was_not_kept_leaves_no_gap(store: Store) -> None:
    one = event()
    made = numbered(one)
    await store.accept(Acceptance(one, [made]))
    # The same event again breaks the key of the table; its neighbours in the group must not lose by it.
    again, *others = await asyncio.gather(
        store.accept(Acceptance(one, [numbered(one)])), *(keep(store) for _ in range(5)), return_exceptions=True
    )
    assert isinstance(again, Unavailable)
    assert sorted(number for _, number in others) == [2, 3, 4, 5, 6]


async def test_an_event_that_was_there_already_takes_no_number(store: Store) -> None:
    one, again = event(id="same"), event(id="same")
    await store.accept(Acceptance(one, [numbered(one)], once=True))
    assert await store.accept(Acceptance(again, [numbered(again)], once=True)) == Kept(one.row_id)
    assert (await keep(store))[1] == 2


async def test_other_forms_are_not_numbered(store: Store) -> None:
    one = event()
    assert (await store.accept(Acceptance(one, [delivery(one)]))).numbers == {}
    assert await store.event_counts(["one"]) == {}


async def test_a_delivery_keeps_its_number(store: Store) -> None:
    await keep(store)
    one, number = await keep(store)
    claimed = await store.claim(Room(10), SOON, LATER)
    assert [each.delivery.number for each in claimed if each.event == one] == [number]
    assert [told.delivery.number for told in await deliveries_of(store, one)] == [number]


@pytest.mark.parametrize(
    ("since", "until", "limit", "numbers"),
    [(1, 9, 9, [1, 2, 3, 4]), (2, 3, 9, [2, 3]), (3, 9, 9, [3, 4]), (1, 9, 2, [1, 2]), (5, 9, 9, []), (3, 2, 9, [])],
)
async def test_events_are_found_by_their_numbers(
    store: Store, since: int, until: int, limit: int, numbers: list[int]
) -> None:
    kept = [(await keep(store))[0] for _ in range(4)]
    await keep(store, "two")
    found = await store.numbered_events("one", since, until, limit)
    assert found == [(number, kept[number - 1]) for number in numbers]
