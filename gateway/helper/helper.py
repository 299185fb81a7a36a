"""A helper: a process of the gateway's that reads what is published and makes attempts at webhooks, so that this work
has a processor core of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import structlog

from gateway.errors import ConfigurationError
from gateway.helper.wire import Answer, Asked, Follow, Followed, Hello, Link, Ping

log = structlog.get_logger()
_END_SECONDS: Final = 5.0
"""How long a helper may take to end by itself."""
_LOOK_SECONDS: Final = 0.01
_encode = msgspec.msgpack.Encoder().encode
_answer: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


@contextlib.contextmanager
def forked(count: int, run: Callable[[socket.socket], None], patience_seconds: float) -> Iterator[list[Helper]]:
    """So many helpers, where the system can make any.

    They are copies of this process, which may have no other threads yet. With its end of a socket each does `run` until
    the other end is closed, and nothing else.

    Raises:
        ConfigurationError: the system makes no process.
    """
    assert not count or threading.active_count() == 1, "a thread would be missing in the copy, with all that it holds"
    with contextlib.ExitStack() as ends:
        helpers: list[Helper] = []
        for _ in range(count if hasattr(os, "fork") else 0):
            ours, theirs = socket.socketpair()
            ends.callback(ours.close)
            with theirs:
                pid = _fork()
                if pid == 0:
                    ends.close()
                    try:
                        run(theirs)
                    finally:
                        os._exit(0)  # what the gateway does at its end is not for a copy of it to do
            helpers.append(Helper(pid, ours, patience_seconds))
        yield helpers


def _fork() -> int:
    try:
        return os.fork()
    except OSError as error:
        raise ConfigurationError(f"cannot make a process: {error.strerror}; set GATEWAY_HELPERS to less") from None


class HelperEnded(Exception):
    """The helper is gone, and what it was asked may be done or not."""


class NotAsked(Exception):
    """The helper knows nothing of what it was to be asked."""


class Helper:
    """The gateway's side of a helper. Every `patience_seconds` it is asked whether it is well; one that does not answer
    twice is ended.
    """

    def __init__(self, pid: int, end: socket.socket, patience_seconds: float) -> None:
        self.pid, self._end, self._patience = pid, end, patience_seconds
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._number = self._silent = 0
        self._is_there = self._is_ending = self.is_behind = False

    @property
    def is_there(self) -> bool:
        """Whether it may be asked to work: it runs, and has the mapping modules that the gateway has."""
        return self._is_there and not self.is_behind

    async def start(self, instance: int) -> None:
        """Have it wait for work; `instance` is the store's own number."""
        self._loop = asyncio.get_running_loop()
        _, self._link = await self._loop.create_unix_connection(lambda: Link(self._take, self._lost), sock=self._end)
        self._is_there = True
        self._link.send(_encode(Hello(instance)))
        self._ask_whether_well()

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
        """End it; nothing may be under way any more."""
        self._is_ending = True
        if self._is_there:
            self._link.close()
        self._loop.call_later(_END_SECONDS, self._kill)
        while not self._is_ended():  # noqa: ASYNC110  # nothing tells of the end of a process that asyncio did not make
            await asyncio.sleep(_LOOK_SECONDS)

    def _take(self, message: bytes) -> None:
        answer = _answer.decode(message)
        self._silent = 0
        asked = self._waiting.pop(answer.number)
        if not asked.done():  # unless whoever waited was cancelled
            asked.set_result(answer)

    def _ask_whether_well(self) -> None:
        # One answer may be there unread, if it is the gateway that stood still.
        if self._silent >= 2:
            self._kill()
        self._silent += 1
        # Nobody waits for the answer: that one came is all that counts.
        self.ask(Ping(self.number())).cancel()
        self._timer = self._loop.call_later(self._patience, self._ask_whether_well)

    def _lost(self) -> None:
        self._is_there = False
        self._timer.cancel()
        if not self._is_ending:
            log.error("helper", pid=self.pid, error="ended: until the gateway is started anew, it works without")
            # It ends by itself, and may have something to say.
            self._loop.call_later(_END_SECONDS, self._kill)
        for asked in self._waiting.values():
            if not asked.done():
                asked.set_exception(HelperEnded)
        self._waiting.clear()

    def _is_ended(self) -> bool:
        """Whether it has ended; after that the system may give its pid to another."""
        if self.pid:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                    return False
            self.pid = 0
        return True

    def _kill(self) -> None:
        if not self._is_ended():
            os.kill(self.pid, signal.SIGKILL)
