from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.events import XML, Original
from gateway.store.base import Acceptance, Room, Store
from tests.samples import delivery, event, verdict
from tests.store.acts import LATER, MOMENT, MUCH_LATER, SOON, accept, deliveries_of


async def test_a_due_delivery_is_claimed_once(store: Store) -> None:
    one, (made,) = await accept(store)
    (claimed,) = await store.claim(Room(10), SOON, LATER)
    assert (claimed.delivery, claimed.event, claimed.lease_ms) == (replace(made, claim=1), one, LATER)
    assert await store.claim(Room(10), SOON, LATER) == []


async def test_a_claim_takes_no_more_than_asked_and_the_longest_due_first(store: Store) -> None:
    early = event(received_ms=1_000)
    late = event(received_ms=2_000)
    for one in (late, early):
        await store.accept(Acceptance(one, [delivery(one)]))
    (first,) = await store.claim(Room(1), SOON, LATER)
    assert first.event == early


async def test_a_delivery_that_is_not_due_is_left(store: Store) -> None:
    one = event()
    await store.accept(Acceptance(one, [delivery(one)]))
    assert await store.claim(Room(10), one.received_ms - MOMENT, LATER) == []


async def test_a_lease_that_ended_is_claimed_again_as_uncertain(store: Store) -> None:
    await accept(store)
    await store.claim(Room(10), SOON, LATER)
    assert await store.claim(Room(10), LATER - MOMENT, MUCH_LATER) == []
    (again,) = await store.claim(Room(10), LATER + MOMENT, MUCH_LATER)
    assert again.delivery.uncertain


async def test_deliveries_accepted_under_a_lease_are_not_claimed(store: Store) -> None:
    await accept(store, lease_ms=LATER)
    assert await store.claim(Room(10), SOON, LATER) == []
    (after,) = await store.claim(Room(10), LATER + MOMENT, MUCH_LATER)
    assert after.delivery.uncertain


async def test_a_released_delivery_is_due_at_once_and_certain(store: Store) -> None:
    _, (made,) = await accept(store, lease_ms=MUCH_LATER)
    await store.release([made], SOON)
    (claimed,) = await store.claim(Room(10), SOON + MOMENT, LATER)
    assert claimed.delivery == replace(made, claim=1)


async def test_a_delivered_delivery_is_done(store: Store) -> None:
    one, (made,) = await accept(store, lease_ms=LATER)
    await store.record(verdict(made, remote_id="M1"))
    trace = await store.trace(one.row_id)
    assert trace
    (told,) = trace.deliveries
    assert (told.state, told.remote_id, told.ended_ms, told.delivery.attempts) == (
        "delivered",
        "M1",
        1_793_610_901_012,
        1,
    )
    assert told.attempts == (verdict(made).attempt,)
    assert await store.claim(Room(10), MUCH_LATER, MUCH_LATER) == []
    assert await store.delivery_with_remote_id("M1") == made.id


async def test_a_failed_delivery_is_due_when_its_verdict_says(store: Store) -> None:
    _, (made,) = await accept(store, lease_ms=LATER)
    await store.record(verdict(made, "pending", next_ms=SOON, uncertain=True))
    assert await store.claim(Room(10), SOON - MOMENT, LATER) == []
    (claimed,) = await store.claim(Room(10), SOON + MOMENT, LATER)
    assert claimed.delivery == replace(made, attempts=1, uncertain=True, claim=1)


@pytest.mark.parametrize("first", ["late", "present"])
async def test_a_late_failure_never_undoes_a_delivery(store: Store, first: str) -> None:
    """Two attempts of one delivery, since the lease of the earlier ended; their verdicts come in either order."""
    one, _ = await accept(store)
    (late,) = await store.claim(Room(10), SOON, LATER)
    (present,) = await store.claim(Room(10), LATER + MOMENT, MUCH_LATER)
    verdicts = [verdict(late.delivery, "pending", next_ms=SOON), verdict(present.delivery)]
    for told in verdicts if first == "late" else reversed(verdicts):
        await store.record(told)
    (stands,) = await deliveries_of(store, one)
    assert stands.state == "delivered"
    assert sorted(attempt.outcome for attempt in stands.attempts) == ["delivered", "pending"]
    assert [attempt.number for attempt in stands.attempts] == [1, 2]


async def test_a_late_success_counts_whatever_the_present_attempt_came_to(store: Store) -> None:
    one, _ = await accept(store)
    (late,) = await store.claim(Room(10), SOON, LATER)
    (present,) = await store.claim(Room(10), LATER + MOMENT, MUCH_LATER)
    await store.record(verdict(present.delivery, "dead"))
    await store.record(verdict(late.delivery))
    (stands,) = await deliveries_of(store, one)
    assert stands.state == "delivered"


