"""A helper: a process of the gateway's that reads what is published and makes attempts at webhooks, so that this work
has a processor core of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog

from gateway.helper.maker import Maker
from gateway.helper.wire import Answer, Asked, Follow, Followed, Hello, Link, Ping, Pong

log = structlog.get_logger()
_BEGIN_SECONDS: Final = 5.0
"""How long a helper may take until it answers."""
_FOLLOW_SECONDS: Final = 60.0
"""How long it may take to load the mapping modules."""
_FLUSH_SECONDS: Final = 1.0
"""How long one that is to end may take to hear of it."""
_AGAIN_SECONDS, _AGAIN_SECONDS_AT_MOST = 1.0, 60.0
"""When another takes the place of one that has ended; each time after twice as long, until one stays."""
_encode = msgspec.msgpack.Encoder().encode
_answer: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


class HelperEnded(Exception):
    """The helper is gone, and what it was asked may be done or not."""


class NotAsked(Exception):
    """The helper knows nothing of what it was to be asked."""


class Helper:
    """The gateway's side of a helper, which `maker` makes. Every `patience_seconds` it is asked whether it is well; one
    that does not answer twice is ended. When it has ended, whatever the reason, another process takes its place.
    """

    def __init__(self, maker: Maker, patience_seconds: float) -> None:
        self._maker, self._patience = maker, patience_seconds
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._number = self._silent = 0
        self._is_there = self._is_ending = self.is_behind = False
        self._link: Link | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._pause = _AGAIN_SECONDS
        self.pid = self.life = 0
        """Its process, 0 until that has answered; and how many it has had."""

    @property
    def is_there(self) -> bool:
        """Whether it may be asked to work: it runs, and has the mapping modules that the gateway has."""
        return self._is_there and not self.is_behind

    async def start(self, instance: int, bring_along: Callable[[Helper], Awaitable[None]]) -> None:
        """Have it wait for work; `instance` is the store's own number. Each process begins with the mapping modules of
        the gateway's start, and `bring_along` sees to it that it has those of today.
        """
        self._loop = asyncio.get_running_loop()
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
        if self._link is None or not self._link.is_open:
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
        """Have it load the mapping modules that `mark` stands for; one that takes too long is ended."""
        try:
            async with asyncio.timeout(_FOLLOW_SECONDS):
                answer = await self.ask(Follow(self.number(), mark))
            self.is_behind = not (isinstance(answer, Followed) and answer.are_those)
        except TimeoutError:
            self._end()
        except (NotAsked, HelperEnded):
            pass

    async def stop(self) -> None:
        """Have it end; nothing may be under way any more."""
        self._is_ending = True
        if self._beginning:
            self._beginning.cancel()
        if self._link and self._link.is_open:
            self._link.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_SECONDS):
                    await self._link.lost.wait()
            self._link.abort()

    async def _try_to_begin(self) -> None:
        try:
            await self._begin()
        except BrokenPipeError:
            log.exception("helper", error="no other can be made until the gateway is started anew")
        except Exception as error:
            self._end()
            log.exception("helper", error=f"did not begin: {type(error).__name__}", again_in_seconds=self._pause)
            self._begin_later()

    async def _begin(self) -> None:
        link = Link(self._take, self._lost)
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._maker.make(theirs)
                await self._loop.create_unix_connection(lambda: link, sock=ours)
            except OSError:
                ours.close()
                raise
        link.send(_encode(Hello(self._instance)))
        self._link = link
        self.life += 1
        async with asyncio.timeout(_BEGIN_SECONDS):
            await self.ask(Ping(self.number()))
        self._ask_whether_well()
        await self._bring_along(self)
        if not link.is_open:
            raise HelperEnded
        self._is_there = True

    def _begin_later(self) -> None:
        self._beginning = asyncio.create_task(self._begin_again(self._pause), name="helper")
        self._pause = min(2 * self._pause, _AGAIN_SECONDS_AT_MOST)

    async def _begin_again(self, pause: float) -> None:
        await asyncio.sleep(pause)
        await self._try_to_begin()
        if self._is_there:
            log.info("helper", pid=self.pid, outcome="behind" if self.is_behind else "replaced")

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
        # One answer may be there unread, if it is the gateway that stood still.
        if self._silent >= 2:
            self._end()
            return
        if self._silent == 0:
            self._pause = _AGAIN_SECONDS  # this one stays
        self._ask_whether_well()

    def _end(self) -> None:
        """End its process, which may stand still."""
        if self._link and self._link.is_open:
            self._link.abort()
            if self.pid:
                with contextlib.suppress(OSError):
                    os.kill(self.pid, signal.SIGKILL)

    def _lost(self) -> None:
        for asked in self._waiting.values():
            if not asked.done():
                asked.set_exception(HelperEnded)
        self._waiting.clear()
        if self._timer:
            self._timer.cancel()
        pid, self.pid, self._silent = self.pid, 0, 0
        if not self._is_there:  # who waits for it to begin finds that it ended
            return
        self._is_there = False
        if not self._is_ending:
            log.error("helper", pid=pid, error="ended", again_in_seconds=self._pause)
            self._begin_later()
