from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from gateway import ids
from gateway.clock import instant_ms, now_ms
from gateway.events import Delivery, DeliveryState
from gateway.store.base import Acceptance, Room, Selection, Store
from gateway.subscriptions.subscription import Subscription
from tests.samples import delivery, event, subscription, verdict
from tests.store.acts import LATER, MUCH_LATER, SOON

DEAD = Selection(states=("dead",))


async def subscribed(store: Store) -> Subscription:
    one = subscription(channel="rest-hook", endpoint="http://one/")
    await store.add_subscription(one)
    return one


async def ended(store: Store, of: Subscription, state: DeliveryState = "dead", **changed: str) -> Delivery:
    """A delivery that has come to an end."""
    one = event(**{name: value for name, value in changed.items() if name == "type"})
    values = {name: value for name, value in changed.items() if name != "type"}
    made = delivery(one, **({"subscriptions": (of.id,), "endpoint": "http://one/"} | values))
    await store.accept(Acceptance(one, [made], [made.id], LATER))
    await store.record(verdict(made, state))
    return made


async def found(store: Store, which: Selection, limit: int = 100, after: int = 0) -> list[int]:
    return [one.delivery.id for one in await store.deliveries(which, limit, after)]


async def test_deliveries_are_found_by_what_they_have(store: Store) -> None:
    mine, other = await subscribed(store), await subscribed(store)
    dead = await ended(store, mine)
    sent = await ended(store, mine, "delivered", endpoint="http://two/")
    others = await ended(store, other, type="pds-record-change-1")
    assert await found(store, Selection()) == [dead.id, sent.id, others.id]
    assert await found(store, DEAD) == [dead.id, others.id]
    assert await found(store, Selection(states=("dead", "delivered"), subscription=mine.id)) == [dead.id, sent.id]
    assert await found(store, Selection(endpoint="http://two/")) == [sent.id]
    assert await found(store, Selection(event_type="pds-record-change-1")) == [others.id]
    assert await store.count_deliveries(DEAD) == 2
    assert await store.count_deliveries(Selection(subscription="none")) == 0


async def test_deliveries_are_found_by_when_they_were_made(store: Store) -> None:
    mine = await subscribed(store)
    before = now_ms()
    made = await ended(store, mine)
    assert await found(store, Selection(since_ms=before, until_ms=now_ms() + 1_000)) == [made.id]
    assert await found(store, Selection(until_ms=before - 1_000)) == []
    assert await found(store, Selection(since_ms=now_ms() + 60_000)) == []
    end_of_time = instant_ms("9999-12-31T23:59:59Z")
    assert await found(store, Selection(since_ms=0, until_ms=end_of_time)) == [made.id]
    assert await found(store, Selection(since_ms=end_of_time)) == []


async def test_a_page_goes_on_where_the_one_before_ended(store: Store) -> None:
    mine = await subscribed(store)
    made = [await ended(store, mine) for _ in range(3)]
    assert await found(store, DEAD, limit=2) == [made[0].id, made[1].id]
    assert await found(store, DEAD, limit=2, after=made[1].id) == [made[2].id]


async def test_one_is_told_with_its_attempts(store: Store) -> None:
    made = await ended(store, await subscribed(store))
    told = await store.delivery(made.id)
    assert told
    assert [attempt.outcome for attempt in told.attempts] == ["dead"]
    assert await store.deliveries(DEAD, 1) == [told]
    assert await store.delivery(1) is None


@pytest.mark.parametrize("state", ["dead", "delivered"])
async def test_what_is_replayed_is_due_with_all_its_attempts_and_marked(store: Store, state: DeliveryState) -> None:
    made = await ended(store, await subscribed(store), state)
    assert await store.replay([made.id, 1], SOON) == [made.id]
    (claimed,) = await store.claim(Room(10), SOON, LATER)
    assert claimed.delivery == msgspec.structs.replace(made, replays=1, claim=2)
    await store.record(verdict(claimed.delivery))
    told = await store.delivery(made.id)
    assert told
    assert [attempt.number for attempt in told.attempts] == [1, 2]


async def test_what_was_sent_again_is_held_for_as_long_as_a_new_one(store: Store) -> None:
    """However old its event is: its endpoint may still be left alone when an operator sends it again."""
    made = await ended(store, await subscribed(store))
    await store.replay([made.id], SOON)
    assert await store.claim(Room(10), SOON, LATER, {made.endpoint}) == []
    assert await store.give_up_held(made.endpoint, made.id + 1, SOON, "too long") == 0
    assert await store.give_up_held(made.endpoint, ids.first_at(MUCH_LATER), SOON, "too long") == 1


