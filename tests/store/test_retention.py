from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.clock import now_ms
from gateway.events import Delivery, Event, Original
from gateway.ids import Ids
from gateway.retention import Eraser
from gateway.settings import RetentionSettings
from gateway.store.base import Acceptance, Answer, Audit, InboxMessage, Room, Store
from tests.samples import delivery, event, subscription, verdict
from tests.store.acts import LATER

DAY_MS = 86_400_000
SETTINGS = RetentionSettings(days=2, event_types={"quick-1": 1}, audit_days=10)
NHS_NUMBER = "9990001006"


async def keep(store: Store, days_ago: float, state: str = "delivered", **changed: object) -> tuple[Event, Delivery]:
    """An event that came in so many days ago, with two deliveries in that state."""
    came_ms = now_ms() - round(days_ago * DAY_MS)
    ids = Ids(clock=lambda: came_ms)
    one = event(row_id=ids.next(), received_ms=came_ms, **changed)
    made = [delivery(one, id=ids.next()) for _ in range(2)]
    await store.accept(Acceptance(one, made, [each.id for each in made], LATER, once=True))
    for each in made:
        await store.record(verdict(each, state))
    return one, made[0]


async def erase(store: Store, days: float = 0) -> int:
    """Run retention as it will be in so many days."""
    return await Eraser(store, SETTINGS, clock=lambda: now_ms() + round(days * DAY_MS)).run()


async def test_what_has_been_kept_long_enough_is_erased_and_a_line_of_it_stays(store: Store) -> None:
    old, _ = await keep(store, 4, id="aaaaaaaa-0000-4000-8000-000000000001")
    named, _ = await keep(store, 4, "dead", id="not a UUID")
    young, _ = await keep(store, 1)
    assert await Eraser(store, SETTINGS).expired() == {"pds-change-of-gp-1": 2}
    assert await erase(store) == 2
    assert [found.row_id for found in await store.events(9)] == [young.row_id]
    assert await store.trace(old.row_id) is None
    expected = Audit(old.row_id, old.id, old.type, old.source, old.face, old.application, 2, 0)
    assert await store.audit(old.row_id) == expected
    assert await store.audit(named.row_id) == replace(expected, row_id=named.row_id, id=named.id, delivered=0, dead=2)
    assert await store.audit(young.row_id) is None
    assert await erase(store) == 0
    assert await Eraser(store, SETTINGS).expired() == {}


@pytest.mark.parametrize("days_ago", [1.5, 4])
async def test_each_event_type_has_its_own_time(store: Store, days_ago: float) -> None:
    quick, _ = await keep(store, days_ago, type="quick-1", id="quick")
    other, _ = await keep(store, days_ago, id="other")
    expected = 1 if days_ago < 2 else 2
    assert await erase(store) == expected
    assert await store.audit(quick.row_id)
    assert bool(await store.audit(other.row_id)) == (expected == 2)


async def test_what_was_looked_through_is_so_again_a_day_later(store: Store) -> None:
    """Between the longest time and a shorter one there may be millions of events, which a run need not read again."""
    hours = 0.0
    settings = RetentionSettings(days=10, event_types={"quick-1": 1}, audit_days=20)
    eraser = Eraser(store, settings, clock=lambda: now_ms() + round(hours / 24 * DAY_MS))
    assert await eraser.run() == 0
    missed, _ = await keep(store, 1.5, type="quick-1", id="missed")  # as if its deliveries had ended only now
    coming, _ = await keep(store, 0.99, type="quick-1", id="coming")
    hours = 1
    assert await eraser.run() == 1
    assert await store.audit(coming.row_id)
    hours = 23
    assert await eraser.run() == 0
    hours = 24
    assert await eraser.run() == 1
    assert await store.audit(missed.row_id)


