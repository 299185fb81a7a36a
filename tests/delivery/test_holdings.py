from __future__ import annotations

from gateway.delivery import holdings
from gateway.delivery.holdings import Holdings
from gateway.events import XML, Original
from tests.samples import delivery, event

EVENT = event()


def test_past_half_the_room_an_endpoint_gets_its_share_and_no_more() -> None:
    held = Holdings(room=10, share=2)
    slow = [delivery(EVENT, endpoint="slow") for _ in range(6)]
    for one in slow[:5]:
        assert held.has_room_for(one)
        assert held.add(EVENT, one)
    assert not held.has_room_for(slow[5])
    assert held.full == ["slow"]
    quick = [delivery(EVENT, endpoint="quick") for _ in range(3)]
    for one in quick[:2]:
        assert held.has_room_for(one)
        held.add(EVENT, one)
    assert not held.has_room_for(quick[2])


def test_an_endpoint_that_was_full_says_when_it_has_room_again() -> None:
    held = Holdings(room=4, share=2)
    slow = [delivery(EVENT, endpoint="slow") for _ in range(2)]
    for one in slow:
        held.add(EVENT, one)
    assert held.remove(EVENT, slow[0])
    assert held.full == []
    assert not held.remove(EVENT, slow[1]), "it is told once"


def test_the_room_is_shared_by_all() -> None:
    held = Holdings(room=3, share=10)
    made = [delivery(EVENT, endpoint=f"e{number}") for number in range(3)]
    for one in made:
        held.add(EVENT, one)
    assert held.room == 0
    assert not held.has_room_for(delivery(EVENT, endpoint="another"))
    held.remove(EVENT, made[0])
    assert held.room == 1


def test_what_is_held_already_is_not_held_twice() -> None:
    held = Holdings(room=3, share=10)
    one = delivery(EVENT)
    assert held.add(EVENT, one)
    assert not held.add(EVENT, one)
    assert held.room == 2


def test_large_bodies_take_up_the_room_too() -> None:
    held = Holdings(room=1000, share=1000)
    large = event(original=Original(b"x" * (holdings.BYTES // 2), XML, "nems-message"))
    made = [delivery(large) for _ in range(3)]
    for one in made[:2]:
        held.add(large, one)
    assert held.room == 0
    assert not held.has_room_for(made[2])
    held.remove(large, made[0])
    assert held.room > 0
