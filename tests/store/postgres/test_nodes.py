"""Several nodes on one database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway.clock import now_ms
from gateway.errors import Changed, Refusal
from gateway.schedule import Job, Schedule
from gateway.store.base import Acceptance, FailingEndpoint, Room
from gateway.store.postgres import PostgresStore
from gateway.subscriptions.book import Book
from gateway.subscriptions.index import Index
from tests.samples import delivery, event, subscription, verdict
from tests.store.acts import LATER, MOMENT, MUCH_LATER, SOON, accept, deliveries_of

Nodes = tuple[PostgresStore, PostgresStore]
HOUR_MS = 3_600_000


async def test_a_delivery_is_claimed_by_one_node(nodes: Nodes) -> None:
    one, other = nodes
    made = {delivery.id for _ in range(5) for delivery in (await accept(one, 40))[1]}
    rounds = await asyncio.gather(*(node.claim(Room(20), SOON, LATER) for _ in range(10) for node in nodes))
    claimed = [each.delivery.id for found in rounds for each in found]
    assert len(claimed) == len(set(claimed))
    assert set(claimed) == made
    assert await other.claim(Room(20), SOON, LATER) == []


async def test_opening_a_node_leaves_alone_what_another_has_claimed(url: str, nodes: Nodes) -> None:
    await accept(nodes[0], lease_ms=now_ms() + HOUR_MS)
    late = PostgresStore(url)
    await late.open()
    assert await late.claim(Room(10), now_ms(), now_ms() + HOUR_MS) == []
    await late.close()


@pytest.mark.fault(
    "The clock of a node steps by an hour, forward or back",
    "leases end when they should: times are of the database's clock",
)
@pytest.mark.parametrize("wrong_ms", [HOUR_MS, -HOUR_MS])
async def test_a_wrong_clock_neither_takes_leases_early_nor_keeps_them(url: str, nodes: Nodes, wrong_ms: int) -> None:
    right, _ = nodes
    wrong = PostgresStore(url, clock=lambda: now_ms() + wrong_ms)
    await wrong.open()
    await accept(right, lease_ms=now_ms() + 60_000)
    there = now_ms() + wrong_ms
    assert await wrong.claim(Room(10), there, there + 60_000) == []

    (claimed,) = await wrong.claim(Room(10), there + 60_000 + MOMENT, there + 120_000)
    assert await right.claim(Room(10), now_ms() + 120_000 - MOMENT, MUCH_LATER) == []
    await wrong.record(verdict(claimed.delivery, "pending", next_ms=there + 60_000))
    assert await right.claim(Room(10), now_ms() + 60_000 - MOMENT, MUCH_LATER) == []
    assert len(await right.claim(Room(10), now_ms() + 60_000 + MOMENT, MUCH_LATER)) == 1
    await wrong.close()


@pytest.mark.parametrize("wrong_ms", [HOUR_MS, -HOUR_MS])
async def test_a_wrong_clock_puts_no_probe_off(url: str, nodes: Nodes, wrong_ms: int) -> None:
    right, _ = nodes
    wrong = PostgresStore(url, clock=lambda: now_ms() + wrong_ms)
    await wrong.open()
    there = now_ms() + wrong_ms
    await wrong.keep_failing_endpoint(FailingEndpoint("http://one/", there, 0, there + 60_000, "HTTP 500"))
    (seen,) = await right.failing_endpoints()
    assert abs(seen.failing_ms - now_ms()) < MOMENT
    assert not await right.take_probe("http://one/", now_ms() + 60_000 - MOMENT, MUCH_LATER)
    assert await right.take_probe("http://one/", now_ms() + 60_000 + MOMENT, MUCH_LATER)
    await wrong.close()


@pytest.mark.fault(
    "A node stalls until its lease has ended, and wakes",
    "another has taken its delivery over; what the late one finds undoes nothing",
)
async def test_a_node_that_wakes_late_undoes_nothing(nodes: Nodes) -> None:
    stalled, other = nodes
    one, _ = await accept(stalled)
    (late,) = await stalled.claim(Room(10), SOON, LATER)
    (present,) = await other.claim(Room(10), LATER + MOMENT, MUCH_LATER)
    await stalled.release([late.delivery], SOON)
    await stalled.record(verdict(late.delivery, "dead"))
    (stands,) = await deliveries_of(other, one)
    assert stands.state == "sending"
    await other.record(verdict(present.delivery))
    (stands,) = await deliveries_of(other, one)
    assert stands.state == "delivered"


async def test_verdicts_of_two_nodes_on_one_delivery_at_once_are_both_kept(nodes: Nodes) -> None:
    stalled, other = nodes
    one, _ = await accept(stalled, 30)
    late = await stalled.claim(Room(99), SOON, LATER)
    present = await other.claim(Room(99), LATER + MOMENT, MUCH_LATER)
    assert len(late) == len(present) == 30
    await asyncio.gather(
        *(stalled.record(verdict(each.delivery, "pending")) for each in late),
        *(other.record(verdict(each.delivery)) for each in present),
    )
    stands = await deliveries_of(other, one)
    assert {each.state for each in stands} == {"delivered"}
    assert [[attempt.number for attempt in each.attempts] for each in stands] == [[1, 2]] * 30


async def test_numbers_have_no_gap_whichever_node_gives_them(nodes: Nodes) -> None:
    async def keep(node: PostgresStore) -> int:
        one = event()
        made = [delivery(one, form="r4-id-only", subscriptions=(name,)) for name in ("one", "two")]
        return (await node.accept(Acceptance(one, made))).numbers[made[0].id]

    numbers = await asyncio.gather(*(keep(node) for _ in range(40) for node in nodes))
    assert sorted(numbers) == list(range(1, 81))


async def test_an_event_of_one_name_is_kept_once_whichever_node_gets_it(nodes: Nodes) -> None:
    events = [event(id=f"name-{number % 20}") for number in range(100)]
    kept = await asyncio.gather(
        *(nodes[number % 2].accept(Acceptance(one, [], once=True)) for number, one in enumerate(events))
    )
    assert sum(each.first is None for each in kept) == 20
    assert len(await nodes[0].events(999)) == 20


async def book_of(store: PostgresStore) -> Book:
    book = Book(store, Index(), lambda _terms, _kind: True)
    await book.load()
    store.hear_of_changes(book.follow)
    return book


async def until(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not true():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


async def test_other_nodes_learn_of_subscriptions_within_a_second(nodes: Nodes) -> None:
    one, other = [await book_of(node) for node in nodes]
    await asyncio.sleep(0.3)  # until both listen: what is heard after that is heard by notification
    made, loop = subscription(face="r4", form="r4-id-only", state="requested"), asyncio.get_running_loop()
    started = loop.time()
    await one.add(made)
    await until(lambda: made.id in other.index)
    assert loop.time() - started < 1
    await one.set_state(made.id, "active")
    await until(lambda: [found.state for found in other.of(made.application, "r4")] == ["active"])
    await other.remove(made.id)
    await until(lambda: made.id not in one.index)


async def test_an_event_is_never_kept_without_a_subscription_that_was_there_before(nodes: Nodes) -> None:
    """A node that has heard nothing is refused, learns of it, and only then accepts."""
    one, deaf = Book(nodes[0], Index(), lambda _terms, _kind: True), Book(nodes[1], Index(), lambda _terms, _kind: True)
    for book in (one, deaf):
        await book.load()
    await nodes[1].accept(Acceptance(event(), [], revision=deaf.index.revision))
    made = subscription()
    await one.add(made)
    late = event()
    with pytest.raises(Changed):
        await nodes[1].accept(Acceptance(late, [], revision=deaf.index.revision))
    await deaf.catch_up()
    assert [found.id for found in deaf.index.match(late)] == [made.id]
    await nodes[1].accept(Acceptance(late, [], revision=deaf.index.revision))
    assert len(await nodes[0].events(9)) == 2


async def test_a_heartbeat_is_no_change(nodes: Nodes) -> None:
    made = subscription(heartbeat_seconds=1)
    await nodes[0].add_subscription(made)
    await nodes[0].set_subscription_state(made.id, "active")
    before = await nodes[0].subscription_changes(0)
    assert await nodes[0].due_heartbeats(SOON) == [made.id]
    assert await nodes[1].subscription_changes(0) == before


async def test_of_twins_made_at_two_nodes_at_once_one_is_made(nodes: Nodes) -> None:
    books = [await book_of(node) for node in nodes]
    results = await asyncio.gather(
        *(books[number % 2].add(subscription()) for number in range(10)), return_exceptions=True
    )
    assert sum(isinstance(result, Refusal) for result in results) == 9
    assert len(await nodes[0].subscriptions()) == 1


async def test_what_was_missed_while_the_connection_was_lost_is_learnt_after_it(url: str, nodes: Nodes) -> None:
    one, other = [await book_of(node) for node in nodes]
    await asyncio.sleep(0.3)
    async with asyncio.timeout(20):
        await nodes[0]._execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    made = subscription()
    await one.add(made)
    await until(lambda: made.id in other.index)


async def test_a_turn_is_had_by_one_node(nodes: Nodes) -> None:
    one, other = nodes
    assert await one.take_turn("collect", 60)
    assert not await other.take_turn("collect", 60)
    assert await one.take_turn("collect", 60)
    assert await other.take_turn("another", 60)


async def test_a_turn_passes_on_when_its_time_is_up(nodes: Nodes) -> None:
    one, other = nodes
    assert await one.take_turn("collect", 0.1)
    await asyncio.sleep(0.2)
    assert await other.take_turn("collect", 60)
    assert not await one.take_turn("collect", 60)


async def test_a_nul_in_a_text_is_kept_as_a_sign_for_what_is_no_sign(nodes: Nodes) -> None:
    one = event(source="a\0b")
    await nodes[0].accept(Acceptance(one, []))
    (kept,) = await nodes[1].events(1)
    assert (kept.source, kept.original) == ("a\ufffdb", one.original)


async def test_a_job_that_takes_longer_than_its_interval_is_still_done_by_one_node(nodes: Nodes) -> None:
    running, most, runs = 0, 0, 0

    async def work() -> None:
        nonlocal running, most, runs
        running, runs = running + 1, runs + 1
        most = max(most, running)
        await asyncio.sleep(1.2)
        running -= 1

    schedules = [Schedule([Job("long", 0.4, work, alone=True)], node.take_turn) for node in nodes]
    for schedule in schedules:
        schedule.start()
    await asyncio.sleep(3)
    for schedule in schedules:
        await schedule.stop(5)
    assert (most, runs >= 2) == (1, True)
