from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.store.base import Acceptance, Store
from tests.samples import delivery, event, verdict
from tests.store.acts import LATER, MOMENT, MUCH_LATER, SOON, accept, deliveries_of


async def test_a_due_delivery_is_claimed_once(store: Store) -> None:
    one, (made,) = await accept(store)
    (claimed,) = await store.claim(10, SOON, LATER)
    assert (claimed.delivery, claimed.event, claimed.lease_ms) == (replace(made, claim=1), one, LATER)
    assert await store.claim(10, SOON, LATER) == []


async def test_a_claim_takes_no_more_than_asked_and_the_longest_due_first(store: Store) -> None:
    early = event(received_ms=1_000)
    late = event(received_ms=2_000)
    for one in (late, early):
        await store.accept(Acceptance(one, [delivery(one)]))
    (first,) = await store.claim(1, SOON, LATER)
    assert first.event == early


async def test_a_delivery_that_is_not_due_is_left(store: Store) -> None:
    one = event()
    await store.accept(Acceptance(one, [delivery(one)]))
    assert await store.claim(10, one.received_ms - MOMENT, LATER) == []


async def test_a_lease_that_ended_is_claimed_again_as_uncertain(store: Store) -> None:
    await accept(store)
    await store.claim(10, SOON, LATER)
    assert await store.claim(10, LATER - MOMENT, MUCH_LATER) == []
    (again,) = await store.claim(10, LATER + MOMENT, MUCH_LATER)
    assert again.delivery.uncertain


async def test_deliveries_accepted_under_a_lease_are_not_claimed(store: Store) -> None:
    await accept(store, lease_ms=LATER)
    assert await store.claim(10, SOON, LATER) == []
    (after,) = await store.claim(10, LATER + MOMENT, MUCH_LATER)
    assert after.delivery.uncertain


async def test_a_released_delivery_is_due_at_once_and_certain(store: Store) -> None:
    _, (made,) = await accept(store, lease_ms=MUCH_LATER)
    await store.release([made], SOON)
    (claimed,) = await store.claim(10, SOON + MOMENT, LATER)
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
    assert await store.claim(10, MUCH_LATER, MUCH_LATER) == []
    assert await store.delivery_with_remote_id("M1") == made.id


async def test_a_failed_delivery_is_due_when_its_verdict_says(store: Store) -> None:
    _, (made,) = await accept(store, lease_ms=LATER)
    await store.record(verdict(made, "pending", next_ms=SOON, uncertain=True))
    assert await store.claim(10, SOON - MOMENT, LATER) == []
    (claimed,) = await store.claim(10, SOON + MOMENT, LATER)
    assert claimed.delivery == replace(made, attempts=1, uncertain=True, claim=1)


@pytest.mark.parametrize("first", ["late", "present"])
async def test_a_late_failure_never_undoes_a_delivery(store: Store, first: str) -> None:
    """Two attempts of one delivery, since the lease of the earlier ended; their verdicts come in either order."""
    one, _ = await accept(store)
    (late,) = await store.claim(10, SOON, LATER)
    (present,) = await store.claim(10, LATER + MOMENT, MUCH_LATER)
    verdicts = [verdict(late.delivery, "pending", next_ms=SOON), verdict(present.delivery)]
    for told in verdicts if first == "late" else reversed(verdicts):
        await store.record(told)
    (stands,) = await deliveries_of(store, one)
    assert stands.state == "delivered"
    assert sorted(attempt.outcome for attempt in stands.attempts) == ["delivered", "pending"]
    assert [attempt.number for attempt in stands.attempts] == [1, 2]


async def test_a_late_success_counts_whatever_the_present_attempt_came_to(store: Store) -> None:
    one, _ = await accept(store)
    (late,) = await store.claim(10, SOON, LATER)
    (present,) = await store.claim(10, LATER + MOMENT, MUCH_LATER)
    await store.record(verdict(present.delivery, "dead"))
    await store.record(verdict(late.delivery))
    (stands,) = await deliveries_of(store, one)
    assert stands.state == "delivered"


async def test_endpoints_that_are_full_are_left_alone(store: Store) -> None:
    one = event()
    slow, quick = delivery(one, endpoint="http://slow/"), delivery(one, endpoint="http://quick/")
    await store.accept(Acceptance(one, [slow, quick]))
    (claimed,) = await store.claim(10, SOON, LATER, ["http://slow/"])
    assert claimed.delivery.endpoint == "http://quick/"
    (claimed,) = await store.claim(10, SOON, LATER)
    assert claimed.delivery.endpoint == "http://slow/"


async def test_no_remote_id_finds_no_delivery(store: Store) -> None:
    await accept(store)
    assert await store.delivery_with_remote_id("") is None


async def test_a_release_leaves_alone_what_another_has_claimed_since(store: Store) -> None:
    _, (stalled,) = await accept(store, lease_ms=LATER)
    await store.claim(10, LATER + MOMENT, MUCH_LATER)
    await store.release([stalled], SOON)
    assert await store.claim(10, LATER + MOMENT, MUCH_LATER) == []