async def test_what_is_under_way_or_due_is_not_replayed(store: Store) -> None:
    mine = await subscribed(store)
    one = event()
    due, sending = (delivery(one, subscriptions=(mine.id,)) for _ in range(2))
    await store.accept(Acceptance(one, [due, sending], [sending.id], MUCH_LATER))
    assert await store.replay([due.id, sending.id], SOON) == []


@pytest.mark.parametrize("gone", ["deleted", "off"])
async def test_nothing_is_replayed_to_a_subscription_that_is_gone(store: Store, gone: str) -> None:
    mine = await subscribed(store)
    made = await ended(store, mine)
    if gone == "deleted":
        await store.delete_subscription(mine.id, SOON)
    else:
        await store.set_subscription_state(mine.id, "off")
    assert await store.replay([made.id], SOON) == []
    assert await found(store, DEAD) == [made.id]


@pytest.mark.parametrize("order_key", ["", "a"])
async def test_what_is_replayed_goes_to_where_the_endpoint_is_now(store: Store, order_key: str) -> None:
    mine = await subscribed(store)
    made = await ended(store, mine, order_key=order_key)
    moved = replace(mine, endpoint="http://two/", state="requested", unproven=True)
    await store.replace_subscription(moved)
    assert await store.replay([made.id], SOON) == []
    await store.replace_subscription(replace(moved, state="active", unproven=False))
    assert await store.replay([made.id], SOON) == [made.id]
    (claimed,) = await store.claim(Room(10), SOON, LATER)
    assert claimed.delivery.endpoint == "http://two/"


async def test_what_is_replayed_does_not_go_by_another_channel(store: Store) -> None:
    mine = await subscribed(store)
    made = await ended(store, mine)
    await store.replace_subscription(replace(mine, channel="mesh", endpoint="A20047OT001"))
    assert await store.replay([made.id], SOON) == [made.id]
    (claimed,) = await store.claim(Room(10), SOON, LATER)
    assert (claimed.delivery.channel, claimed.delivery.endpoint) == ("rest-hook", "http://one/")


async def test_one_that_may_have_arrived_is_asked_about_when_it_is_replayed(store: Store) -> None:
    mine = await subscribed(store)
    one = event()
    made = delivery(one, subscriptions=(mine.id,))
    await store.accept(Acceptance(one, [made], [made.id], LATER))
    await store.record(verdict(made, "dead", uncertain=True))
    await store.replay([made.id], SOON)
    (claimed,) = await store.claim(Room(10), SOON, LATER)
    assert claimed.delivery.uncertain


async def test_a_discarded_one_is_no_dead_letter_any_more_and_can_be_replayed(store: Store) -> None:
    made = await ended(store, await subscribed(store))
    assert await store.discard([made.id], SOON) == [made.id]
    assert await store.discard([made.id], SOON) == []
    assert await found(store, DEAD) == []
    assert await found(store, replace(DEAD, discarded=True)) == [made.id]
    assert await store.replay([made.id], SOON) == [made.id]
    assert len(await store.claim(Room(10), SOON, LATER)) == 1


async def test_what_waits_can_be_discarded_and_what_is_done_or_under_way_cannot(store: Store) -> None:
    mine = await subscribed(store)
    one = event()
    due, held, sending = (delivery(one, subscriptions=(mine.id,)) for _ in range(3))
    await store.accept(Acceptance(one, [due, held, sending], [sending.id], MUCH_LATER, held=[held.id]))
    done = await ended(store, mine, "delivered")
    assert await store.discard([due.id, held.id, sending.id, done.id], SOON) == [due.id, held.id]
    assert await store.claim(Room(10), SOON, LATER) == []


async def test_one_in_order_is_replayed_after_the_one_under_way(store: Store) -> None:
    mine = await subscribed(store)
    dead = await ended(store, mine, order_key="a")
    one = event()
    present = delivery(one, subscriptions=(mine.id,), endpoint="http://one/", order_key="a")
    await store.accept(Acceptance(one, [present]))
    assert len(await store.claim(Room(10), SOON, LATER)) == 1
    assert await store.replay([dead.id], SOON) == [dead.id]
    assert await store.claim(Room(10), SOON, LATER) == []
    await store.record(verdict(present, claim=1))
    (claimed,) = await store.claim(Room(10), SOON, LATER)
    assert claimed.delivery.id == dead.id
