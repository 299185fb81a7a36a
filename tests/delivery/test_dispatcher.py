"""The dispatcher with a real store; the channel is a scripted one where a fault of ours is to be played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.clock import now_ms
from gateway.delivery.channels.base import Notification, Outcome, Result
from gateway.delivery.dispatcher import Dispatcher
from gateway.events import Delivery, Event
from gateway.settings import DeliverySettings
from gateway.store.base import Acceptance, DeliveryTrace
from gateway.store.sqlite import SqliteStore
from tests.samples import delivery, event

SETTINGS = DeliverySettings(
    retry_seconds=(0.05, 0.05), jitter=0, webhook_seconds=1, per_endpoint=2, in_memory=8, lease_seconds=60,
    shutdown_seconds=1,
)  # fmt: skip


class Renderer:
    """Renders anything, or fails as told."""

    def __init__(self) -> None:
        self.fault: Exception | None = None

    def render(self, one: Event, _: Delivery) -> tuple[bytes, str]:
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

    async def send(self, notification: Notification) -> Outcome:
        self.sent.append(notification)
        await self.may_go.wait()
        return self.answer()

    async def close(self) -> None: ...


class Bench:
    """A store, a dispatcher, and what they work with."""

    def __init__(self, store: SqliteStore) -> None:
        self.store, self.renderer, self.channel = store, Renderer(), Script()
        self.dispatcher = self.make()

    def make(self, **changed: object) -> Dispatcher:
        settings = SETTINGS.model_copy(update=changed)
        return Dispatcher(self.store, self.renderer, {"rest-hook": self.channel}, settings, 1)

    async def accept(self, count: int = 1, endpoint: str = "http://one/") -> Event:
        """An event with deliveries to an endpoint, handed over as intake does."""
        one = event(received_ms=now_ms())
        made = [delivery(one, endpoint=endpoint) for _ in range(count)]
        reserved, lease_ms = self.dispatcher.reserve(one, made)
        await self.store.accept(Acceptance(one, made, [each.id for each in reserved], lease_ms))
        self.dispatcher.offer(one, reserved, lease_ms)
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
    bench.dispatcher.start()
    (told,) = await bench.until(one, "delivered")
    assert told.delivery.claim == 0
    assert len(told.attempts) == 1


async def test_what_does_not_fit_in_memory_is_claimed_later(bench: Bench) -> None:
    one = await bench.accept(30)
    bench.dispatcher.start()
    found = await bench.until(one, *["delivered"] * 30)
    assert {each.delivery.claim for each in found} == {0, 1}
    assert len(bench.channel.sent) == 30


@pytest.mark.parametrize("fault", [KeyError("x"), RuntimeError("x"), UnicodeError("x")])
async def test_a_fault_of_ours_is_an_attempt_like_any_other_and_keeps_no_room(bench: Bench, fault: Exception) -> None:
    bench.renderer.fault = fault
    bench.dispatcher.start()
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
    bench.dispatcher.start()
    await bench.until(await bench.accept(), "dead")
    bench.channel.answer = lambda: Outcome(Result.DELIVERED)
    await bench.until(await bench.accept(), "delivered")


async def test_words_that_no_database_takes_are_recorded_all_the_same(bench: Bench) -> None:
    bench.channel.answer = lambda: Outcome(Result.REFUSED, 400, "bad \ud800 sign")
    bench.dispatcher.start()
    (told,) = await bench.until(await bench.accept(), "dead")
    assert told.attempts[0].detail == "bad ? sign"


async def test_a_delivery_whose_lease_ended_while_it_waited_is_left_to_be_claimed(bench: Bench) -> None:
    bench.dispatcher = bench.make(lease_seconds=0.9)
    one = await bench.accept()
    await asyncio.sleep(0.1)
    assert bench.channel.sent == []
    (told,) = await bench.stands(one)
    assert told.state == "sending"
    bench.dispatcher.start()


async def test_no_more_attempts_than_the_channel_has_slots(bench: Bench) -> None:
    bench.channel.may_go.clear()
    bench.dispatcher.start()
    events = [await bench.accept(endpoint=f"http://{number}/") for number in range(8)]
    await asyncio.sleep(0.1)
    assert len(bench.channel.sent) == 4
    bench.channel.may_go.set()
    for one in events:
        await bench.until(one, "delivered")


async def test_stopping_finishes_what_is_under_way_and_gives_back_the_rest(bench: Bench) -> None:
    bench.channel.may_go.clear()
    one = await bench.accept(4)
    bench.dispatcher.start()
    await asyncio.sleep(0.05)
    stopping = asyncio.create_task(bench.dispatcher.stop())
    await asyncio.sleep(0.05)
    bench.channel.may_go.set()
    await stopping
    assert sorted(each.state for each in await bench.stands(one)) == ["delivered", "delivered", "pending", "pending"]
    bench.dispatcher = bench.make()
    bench.dispatcher.start()
    await bench.until(one, *["delivered"] * 4)
    assert len(bench.channel.sent) == 4
