"""A gateway and its helper, at the two ends of a socket: what the one asks is what the other does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import replace as changed
from decimal import Decimal
from typing import Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from gateway.applications import LOCAL, Applications
from gateway.delivery.channels.base import Outcome, Result
from gateway.delivery.retrieval import Find
from gateway.errors import Issue, Refusal, Unavailable
from gateway.events import Delivery, Event, Original
from gateway.faces.nems.reading import Publication
from gateway.helper import process
from gateway.helper.helper import Helper, NotAsked
from gateway.helper.helpers import HelpedReading, HelpedSender
from gateway.helper.maker import Maker
from gateway.helper.wire import SUBSCRIPTIONS, Ping, Pong
from gateway.remembered import EVENT_BYTES, EVENTS
from gateway.signing import new_secret
from gateway.subscriptions.subscription import Subscription
from tests.harness import until
from tests.samples import delivery, event, subscription

DELIVERED = Outcome(Result.DELIVERED, 204, answer="thanks")


class Worker:
    """Does the work of one side, and keeps what it was given: attempts with the subscription found for each."""

    applications = Applications()

    def __init__(self) -> None:
        self.made: list[tuple[Event, Delivery, Subscription | None]] = []
        self.may_go = asyncio.Event()
        self.may_go.set()
        self.fault: Exception | None = None
        self.loaded: list[bytes] = []
        self.may_load = threading.Event()
        self.may_load.set()
        self.find: Find | None = None

    def attempting(self, instance: int, find: Find) -> Worker:
        assert instance == 7
        self.find = find
        return self

    def slot(self, _: Delivery) -> contextlib.AbstractAsyncContextManager[object]:
        return contextlib.nullcontext()

    async def attempt(self, one: Event, each: Delivery) -> Outcome:
        await asyncio.sleep(0)
        await self.may_go.wait()
        self.made.append((one, each, await self.find(each.subscriptions[0]) if self.find else None))
        return DELIVERED

    def read(self, publication: Publication) -> tuple[Event, list[Issue]]:
        if self.fault:
            raise self.fault
        made = event(row_id=publication.row_id, original=publication.original, filtering={"share": Decimal("1.50")})
        return replace(made, demographics={"birthDate": ["2001-02-03"]}), [Issue("DEPRECATED", "", "soon", "warning")]

    def follow(self, mark: bytes) -> bool:
        self.may_load.wait(10)
        self.loaded.append(mark)
        return mark == b"right"


class Reading:
    """Reads in the gateway itself."""

    def __init__(self) -> None:
        self.read_ids: list[int] = []

    async def read(self, publication: Publication) -> tuple[Event, list[Issue]]:
        self.read_ids.append(publication.row_id)
        return event(row_id=publication.row_id), []


class Pair:
    """A gateway's senders and readers, with one helper; `there` is what its present process works with."""

    def __init__(self) -> None:
        self.here, self.reading = Worker(), Reading()
        self.killed: list[tuple[int, int]] = []
        self.helper = Helper(cast("Maker", self), patience_seconds=60)
        self.subscriptions: dict[str, Subscription] = {}
        self.store_is_away = False
        self.sender = HelpedSender(self.here, [self.helper], self.find)
        self.reader = HelpedReading(self.reading, [self.helper])

    def make(self, end: socket.socket) -> None:
        self.there, self._theirs = Worker(), end.dup()
        self.running = asyncio.create_task(process._run(self._theirs, self.there))

    async def bring_along(self, helper: Helper) -> None:
        helper.is_behind = False

    async def find(self, subscription_id: str) -> Subscription | None:
        if self.store_is_away:
            raise Unavailable("away")
        return self.subscriptions.get(subscription_id)

    def subscribe(self, **values: Any) -> Subscription:
        one = subscription(**values)
        self.subscriptions[one.id] = one
        return one

    async def send(self, one: Event, to: Subscription, **values: Any) -> Outcome:
        return await self.sender.attempt(one, delivery(one, subscriptions=(to.id,), **values))

    async def lose_helper(self) -> None:
        self._theirs.shutdown(socket.SHUT_RDWR)
        await asyncio.wait([self.running])