async def test_what_is_due_for_a_full_endpoint_is_held_until_it_is_asked_for(store: Store) -> None:
    one = event()
    slow, quick = delivery(one, endpoint="http://slow/"), delivery(one, endpoint="http://quick/")
    await store.accept(Acceptance(one, [slow, quick]))
    (claimed,) = await store.claim(Room(10), SOON, LATER, ["http://slow/"])
    assert claimed.delivery.endpoint == "http://quick/"
    assert [each.state for each in await deliveries_of(store, one)] == ["held", "sending"]
    assert await store.claim(Room(10), SOON, LATER) == [], "the due are not looked through again"
    assert await store.claim_held("http://quick/", Room(10), LATER) == []
    (claimed,) = await store.claim_held("http://slow/", Room(10), LATER)
    assert (claimed.delivery, claimed.event) == (replace(slow, claim=1), one)


async def test_a_backlog_of_a_full_endpoint_hides_nothing_that_is_due(store: Store) -> None:
    slow = event(received_ms=1_000)
    await store.accept(Acceptance(slow, [delivery(slow, endpoint="http://slow/") for _ in range(1200)]))
    quick = event(received_ms=2_000)
    await store.accept(Acceptance(quick, [delivery(quick, endpoint="http://quick/")]))
    (claimed,) = await store.claim(Room(10), SOON, LATER, ["http://slow/"])
    assert claimed.event == quick


async def test_what_is_accepted_as_held_is_not_due(store: Store) -> None:
    one = event()
    made = [delivery(one) for _ in range(3)]
    await store.accept(Acceptance(one, made, [made[0].id], LATER, held=[made[1].id]))
    assert [each.state for each in await deliveries_of(store, one)] == ["sending", "held", "pending"]
    (claimed,) = await store.claim(Room(10), SOON, LATER)
    assert claimed.delivery.id == made[2].id


async def test_held_ones_are_claimed_in_the_order_they_came(store: Store) -> None:
    _, made = await accept(store, 5, lease_ms=LATER)
    await store.release([made[3], made[1], made[2]], SOON, hold=True)
    claimed = await store.claim_held(made[0].endpoint, Room(2), MUCH_LATER)
    assert [one.delivery.id for one in claimed] == [made[1].id, made[2].id]


async def test_endpoints_with_held_deliveries_are_listed_in_steps(store: Store) -> None:
    one = event()
    made = [delivery(one, endpoint=f"http://{number}/") for number in (3, 1, 2, 1)]
    await store.accept(Acceptance(one, made, held=[each.id for each in made]))
    assert await store.held_endpoints("", 2) == ["http://1/", "http://2/"]
    assert await store.held_endpoints("http://2/", 2) == ["http://3/"]


@pytest.mark.parametrize("held", [False, True])
async def test_a_claim_takes_no_more_bodies_than_there_is_room_for(store: Store, held: bool) -> None:
    for _ in range(6):
        one = event(original=Original(b"x" * 1000, XML, "nems-message"))
        made = [delivery(one)]
        await store.accept(Acceptance(one, made, held=[made[0].id] if held else []))
    room = Room(100, 2500)
    claimed = await (store.claim_held(made[0].endpoint, room, LATER) if held else store.claim(room, SOON, LATER))
    assert len(claimed) == 3, "the one that fills the room is the last"


async def test_held_deliveries_that_are_too_old_are_dead_letters(store: Store) -> None:
    one, made = await accept(store, 3, lease_ms=LATER)
    await store.release(made, SOON, hold=True)
    assert await store.give_up_held(made[0].endpoint, made[2].id, SOON, "its endpoint failed too long") == 2
    assert await store.give_up_held(made[0].endpoint, made[2].id, SOON, "its endpoint failed too long") == 0
    found = await deliveries_of(store, one)
    assert [each.state for each in found] == ["dead", "dead", "held"]
    assert found[0].attempts[0].detail == "its endpoint failed too long"
    assert found[0].ended_ms == SOON


async def test_no_remote_id_finds_no_delivery(store: Store) -> None:
    await accept(store)
    assert await store.delivery_with_remote_id("") is None


async def test_a_release_leaves_alone_what_another_has_claimed_since(store: Store) -> None:
    _, (stalled,) = await accept(store, lease_ms=LATER)
    await store.claim(Room(10), LATER + MOMENT, MUCH_LATER)
    await store.release([stalled], SOON)
    assert await store.claim(Room(10), LATER + MOMENT, MUCH_LATER) == []
