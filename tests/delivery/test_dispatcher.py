"""The dispatcher with a real store; the channel is a scripted one where a fault of ours is to be played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway import ids
from gateway.clock import now_ms
from gateway.delivery.channels.base import Notification, Outcome, Result
from gateway.delivery.dispatcher import Dispatcher
from gateway.delivery.endpoints import Endpoints
from gateway.delivery.retrieval import Retrieved
from gateway.delivery.retry import RetryPolicies
from gateway.delivery.sender import Sender
from gateway.events import Delivery, Event
from gateway.settings import DeliverySettings
from gateway.store.base import Acceptance, DeliveryTrace, FailingEndpoint
from gateway.store.sqlite import SqliteStore
from gateway.subscriptions.book import Book
from gateway.subscriptions.index import Index
from tests.samples import delivery, event, subscription, verdict

SETTINGS = DeliverySettings(
    retry_seconds=(0.05, 0.05), webhook_retry_seconds=(), mesh_retry_seconds=(), probe_seconds=(0.05,),
    error_after_seconds=0.2, jitter=0, webhook_seconds=1, per_endpoint=2, in_memory=8, lease_seconds=60,
    shutdown_seconds=1,
)  # fmt: skip


class Renderer:
    """Renders anything, or fails as told."""

    def __init__(self) -> None:
        self.fault: Exception | None = None

    def render(self, one: Event, _: Delivery, __: Retrieved) -> tuple[bytes, str]:
        if self.fault:
            raise self.fault
        return one.original.body, "text/plain"


class Script:
    """A channel that does what the test says."""

    slots = 4

    def __init__(self) -> None:
        self.sent: list[Notification] = []
        self.answer: Callable[[], Outcome] = lambda: Outcome(Result.DELIVERED, 204)
        self.may_go = asyncio.Event()
        self.may_go.set()
        self.hangs: set[str] = set()

    async def send(self, notification: Notification) -> Outcome:
        self.sent.append(notification)
        if notification.delivery.endpoint in self.hangs:
            await asyncio.Event().wait()
        await self.may_go.wait()
        return self.answer()

    async def close(self) -> None: ...


async def eventually(
    ask: Callable[[], Awaitable[Any]], expected: object, of: Callable[[Any], object] = lambda found: found
) -> None:
    """Ask until the answer is what is expected."""
    async with asyncio.timeout(20):
        while of(await ask()) != expected:  # noqa: ASYNC110  # a database has no event to wait for
            await asyncio.sleep(0.02)


class Bench:
    """A store, a dispatcher, and what they work with."""

    def __init__(self, store: SqliteStore) -> None:
        self.store, self.renderer, self.channel = store, Renderer(), Script()
        self.book = Book(store, Index(), lambda *_: True)
        self.dispatcher = self.make()

    def make(self, **changed: object) -> Dispatcher:
        settings = SETTINGS.model_copy(update=changed)
        policies = RetryPolicies(settings, self.book.held)
        sender = Sender({"rest-hook": self.channel}, self.renderer, self.store.instance, self.book.is_gone)
        endpoints = Endpoints(self.store, self.book, settings, policies)
        return Dispatcher(self.store, sender, endpoints, policies, settings, 1)

    async def accept(self, count: int = 1, endpoint: str = "http://one/", **changed: Any) -> Event:
        """An event with deliveries to an endpoint, handed over as intake does."""
        one = event(received_ms=now_ms())
        made = [delivery(one, endpoint=endpoint, **changed) for _ in range(count)]
        kept = self.dispatcher.reserve(one, made)
        leased, held = ([each.id for each in part] for part in (kept.taken, kept.held))
        await self.store.accept(Acceptance(one, made, leased, kept.lease_ms, held=held))
        self.dispatcher.offer(one, kept.taken, kept)
        return one

    async def stands(self, one: Event) -> tuple[DeliveryTrace, ...]:
        trace = await self.store.trace(one.row_id)
        assert trace
        return trace.deliveries

    async def until(self, one: Event, *states: str) -> tuple[DeliveryTrace, ...]:
        for _ in range(300):
            found = await self.stands(one)
            if [each.state for each in found] == list(states):
                return found
            await asyncio.sleep(0.02)
        raise AssertionError([each.state for each in found])


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    made = Bench(store)
    yield made
    await made.dispatcher.stop()
    await store.close()


async def test_a_fresh_delivery_is_sent_without_a_claim(bench: Bench) -> None:
    one = await bench.accept()
    await bench.dispatcher.start()
    (told,) = await bench.until(one, "delivered")
    assert told.delivery.claim == 0
    assert len(told.attempts) == 1


async def test_what_does_not_fit_in_memory_is_claimed_later(bench: Bench) -> None:
    one = await bench.accept(30)
    await bench.dispatcher.start()
    found = await bench.until(one, *["delivered"] * 30)
    assert {each.delivery.claim for each in found} == {0, 1}
    assert len(bench.channel.sent) == 30


@pytest.mark.parametrize("fault", [KeyError("x"), RuntimeError("x"), UnicodeError("x")])
async def test_a_fault_of_ours_is_an_attempt_like_any_other_and_keeps_no_room(bench: Bench, fault: Exception) -> None:
    bench.renderer.fault = fault
    await bench.dispatcher.start()
    broken = [await bench.accept() for _ in range(20)]
    for one in broken:
        (told,) = await bench.until(one, "dead")
        assert [attempt.outcome for attempt in told.attempts] == ["uncertain"] * 3
        assert type(fault).__name__ in told.attempts[0].detail
    bench.renderer.fault = None
    await bench.until(await bench.accept(), "delivered")


async def test_a_channel_that_fails_badly_is_an_attempt_too(bench: Bench) -> None:
    def fail() -> Outcome:
        raise ZeroDivisionError

    bench.channel.answer = fail
    await bench.dispatcher.start()
    await bench.until(await bench.accept(), "dead")
    bench.channel.answer = lambda: Outcome(Result.DELIVERED)
    await bench.until(await bench.accept(), "delivered")


async def test_words_that_no_database_takes_are_recorded_all_the_same(bench: Bench) -> None:
    bench.channel.answer = lambda: Outcome(Result.REFUSED, 400, "bad \ud800 sign")
    await bench.dispatcher.start()
    (told,) = await bench.until(await bench.accept(), "dead")
    assert told.attempts[0].detail == "bad ? sign"


async def test_a_delivery_whose_lease_ended_while_it_waited_is_left_to_be_claimed(bench: Bench) -> None:
    bench.dispatcher = bench.make(lease_seconds=0.9)
    one = await bench.accept()
    await asyncio.sleep(0.1)
    assert bench.channel.sent == []
    (told,) = await bench.stands(one)
    assert told.state == "sending"
    await bench.dispatcher.start()


async def test_no_more_attempts_than_the_channel_has_slots(bench: Bench) -> None:
    bench.channel.may_go.clear()
    await bench.dispatcher.start()
    events = [await bench.accept(endpoint=f"http://{number}/") for number in range(8)]
    await asyncio.sleep(0.1)
    assert len(bench.channel.sent) == 4
    bench.channel.may_go.set()
    for one in events:
        await bench.until(one, "delivered")


async def test_stopping_finishes_what_is_under_way_and_gives_back_the_rest(bench: Bench) -> None:
    bench.channel.may_go.clear()
    one = await bench.accept(4)
    await bench.dispatcher.start()
    await asyncio.sleep(0.05)
    stopping = asyncio.create_task(bench.dispatcher.stop())
    await asyncio.sleep(0.05)
    bench.channel.may_go.set()
    await stopping
    assert sorted(each.state for each in await bench.stands(one)) == ["delivered", "delivered", "pending", "pending"]
    bench.dispatcher = bench.make()
    await bench.dispatcher.start()
    await bench.until(one, *["delivered"] * 4)
    assert len(bench.channel.sent) == 4


async def test_when_many_slow_endpoints_have_filled_the_memory_another_is_made_room_for(bench: Bench) -> None:
    bench.channel.slots = 100
    bench.dispatcher = bench.make(in_memory=40, per_endpoint=1)
    bench.channel.hangs = {f"http://slow-{number}/" for number in range(30)}
    await bench.dispatcher.start()
    for endpoint in bench.channel.hangs:
        await bench.accept(10, endpoint)
    await bench.until(await bench.accept(5, "http://quick/"), *["delivered"] * 5)
    bench.channel.may_go.set()


async def test_an_endpoint_that_fails_is_left_alone_and_probed_with_one_delivery(bench: Bench) -> None:
    bench.dispatcher = bench.make(retry_seconds=(0.05,) * 50, probe_seconds=(0.3,))
    bench.channel.answer = lambda: Outcome(Result.FAILED, 500, "HTTP 500")
    await bench.dispatcher.start()
    one = await bench.accept(20)
    await asyncio.sleep(1.5)
    tries = len(bench.channel.sent)
    assert 4 <= tries <= 14, "four failures, what was under way, and a probe every 0.3 s"
    (failing,) = await bench.store.failing_endpoints()
    assert (failing.endpoint, failing.reason) == ("http://one/", "HTTP 500")
    bench.channel.answer = lambda: Outcome(Result.DELIVERED, 204)
    await bench.until(one, *["delivered"] * 20)
    await eventually(bench.store.failing_endpoints, [])


async def test_what_fails_by_our_own_fault_pauses_no_endpoint(bench: Bench) -> None:
    bench.renderer.fault = KeyError("x")
    await bench.dispatcher.start()
    await bench.until(await bench.accept(6), *["dead"] * 6)
    assert await bench.store.failing_endpoints() == []


@pytest.mark.parametrize("status", [429, 503])
async def test_one_that_is_busy_is_left_alone_for_as_long_as_it_asks(bench: Bench, status: int) -> None:
    bench.channel.answer = lambda: Outcome(Result.FAILED, status, f"HTTP {status}", retry_after_seconds=1)
    await bench.dispatcher.start()
    one = await bench.accept(6)
    await asyncio.sleep(0.7)
    assert len(bench.channel.sent) <= 2, "no more than were under way"
    bench.channel.answer = lambda: Outcome(Result.DELIVERED, 204)
    await bench.until(one, *["delivered"] * 6)


async def test_a_process_that_starts_leaves_alone_what_another_found_failing(bench: Bench) -> None:
    far = now_ms() + 600_000
    await bench.store.keep_failing_endpoint(FailingEndpoint("http://one/", now_ms(), 3, far, "HTTP 500"))
    await bench.dispatcher.start()
    one = await bench.accept(3)
    other = await bench.accept(endpoint="http://two/")
    await bench.until(other, "delivered")
    assert [each.state for each in await bench.stands(one)] == ["held"] * 3
    assert await bench.store.hasten_probe("http://one/", now_ms())
    await bench.until(one, *["delivered"] * 3)
    await eventually(bench.store.failing_endpoints, [])


async def test_subscriptions_of_an_endpoint_that_fails_too_long_are_in_error_until_it_is_well(bench: Bench) -> None:
    mine = subscription(channel="rest-hook", endpoint="http://one/", face="r4", form="mns-signal")
    await bench.book.add(mine)
    told: list[tuple[str, str]] = []
    bench.book.watchers.append(lambda now, _: told.append((now.state, now.reason)))
    bench.dispatcher = bench.make(retry_seconds=(0.05,) * 90)
    bench.channel.answer = lambda: Outcome(Result.FAILED, 500, "HTTP 500")
    await bench.dispatcher.start()
    one = await bench.accept(6)
    await eventually(bench.store.subscriptions, "error", of=lambda found: found[0].state)
    bench.channel.answer = lambda: Outcome(Result.DELIVERED, 204)
    await bench.until(one, *["delivered"] * 6)
    await eventually(bench.store.subscriptions, "active", of=lambda found: found[0].state)
    assert told == [("error", "HTTP 500"), ("active", "")]


async def test_deliveries_of_one_patient_leave_in_order_and_wait_for_a_retry(bench: Bench) -> None:
    outcomes = iter([Outcome(Result.FAILED, 404, "HTTP 404")])
    bench.channel.answer = lambda: next(outcomes, Outcome(Result.DELIVERED, 204))
    bench.dispatcher = bench.make(retry_seconds=(0.4,))
    await bench.dispatcher.start()
    first, second, third = [await bench.accept(order_key="a") for _ in range(3)]
    other = await bench.accept(order_key="b")
    await bench.until(other, "delivered")
    assert [each.state for each in await bench.stands(second)] == ["held"]
    for one in (first, second, third):
        await bench.until(one, "delivered")
    rows = [one.event.row_id for one in bench.channel.sent if one.delivery.order_key == "a"]
    assert rows == [first.row_id, first.row_id, second.row_id, third.row_id]


async def test_what_is_replayed_is_not_sent_to_a_subscription_that_is_gone_by_then(bench: Bench) -> None:
    mine = subscription(channel="rest-hook", endpoint="http://one/", face="r4", form="mns-signal")
    await bench.book.add(mine)
    one = event()
    dead = delivery(one, subscriptions=(mine.id,))
    await bench.store.accept(Acceptance(one, [dead], [dead.id], now_ms() + 60_000))
    await bench.store.record(verdict(dead, "dead"))
    assert await bench.store.replay([dead.id], now_ms()) == [dead.id]
    await bench.book.remove(mine.id)
    await bench.dispatcher.start()
    (told,) = await bench.until(one, "dead")
    assert told.attempts[-1].detail == "the subscription is gone"
    assert bench.channel.sent == []


async def test_what_was_under_way_when_an_endpoint_was_paused_is_no_probe(bench: Bench) -> None:
    bench.channel.slots = 20
    bench.dispatcher = bench.make(per_endpoint=16, in_memory=100, probe_seconds=(0.3, 600), retry_seconds=(0.1,) * 20)
    bench.channel.answer = lambda: Outcome(Result.UNCERTAIN, detail="no answer in time")
    bench.channel.may_go.clear()
    await bench.dispatcher.start()
    one = await bench.accept(20)
    await asyncio.sleep(0.1)
    bench.channel.may_go.set()
    await eventually(bench.store.failing_endpoints, 0, of=lambda found: found[0].probes if found else None)
    bench.channel.answer = lambda: Outcome(Result.DELIVERED, 204)
    await bench.until(one, *["delivered"] * 20)


async def test_what_waited_for_a_paused_endpoint_longer_than_its_schedule_is_dead(bench: Bench) -> None:
    far = now_ms() + 600_000
    await bench.store.keep_failing_endpoint(FailingEndpoint("http://one/", now_ms(), 3, far, "HTTP 500"))
    one = event(received_ms=now_ms())
    old = ids.first_at(now_ms() - 1_000)
    made = [delivery(one, id=old + number, endpoint="http://one/") for number in range(3)]
    await bench.store.accept(Acceptance(one, made, held=[each.id for each in made]))
    await bench.dispatcher.start()
    found = await bench.until(one, *["dead"] * 3)
    assert found[0].attempts[-1].detail == "its endpoint failed for as long as deliveries are tried"


async def test_an_endpoint_that_nobody_is_subscribed_at_any_more_is_forgotten_when_nothing_can_wait_for_it(
    bench: Bench,
) -> None:
    mine = subscription(channel="rest-hook", endpoint="http://subscribed/", face="r4", form="mns-signal")
    await bench.book.add(mine)
    far, long_ago = now_ms() + 600_000, now_ms() - 1_000
    for endpoint, since in (("http://gone/", long_ago), ("http://gone-just-now/", far), (mine.endpoint, long_ago)):
        await bench.store.keep_failing_endpoint(FailingEndpoint(endpoint, since, 3, far, "HTTP 410"))
    await bench.dispatcher.start()
    left = {"http://gone-just-now/", mine.endpoint}
    await eventually(bench.store.failing_endpoints, left, of=lambda found: {one.endpoint for one in found})


async def test_a_subscription_left_in_error_by_a_process_that_ended_is_active_again(bench: Bench) -> None:
    well, unproven = (
        subscription(channel="rest-hook", endpoint="http://one/", face="r4", form="mns-signal", unproven=each)
        for each in (False, True)
    )
    for one in (well, unproven):
        await bench.store.add_subscription(one)
        await bench.store.set_subscription_state(one.id, "error", "HTTP 500")
    await bench.book.load()
    await bench.dispatcher.start()
    states = {well.id: "active", unproven.id: "error"}
    await eventually(bench.store.subscriptions, states, of=lambda found: {one.id: one.state for one in found})


async def test_what_another_node_finds_out_of_an_endpoint_is_followed(bench: Bench) -> None:
    await bench.dispatcher.start()
    await bench.until(await bench.accept(), "delivered")
    far = now_ms() + 600_000
    await bench.store.keep_failing_endpoint(FailingEndpoint("http://one/", now_ms(), 0, far, "HTTP 500"))
    await eventually(_held(bench), True)
    await bench.store.forget_failing_endpoint("http://one/")
    await bench.until(await bench.accept(), "delivered")


def _held(bench: Bench) -> Callable[[], Awaitable[bool]]:
    """Whether a fresh delivery is held."""

    async def ask() -> bool:
        one = await bench.accept()
        await asyncio.sleep(0.2)
        return (await bench.stands(one))[0].state == "held"

    return ask
