"""Deliveries of one patient to one endpoint leave in the order in which their events came."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from gateway.events import Delivery
from gateway.store.base import Acceptance, Room, Store
from tests.samples import delivery, event, verdict
from tests.store.acts import LATER, MOMENT, MUCH_LATER, SOON


async def accept(store: Store, key: str, endpoint: str = "http://one/") -> Delivery:
    one = event()
    made = delivery(one, order_key=key, endpoint=endpoint)
    await store.accept(Acceptance(one, [made]))
    return made


async def claimed(store: Store, now_ms: int = SOON) -> list[int]:
    return [one.delivery.id for one in await store.claim(Room(10), now_ms, MUCH_LATER)]


async def state(store: Store, one: Delivery) -> str:
    found = await store.delivery(one.id)
    assert found
    return found.state


async def test_the_next_is_due_when_the_one_before_has_ended(store: Store) -> None:
    first, second, third = [await accept(store, "a") for _ in range(3)]
    assert await claimed(store) == [first.id]
    assert await claimed(store) == []
    await store.record(verdict(first, claim=1))
    assert await claimed(store) == [second.id]
    await store.record(verdict(second, "dead", claim=1))
    assert await claimed(store) == [third.id], "one that is dead holds nothing up"


async def test_of_those_that_come_at_once_the_first_goes(store: Store) -> None:
    made = await asyncio.gather(*(accept(store, "a") for _ in range(20)), accept(store, "b"))
    *queue, other = sorted(made, key=lambda one: (one.order_key, one.id))
    for one in queue:
        assert set(await claimed(store)) == ({one.id, other.id} if one is queue[0] else {one.id})
        await asyncio.gather(*(store.record(verdict(each, claim=1)) for each in (one, other)))


async def test_one_that_waits_for_a_retry_holds_its_own_successors_only(store: Store) -> None:
    first, second = await accept(store, "a"), await accept(store, "a")
    other, elsewhere = await accept(store, "b"), await accept(store, "a", "http://two/")
    assert await claimed(store) == [first.id, other.id, elsewhere.id]
    await store.record(verdict(first, "pending", claim=1, next_ms=LATER))
    assert await claimed(store) == []
    assert await claimed(store, LATER + MOMENT) == [first.id]
    await store.record(verdict(first, claim=2))
    assert await claimed(store, LATER + MOMENT) == [second.id]


async def test_without_a_key_nothing_waits(store: Store) -> None:
    made = [await accept(store, "") for _ in range(2)]
    assert await claimed(store) == [one.id for one in made]


async def test_those_that_wait_for_another_are_not_what_their_endpoint_holds(store: Store) -> None:
    first, second = await accept(store, "a"), await accept(store, "a")
    assert await claimed(store) == [first.id]
    assert await store.held_endpoints("", 10) == []
    assert await store.claim_held(first.endpoint, Room(10), LATER) == []
    await store.release([replace(first, claim=1)], SOON, hold=True)
    (one,) = await store.claim_held(first.endpoint, Room(10), LATER)
    assert one.delivery.id == first.id
    assert await state(store, second) == "held"


async def test_a_discarded_one_holds_nothing_up(store: Store) -> None:
    first, second, third = [await accept(store, "a") for _ in range(3)]
    assert await store.discard([first.id], SOON) == [first.id]
    assert await claimed(store) == [second.id]
    await store.discard([third.id], SOON)
    assert await claimed(store) == []
    await store.record(verdict(second, claim=1))
    assert await claimed(store) == []


async def test_those_of_a_paused_endpoint_that_are_given_up_let_the_next_go(store: Store) -> None:
    first, second = await accept(store, "a"), await accept(store, "a")
    await claimed(store)
    await store.release([replace(first, claim=1)], SOON, hold=True)
    await store.give_up_held(first.endpoint, second.id, SOON, "too long")
    assert await claimed(store) == [second.id]