@pytest.mark.parametrize(("name", "days"), [("other", 1.0), ("mid-1", 2.0), ("slow-1", 10.0)])
async def test_each_run_erases_what_came_of_age_since_the_one_before(store: Store, name: str, days: float) -> None:
    hours = 0.0
    settings = RetentionSettings(days=1, event_types={"slow-1": 10, "mid-1": 2}, audit_days=20)
    eraser = Eraser(store, settings, clock=lambda: now_ms() + round(hours / 24 * DAY_MS))
    one, _ = await keep(store, days - 0.1, type=name)
    assert await eraser.run() == 0
    hours = 1
    assert await eraser.run() == 0
    hours = 3
    # PostgreSQL erases what is kept longest by whole days: then at the next look at everything.
    erased = await eraser.run()
    hours = 50
    assert erased + await eraser.run() == 1
    assert erased == 1 or name == "slow-1"
    assert await store.audit(one.row_id)


async def test_all_is_looked_through_when_the_clock_was_set_back(store: Store) -> None:
    hours = 240.0
    eraser = Eraser(store, SETTINGS, clock=lambda: now_ms() + round(hours / 24 * DAY_MS))
    await eraser.run()
    hours = 0
    await keep(store, 1.5, type="quick-1")
    assert await eraser.run() == 1


@pytest.mark.parametrize("state", ["pending", "held"])
async def test_what_has_a_delivery_to_be_made_stays(store: Store, state: str) -> None:
    waiting, made = await keep(store, 4, state, id="waiting")
    done, _ = await keep(store, 4, id="done")
    assert await erase(store) == 1
    assert [found.row_id for found in await store.events(9)] == [waiting.row_id]
    assert await store.audit(done.row_id)
    assert len(await store.claim(Room(9), LATER, LATER)) == (2 if state == "pending" else 0)
    assert made.event_id == waiting.row_id


async def test_many_are_erased_in_small_steps(store: Store) -> None:
    kept = [
        (await keep(store, 4, "pending" if number == 0 else "delivered", id=f"{number}"))[0] for number in range(30)
    ]
    assert await Eraser(store, SETTINGS, step=7).run() == 29
    assert [found.row_id for found in await store.events(99)] == [kept[0].row_id]


async def test_a_name_may_be_used_again_when_its_event_is_erased(store: Store) -> None:
    first, _ = await keep(store, 4, id="name")
    again = event(id="name")
    assert (await store.accept(Acceptance(again, [], once=True))).first == first.row_id
    await erase(store)
    assert (await store.accept(Acceptance(again, [], once=True))).first is None


async def test_a_line_is_erased_in_its_time_too(store: Store) -> None:
    old, _ = await keep(store, 4)
    await erase(store)
    await erase(store, days=5)
    assert await store.audit(old.row_id)
    await erase(store, days=7)
    assert await store.audit(old.row_id) is None


async def test_inbox_messages_and_deleted_subscriptions_go_with_the_longest_kept(store: Store) -> None:
    gone, stays = subscription(), subscription(criteria="other")
    for one in (gone, stays):
        await store.add_subscription(one)
    await store.delete_subscription(gone.id, now_ms() - 3 * DAY_MS)
    await store.delete_subscription(stays.id, now_ms() - DAY_MS)
    for name, days in (("old", 3), ("young", 1)):
        await store.add_to_inbox(InboxMessage(name, now_ms() - days * DAY_MS, "quarantine", "why", {}, b"body"))
    await erase(store)
    assert await store.subscription(gone.id) is None
    assert await store.subscription(stays.id)
    assert await store.inbox("old") is None
    assert await store.inbox("young")


async def test_acknowledgements_go_with_what_they_acknowledge(store: Store) -> None:
    old, _ = await keep(store, 4)
    answer = Answer(old.row_id, event().row_id, now_ms(), "local", "business", "ok")
    await store.add_answer(answer)
    assert await store.answers(old.row_id) == [answer]
    await erase(store)
    assert await store.answers(old.row_id) == []


async def test_nothing_of_the_patient_stays(store: Store) -> None:
    body = Original(f"<Patient>{NHS_NUMBER}</Patient>".encode(), "application/fhir+xml", "nems-message")
    old, _ = await keep(store, 4, original=body, dataref=f"https://pds/Patient/{NHS_NUMBER}")
    await erase(store)
    assert NHS_NUMBER not in str(await store.audit(old.row_id))
