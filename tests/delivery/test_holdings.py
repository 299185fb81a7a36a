from __future__ import annotations

from gateway.delivery import holdings
from gateway.delivery.holdings import Holdings
from gateway.events import XML, Delivery, Original
from tests.samples import delivery, event

EVENT = event()


def fill(held: Holdings, endpoint: str) -> list[Delivery]:
    """Hold as much for an endpoint as may be."""
    made = []
    while held.room_for(endpoint).deliveries > 0:
        made.append(delivery(EVENT, endpoint=endpoint))
        assert held.add(EVENT, made[-1])
    return made


def test_one_endpoint_gets_half_and_leaves_half() -> None:
    held = Holdings(room=100)
    assert len(fill(held, "slow")) == 50
    assert held.room.deliveries == 50
    assert held.full == {"slow"}


def test_the_next_gets_half_of_what_is_left_and_the_largest_is_known() -> None:
    held = Holdings(room=100)
    assert [len(fill(held, name)) for name in "abcd"] == [50, 25, 13, 6]
    assert held.largest == "a"


def test_a_claim_for_an_endpoint_never_takes_more_than_it_may_hold() -> None:
    held = Holdings(room=100)
    room = held.room_for("one").deliveries
    for _ in range(room):
        held.add(EVENT, delivery(EVENT, endpoint="one"))
    assert held.room_for("one").deliveries <= 0
    assert held.of("one") == room == 50


def test_an_endpoint_that_has_room_again_is_full_no_more() -> None:
    held = Holdings(room=4)
    slow = fill(held, "slow")
    held.remove(EVENT, slow[0])
    assert held.full == set()
    for one in slow[1:]:
        held.remove(EVENT, one)
    assert held.room.deliveries == 4


def test_what_is_held_already_is_not_held_twice() -> None:
    held = Holdings(room=3)
    one = delivery(EVENT)
    assert held.add(EVENT, one)
    assert not held.add(EVENT, one)
    assert held.room.deliveries == 2


def test_large_bodies_take_up_the_room_too() -> None:
    held = Holdings(room=1000)
    large = event(original=Original(b"x" * (holdings.BYTES // 4), XML, "nems-message"))
    made = [delivery(large) for _ in range(3)]
    for one in made:
        held.add(large, one)
    assert held.full == {made[0].endpoint}
    assert held.room_for("another").deliveries > 0
    held.remove(large, made[0])
    held.remove(large, made[1])
    assert held.room_for(made[0].endpoint).deliveries > 0