@pytest.fixture
async def pair(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    made = Pair()
    # Here the helper's process is the test's own.
    monkeypatch.setattr("gateway.helper.helper.os.kill", lambda *told: made.killed.append(told))
    await made.helper.start(7, made.bring_along)
    yield made
    await made.helper.stop()
    made.running.cancel()
    await asyncio.wait([made.running])


def publication(row_id: int, body: bytes = b"<Bundle/>") -> Publication:
    return Publication(row_id, Original(body, "application/fhir+xml", "nems-message"), "", LOCAL)


async def test_a_helper_sends_the_event_for_the_subscription(pair: Pair) -> None:
    one = event(filtering={"share": Decimal("1.50"), "n": 2**70})
    to = pair.subscribe(headers=(("X-Key", "k"),), secrets=(new_secret(),), retry_seconds=(0.5, 2.0))
    assert await pair.send(one, to) == DELIVERED
    assert await pair.send(one, to, number=2) == DELIVERED
    assert not pair.here.made
    assert [(each, found) for each, _, found in pair.there.made] == [(one, to)] * 2
    assert [each.number for _, each, _ in pair.there.made] == [0, 2]


async def test_what_a_helper_has_forgotten_it_is_told_again(pair: Pair) -> None:
    to = pair.subscribe()
    events = [event() for _ in range(EVENTS + 2)]
    for one in [*events, *events[:2], events[-1]]:
        assert await pair.send(one, to) == DELIVERED
    assert [each for each, _, _ in pair.there.made] == [*events, *events[:2], events[-1]]


async def test_a_large_event_is_told_each_time(pair: Pair) -> None:
    to, large = pair.subscribe(), event(original=Original(b"x" * (EVENT_BYTES + 1), "text/plain", "nems-message"))
    assert [await pair.send(large, to) for _ in range(2)] == [DELIVERED] * 2
    assert [each for each, _, _ in pair.there.made] == [large] * 2


async def test_an_attempt_is_for_its_own_subscription_however_many_come_at_once(pair: Pair) -> None:
    first = pair.subscribe(id="first")
    one = event()
    await pair.send(one, first)
    others = [pair.subscribe(id=str(number)) for number in range(SUBSCRIPTIONS + 1)]
    await asyncio.gather(*(pair.send(one, to) for to in (first, *others)))
    assert [found.id if found else "" for _, _, found in pair.there.made] == ["first", "first", *(o.id for o in others)]


async def test_a_changed_subscription_is_told_anew(pair: Pair) -> None:
    before = pair.subscribe()
    one = event()
    await pair.send(one, before)
    after = pair.subscriptions[before.id] = changed(before, payload="application/json")
    await pair.send(one, after)
    del pair.subscriptions[before.id]
    await pair.send(one, after)
    assert [found for _, _, found in pair.there.made] == [before, after, None]


async def test_what_cannot_be_said_is_sent_by_the_gateway(pair: Pair) -> None:
    to = pair.subscribe()
    odd = event(subject="\ud800")
    assert await pair.send(odd, to) == DELIVERED
    assert [each for each, _, _ in pair.here.made] == [odd]
    well = replace(odd, subject="9990001006")
    assert await pair.send(well, to) == DELIVERED
    assert [(each, found) for each, _, found in pair.there.made] == [(well, to)]


async def test_replays_and_what_the_store_cannot_tell_are_for_the_gateway(pair: Pair) -> None:
    to, one = pair.subscribe(), event()
    await pair.send(one, to, replays=1)
    pair.store_is_away = True
    await pair.send(one, to)
    assert len(pair.here.made) == 2
    assert not pair.there.made


async def test_what_was_under_way_with_a_lost_helper_may_have_arrived_and_the_rest_goes_on(pair: Pair) -> None:
    to, one = pair.subscribe(), event()
    pair.there.may_go.clear()
    under_way = asyncio.create_task(pair.send(one, to))
    await asyncio.sleep(0.05)
    await pair.lose_helper()
    found = await under_way
    assert (found.result, found.ours) == (Result.UNCERTAIN, True)
    assert await pair.send(one, to) == DELIVERED
    assert len(pair.here.made) == 1
    with pytest.raises(NotAsked):
        pair.helper.ask(process.Follow(1, b""))


async def test_another_process_takes_the_place_of_one_that_ended(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair.helper, "_pause", 0.05)
    to, one, first = pair.subscribe(), event(), pair.there
    assert await pair.send(one, to) == DELIVERED
    await pair.lose_helper()
    assert await pair.send(one, to) == DELIVERED
    assert (len(pair.here.made), pair.helper.is_there) == (1, False)
    await until(lambda: pair.helper.is_there)
    # It was never told what the one before it remembered.
    assert await pair.send(one, to) == DELIVERED
    assert (len(first.made), [(each, found) for each, _, found in pair.there.made]) == (1, [(one, to)])


async def test_one_that_ends_again_and_again_is_replaced_after_longer_and_longer(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair.helper, "_pause", 0.01)
    for life in range(1, 5):
        assert pair.helper.life == life
        await pair.lose_helper()
        await until(lambda: pair.helper.is_there)
    assert pair.helper._pause == pytest.approx(0.16)
    # It has stayed for as long as it is left in peace.
    pair.helper._look()
    assert pair.helper._pause == 1


async def test_a_gateway_that_ends_makes_no_more_helpers(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair.helper, "_pause", 0.05)
    await pair.lose_helper()
    await until(lambda: not pair.helper.is_there)
    await pair.helper.stop()
    await asyncio.sleep(0.2)
    assert (pair.helper.life, pair.helper.is_there) == (1, False)


async def test_one_that_does_not_begin_is_not_asked_and_another_is_made(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair.helper, "_pause", 0.05)
    monkeypatch.setattr("gateway.helper.helper._BEGIN_SECONDS", 0.1)
    make, silent = pair.make, []
    monkeypatch.setattr(pair, "make", lambda end: silent.append(end.dup()))
    await pair.lose_helper()
    await until(lambda: len(silent) == 2)
    assert not pair.helper.is_there
    monkeypatch.setattr(pair, "make", make)
    await until(lambda: pair.helper.is_there)
    to = pair.subscribe()
    assert await pair.send(event(), to) == DELIVERED
    assert pair.there.made
    # Those that said nothing were told that nobody asks them any more.
    for end in silent:
        with end:
            end.setblocking(True)
            while end.recv(1000):
                pass


async def test_one_that_does_not_get_its_modules_loaded_is_ended_and_another_is_made(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair.helper, "_pause", 0.05)
    monkeypatch.setattr("gateway.helper.helper._FOLLOW_SECONDS", 0.1)
    slow = pair.there
    slow.may_load.clear()
    pair.helper.is_behind = True
    await pair.helper.follow(b"right")
    await until(lambda: pair.helper.is_there)
    slow.may_load.set()
    assert pair.killed == [(os.getpid(), signal.SIGKILL)]
    await pair.send(event(), pair.subscribe())
    assert (len(slow.made), len(pair.there.made), pair.helper.life) == (0, 1, 2)


async def test_one_that_stands_still_before_it_has_the_modules_is_ended(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair.helper, "_pause", 0.05)
    monkeypatch.setattr(pair.helper, "_patience", 0.1)
    make, answering = pair.make, []

    async def answer_once(end: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=end)
        for _ in range(2):  # the Hello, and whether it is well
            asked = await reader.readexactly(int.from_bytes(await reader.readexactly(4)))
        told = msgspec.msgpack.encode(Pong(msgspec.msgpack.decode(asked, type=Ping).number, 7))
        writer.write(len(told).to_bytes(4) + told)
        while await reader.read(1000):
            pass
        writer.close()

    def make_one_that_answers_once(end: socket.socket) -> None:
        answering.append(asyncio.create_task(answer_once(end.dup())))
        monkeypatch.setattr(pair, "make", make)

    async def bring_along(helper: Helper) -> None:
        if helper.life == 2:
            await helper.follow(b"right")

    monkeypatch.setattr(pair, "make", make_one_that_answers_once)
    monkeypatch.setattr(pair.helper, "_bring_along", bring_along)
    await pair.lose_helper()
    await until(lambda: pair.helper.life == 3 and pair.helper.is_there)
    assert pair.killed == [(7, signal.SIGKILL)]
    await asyncio.gather(*answering)


async def test_a_fault_while_one_begins_is_no_end_to_trying(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair.helper, "_pause", 0.05)

    async def bring_along(helper: Helper) -> None:
        if helper.life == 2:
            raise ZeroDivisionError

    monkeypatch.setattr(pair.helper, "_bring_along", bring_along)
    await pair.lose_helper()
    await until(lambda: pair.helper.life == 3 and pair.helper.is_there)


async def test_before_it_has_begun_it_is_not_asked(pair: Pair) -> None:
    other = Helper(cast("Maker", pair), patience_seconds=60)
    with pytest.raises(NotAsked):
        other.ask(process.Follow(1, b""))
    await other.follow(b"right")
    await other.stop()
    assert not other.is_there


async def test_a_helper_that_is_well_says_so(pair: Pair) -> None:
    """It is asked much more often than it may leave unanswered."""
    pair.helper._patience = 0.05
    pair.helper._timer.cancel()
    pair.helper._look()
    await asyncio.sleep(0.75)
    assert await pair.send(event(), pair.subscribe()) == DELIVERED
    assert pair.there.made
    assert pair.helper._silent <= 1


async def test_a_helper_reads_messages(pair: Pair) -> None:
    made, notices = await pair.reader.read(publication(5, b"<Bundle>1</Bundle>"))
    assert made.original == Original(b"<Bundle>1</Bundle>", "application/fhir+xml", "nems-message")
    assert (made.row_id, made.filtering, made.demographics) == (
        5, {"share": Decimal("1.50")}, {"birthDate": ["2001-02-03"]},
    )  # fmt: skip
    assert list(notices) == [Issue("DEPRECATED", "", "soon", "warning")]


async def test_what_a_helper_refuses_is_refused(pair: Pair) -> None:
    pair.there.fault = Refusal([Issue("INVALID_RESOURCE", "Bundle.type", "must be a message")])
    with pytest.raises(Refusal) as raised:
        await pair.reader.read(publication(5))
    assert raised.value.issues == pair.there.fault.issues
    assert not pair.reading.read_ids


async def test_what_a_helper_fails_at_is_read_by_the_gateway(pair: Pair) -> None:
    pair.there.fault = ZeroDivisionError()
    for row_id in (5, 6):
        assert (await pair.reader.read(publication(row_id)))[0].row_id == row_id
    assert pair.reading.read_ids == [5, 6]


async def test_beyond_what_helpers_can_read_the_gateway_reads(pair: Pair) -> None:
    await asyncio.gather(*(pair.reader.read(publication(number)) for number in range(1, 50)))
    assert pair.reading.read_ids == list(range(41, 50))


async def test_a_helper_with_other_modules_is_not_asked(pair: Pair) -> None:
    to, one = pair.subscribe(), event()
    pair.helper.is_behind = True
    await pair.helper.follow(b"wrong")
    await pair.send(one, to)
    await pair.reader.read(publication(1))
    assert (len(pair.here.made), pair.reading.read_ids) == (1, [1])
    await pair.helper.follow(b"right")
    await pair.send(one, to)
    assert (len(pair.here.made), len(pair.there.made), pair.there.loaded) == (1, 1, [b"wrong", b"right"])
