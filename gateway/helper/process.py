"""What a helper does: what it is asked, until the gateway is gone."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections import deque
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Final, Protocol

import msgspec
import structlog
from msgspec.structs import replace

from gateway import logs
from gateway.applications import LOCAL, Applications
from gateway.delivery.channels.base import Outcome
from gateway.delivery.retrieval import Find
from gateway.errors import Issue, Refusal
from gateway.events import Delivery, Event, Original
from gateway.faces.nems.reading import Publication
from gateway.helper.wire import (
    SUBSCRIPTIONS,
    Answer,
    Asked,
    Failed,
    Follow,
    Followed,
    Hello,
    Link,
    Ping,
    Pong,
    Read,
    Refused,
    Send,
    Sent,
    WasRead,
    packed,
    unpacked,
)
from gateway.listener import loop_factory
from gateway.remembered import EVENT_BYTES, EVENTS, Remembered
from gateway.subscriptions.subscription import Subscription

log = structlog.get_logger()
_AT_ONCE: Final = 4
"""So many messages are read in a turn of the event loop."""
_subscription: ContextVar[Subscription | None] = ContextVar("subscription")
"""That of the attempt which the present task makes."""
_encode = msgspec.msgpack.Encoder().encode
_hello = msgspec.msgpack.Decoder(Hello)
_asked: msgspec.msgpack.Decoder[Asked] = msgspec.msgpack.Decoder(Asked)


class Attempting(Protocol):
    """Makes attempts."""

    async def attempt(self, event: Event, delivery: Delivery) -> Outcome:
        """Make an attempt; never raises."""
        ...


class Tools(Protocol):
    """What a helper works with."""

    @property
    def applications(self) -> Applications: ...

    def attempting(self, instance: int, find: Find) -> Attempting:
        """What makes attempts; `instance` is the store's own number, `find` gives a subscription by its id."""
        ...

    def read(self, publication: Publication) -> tuple[Event, Sequence[Issue]]:
        """The event that a message tells of, and what its publisher is told of its type."""
        ...

    def follow(self, mark: bytes) -> bool:
        """Load the mapping modules that `mark` stands for; whether they are there."""
        ...


def run(end: socket.socket, tools: Tools) -> None:
    """Do what is asked at the other end of the socket until that is closed, for whatever reason. The process is to end
    then, whatever is under way.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    # The event loop is not closed: uvloop would wait for ever for what is under way.
    runner = asyncio.Runner(loop_factory=loop_factory())
    try:
        runner.run(_run(end, tools))
    except Exception as error:
        log.exception("helper", error=type(error).__name__)
    finally:
        logs.write_out()


async def _run(end: socket.socket, tools: Tools) -> None:
    work = _Work(tools)
    ended = asyncio.Event()
    # What was asked already may be taken before the connection is said to be there.
    work.link = Link(work.take, ended.set)
    await asyncio.get_running_loop().create_unix_connection(lambda: work.link, sock=end)
    await ended.wait()


class _Work:
    """Does what is asked, and answers by `link`."""

    link: Link

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._attempting: Attempting | None = None
        self._events: Remembered[int, Event] = Remembered(EVENTS)
        self._subscriptions: Remembered[str, Subscription] = Remembered(SUBSCRIPTIONS)
        self._under_way: set[asyncio.Task[None]] = set()
        self._unread: deque[Read] = deque()
        self._loop = asyncio.get_running_loop()

    def take(self, message: bytes) -> None:
        """Begin to do what a message says."""
        if self._attempting is None:
            self._attempting = self._tools.attempting(_hello.decode(message).instance, _find)
            return
        asked = _asked.decode(message)
        if isinstance(asked, Read):
            if not self._unread:
                self._loop.call_soon(self._read_next)
            self._unread.append(asked)
            return
        if isinstance(asked, Ping):
            self._answer(Pong(asked.number, os.getpid()))
            return
        if isinstance(asked, Follow):
            made = asyncio.create_task(self._follow(asked))
        else:
            event, subscription = self._event(asked), self._subscription(asked)
            made = asyncio.create_task(self._attempt(self._attempting, asked, event, subscription))
        self._under_way.add(made)
        made.add_done_callback(self._under_way.discard)

    def _read_next(self) -> None:
        """Read some messages, a few in each turn of the event loop: if all were read as they come, what is published
        would outrun what is sent.
        """
        for _ in range(min(_AT_ONCE, len(self._unread))):
            self._answer(self._read(self._unread.popleft()))
        if self._unread:
            self._loop.call_soon(self._read_next)

    def _read(self, asked: Read) -> Answer:
        try:
            return self._event_of(asked)
        except Refusal as refusal:
            return Refused(asked.number, refusal.issues)
        except Exception as error:  # its text may hold what the message held
            return _failed(asked, error)

    def _event_of(self, asked: Read) -> WasRead:
        application = LOCAL if asked.application == LOCAL.id else self._tools.applications.with_id(asked.application)
        assert application, "the configuration is that of the gateway"
        original = Original(asked.body, asked.media_type, "nems-message")
        event, notices = self._tools.read(Publication(asked.row_id, original, asked.interaction, application))
        facts = packed((event.filtering, event.demographics))
        bare = replace(event, original=replace(original, body=b""), filtering={}, demographics={})
        return WasRead(asked.number, bare, facts, tuple(notices))

    def _event(self, asked: Send) -> Event:
        if asked.event is None:
            event = self._events.get(asked.delivery.event_id)
            assert event, "the gateway knows what is remembered here"
            return event
        event = replace(asked.event, filtering=unpacked(asked.filtering))
        if len(event.original.body) <= EVENT_BYTES:
            self._events.keep(event.row_id, event)
        return event

    def _subscription(self, asked: Send) -> Subscription | None:
        about = asked.subscription
        if isinstance(about, str):
            about = self._subscriptions.get(about)
            assert about, "the gateway knows what is remembered here"
        elif about:
            self._subscriptions.keep(about.id, about)
        return about

    async def _attempt(
        self, attempting: Attempting, asked: Send, event: Event, subscription: Subscription | None
    ) -> None:
        # Others may be remembered in its place before it is asked for.
        _subscription.set(subscription)
        self._answer(Sent(asked.number, await attempting.attempt(event, asked.delivery)))

    async def _follow(self, asked: Follow) -> None:
        try:
            self._answer(Followed(asked.number, await asyncio.to_thread(self._tools.follow, asked.mark)))
        except Exception as error:
            self._answer(_failed(asked, error))

    def _answer(self, answer: Answer) -> None:
        try:
            message = _encode(answer)
        except Exception as error:  # something in it cannot be said
            failed = _failed(answer, error)
            outcome = replace(answer.outcome, detail="", answer="") if isinstance(answer, Sent) else None
            message = _encode(Sent(answer.number, outcome) if outcome else failed)
        self.link.send(message)


async def _find(_subscription_id: str) -> Subscription | None:
    return _subscription.get()


def _failed(about: Asked | Answer, error: Exception) -> Failed:
    log.error("helper", failed=type(about).__name__, error=type(error).__name__)
    return Failed(about.number)
