from __future__ import annotations

from gateway.events import Delivery, Event
from gateway.store.base import Acceptance, Store, Uncollected
from tests.samples import delivery, event, verdict
from tests.store.acts import LATER, SOON, deliveries_of

ENDED = 1_793_610_901_012
"""When `verdict` has a delivery end."""
ALWAYS = (0, LATER)


async def delivered(store: Store, remote_id: str, channel: str = "mesh") -> tuple[Event, Delivery]:
    one = event()
    made = delivery(one, channel=channel)
    await store.accept(Acceptance(one, [made], [made.id], LATER))
    await store.record(verdict(made, remote_id=remote_id))
    return one, made


async def test_what_mesh_has_taken_is_uncollected_until_mesh_says_otherwise(store: Store) -> None:
    one, made = await delivered(store, "M1")
    await delivered(store, "", channel="rest-hook")
    expected = Uncollected(made.id, "M1", ENDED)
    assert await store.uncollected(10, ALWAYS, SOON) == [expected]
    await store.record_tracking(made.id, SOON, None)
    assert await store.uncollected(10, ALWAYS, SOON) == []
    assert await store.uncollected(10, ALWAYS, SOON + 1) == [expected]
    await store.record_tracking(made.id, SOON + 1, LATER)
    assert await store.uncollected(10, ALWAYS, LATER) == []
    (told,) = await deliveries_of(store, one)
    assert (told.state, told.collected_ms) == ("delivered", LATER)


async def test_only_deliveries_of_the_time_asked_for_are_told_oldest_first(store: Store) -> None:
    for name in ("M1", "M2", "M3"):
        await delivered(store, name)
    assert await store.uncollected(10, (ENDED + 1, LATER), LATER) == []
    assert await store.uncollected(10, (0, ENDED - 1), LATER) == []
    assert len(await store.uncollected(2, (ENDED, ENDED), LATER)) == 2


async def test_the_oldest_uncollected_is_known(store: Store) -> None:
    assert await store.oldest_uncollected_ms(0) is None
    _, made = await delivered(store, "M1")
    assert await store.oldest_uncollected_ms(0) == ENDED
    assert await store.oldest_uncollected_ms(ENDED + 1) is None
    await store.record_tracking(made.id, SOON, SOON)
    assert await store.oldest_uncollected_ms(0) is None


async def test_what_mesh_gives_up_is_dead_once(store: Store) -> None:
    one, made = await delivered(store, "M1")
    assert [await store.record_undeliverable(made.id, SOON, "MESH gave up") for _ in range(2)] == [True, False]
    (told,) = await deliveries_of(store, one)
    assert (told.state, told.ended_ms, told.attempts[-1].detail) == ("dead", SOON, "MESH gave up")
    assert told.attempts[-1].outcome == "reported"
    assert await store.uncollected(10, ALWAYS, LATER) == []
