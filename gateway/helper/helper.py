"""A helper: a process of the gateway's that reads what is published and makes attempts at webhooks, so that this work
has a processor core of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec
import structlog

from gateway.helper.wire import Answer, Asked, Follow, Followed, Hello, Link, Ping, Pong

log = structlog.get_logger()
_END_SECONDS: Final = 5.0
"""How long a helper may take to end by itself."""
_AGAIN_SECONDS: Final = 1.0
_AGAIN_AT_LEAST_SECONDS: Final = 60.0
"""When another takes the place of one that has ended; each time after twice as long, until one stays."""
_encode = msgspec.msgpack.Encoder().encode
_answer: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


class HelperEnded(Exception):
    """The helper is gone, and what it was asked may be done or not."""


class NotAsked(Exception):
    """The helper knows nothing of what it was to be asked."""


class Making(Protocol):
    """Makes the processes of helpers."""

    def make(self, end: socket.socket) -> int:
        """Have one made that is asked by the other end of that socket; its number.

        Raises:
            OSError: none can be made any more.
        """
        ...

    def end(self, number: int) -> None:
        """End that one at once, if it has not ended."""
        ...


class Helper:
    """The gateway's side of a helper. Every `patience_seconds` it is asked whether it is well; one that does not answer
    twice is ended. When it has ended, whatever the reason, another process takes its place.
    """

    def __init__(self, maker: Making, patience_seconds: float) -> None:
        self._maker, self._patience = maker, patience_seconds
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._number = self._silent = self._process = 0
        self._is_there = self._is_ending = False
        self._timer: asyncio.TimerHandle | None = None
        self._pause = _AGAIN_SECONDS
        self.pid = self.life = 0
        """Its process's id, once that has said it; and how many it has had."""
        self.is_behind = True

    @property
    def is_there(self) -> bool:
        """Whether it may be asked to work: it runs, and has the mapping modules that the gateway has."""
        return self._is_there and not self.is_behind

    async def start(self, instance: int, bring_along: Callable[[Helper], Awaitable[None]]) -> None:
        """Have it wait for work; `instance` is the store's own number. Each process begins with the mapping modules of
        the gateway's start, and `bring_along` sees to it that it has those of today.
        """
        self._loop = asyncio.get_running_loop()
        self._gone = asyncio.Event()
        self._instance, self._bring_along = instance, bring_along
        await self._try_to_begin()

    def number(self) -> int:
        """A number for what it is asked next."""
        self._number += 1
        return self._number

    def ask(self, asked: Asked) -> asyncio.Future[Answer]:
        """Ask it; the future holds its answer, or raises HelperEnded.

        Raises:
            NotAsked: it was not asked: it is gone, or there is something in it that cannot be said.
        """
        if not self._is_there:
            raise NotAsked
        try:
            message = _encode(asked)
        except Exception as error:  # something in it cannot be said; the text may hold it
            raise NotAsked(type(error).__name__) from None
        self._link.send(message)
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting[asked.number] = answer
        return answer

    async def follow(self, mark: bytes) -> None:
        """Have it load the mapping modules that `mark` stands for."""
        with contextlib.suppress(NotAsked, HelperEnded):
            answer = await self.ask(Follow(self.number(), mark))
            self.is_behind = not (isinstance(answer, Followed) and answer.are_those)

    async def stop(self) -> None:
        """Have it end; nothing may be under way any more."""
        self._is_ending = True
        if self._is_there:
            self._link.close()
            await self._gone.wait()
        else:
            self._beginning.cancel()

    async def _begin(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = self._maker.make(theirs)
            except OSError:
                ours.close()
                raise
        self.is_behind, self._silent = True, 0
        self.life += 1
        self._link = Link(self._take, self._lost)
        await self._loop.create_unix_connection(lambda: self._link, sock=ours)
        if self._link.is_lost:
            return
        self._is_there = True
        self._link.send(_encode(Hello(self._instance)))
        self._ask_whether_well()
        await self._bring_along(self)

    def _take(self, message: bytes) -> None:
        answer = _answer.decode(message)
        self._silent = 0
        if isinstance(answer, Pong):
            self.pid = answer.pid
        asked = self._waiting.pop(answer.number)
        if not asked.done():  # unless whoever waited was cancelled
            asked.set_result(answer)

    def _ask_whether_well(self) -> None:
        self._silent += 1
        # Nobody waits for the answer: that one came is all that counts.
        self.ask(Ping(self.number())).cancel()
        self._timer = self._loop.call_later(self._patience, self._look)

    def _look(self) -> None:
        self._pause = _AGAIN_SECONDS
        # One answer may be there unread, if it is the gateway that stood still.
        if self._silent >= 2:
            self._maker.end(self._process)
        self._ask_whether_well()

    def _lost(self) -> None:
        self._is_there = False
        if self._timer:
            self._timer.cancel()
        for asked in self._waiting.values():
            if not asked.done():
                asked.set_exception(HelperEnded)
        self._waiting.clear()
        if self._is_ending:
            self._gone.set()
            return
        log.error("helper", pid=self.pid, error="ended", again_in_seconds=self._pause)
        self.pid = 0
        # It ends by itself, and may have something to say.
        self._loop.call_later(_END_SECONDS, self._maker.end, self._process)
        self._begin_later()

    def _begin_later(self) -> None:
        self._beginning = asyncio.create_task(self._begin_again(self._pause), name="helper")
        self._pause = min(2 * self._pause, _AGAIN_AT_LEAST_SECONDS)

    async def _begin_again(self, pause: float) -> None:
        await asyncio.sleep(pause)
        await self._try_to_begin()
        if self._is_there:
            log.info("helper", outcome="replaced")

    async def _try_to_begin(self) -> None:
        try:
            await self._begin()
        except OSError as error:
            log.exception("helper", error=f"none can be made: {error.strerror}", again_in_seconds=self._pause)
            self._begin_later()
