from __future__ import annotations

from gateway.store.base import Acceptance, Answer, Store
from tests.samples import event
from tests.store.acts import SOON


async def test_the_answers_to_an_event_are_kept_once_each(store: Store) -> None:
    first = Answer(1, 3, SOON, "surgery", "technical", "ok")
    second = Answer(1, 4, SOON, "surgery", "business", "fatal-error")
    for one in (second, first, first, Answer(2, 3, SOON, "hospital", "technical", "ok")):
        await store.add_answer(one)
    assert await store.answers(1) == [first, second]
    assert await store.answers(3) == []


async def test_events_are_found_by_the_ids_of_their_publishers(store: Store) -> None:
    mine, theirs, unnamed = event(), event(source="another"), event()
    for one in (mine, theirs):
        await store.accept(Acceptance(one, [], once=True))
    await store.accept(Acceptance(unnamed, []))
    assert await store.events_named(mine.id) == [theirs.row_id, mine.row_id]
    assert await store.events_named("another") == []
