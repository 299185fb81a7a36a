"""The process that makes helpers: a copy of the gateway from before it had threads, which can be copied at any time."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import structlog

from gateway.errors import ConfigurationError
from gateway.helper.helper import Helper

log = structlog.get_logger()
_END_SECONDS: Final = 5.0
"""How long helpers may take to end by themselves."""
_LOOK_SECONDS: Final = 0.01
_LENGTH: Final = 8


@contextlib.contextmanager
def helpers(count: int, run: Callable[[socket.socket], None], patience_seconds: float) -> Iterator[list[Helper]]:
    """So many helpers, where the system can make any; after the block all have ended.

    This process may have no other threads yet. With its end of a socket a helper does `run` until the other end is
    closed, and nothing else.

    Raises:
        ConfigurationError: the system makes no process.
    """
    if not count or not hasattr(os, "fork"):
        yield []
        return
    with _made(run) as maker:
        yield [Helper(maker, patience_seconds) for _ in range(count)]


class Maker:
    """The gateway's side of the process that makes helpers, at `end` of a socket."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._number = 0

    def make(self, end: socket.socket) -> int:
        """Have a helper made that is asked by the other end of that socket; its number.

        Raises:
            OSError: the process that makes them is gone.
        """
        self._number += 1
        socket.send_fds(self._end, [self._number.to_bytes(_LENGTH)], [end.fileno()])
        return self._number

    def end(self, number: int) -> None:
        """End that helper at once, if it has not ended."""
        with contextlib.suppress(OSError):
            self._end.send(number.to_bytes(_LENGTH))


@contextlib.contextmanager
def _made(run: Callable[[socket.socket], None]) -> Iterator[Maker]:
    assert threading.active_count() == 1, "a thread would be missing in the copy, with all that it holds"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        try:
            pid = os.fork()
        except OSError as error:
            text = f"cannot make a process: {error.strerror}; set GATEWAY_HELPERS=0 to do without"
            raise ConfigurationError(text) from None
        if pid == 0:
            ours.close()
            try:
                _make(theirs, run)
            finally:
                os._exit(0)  # what the gateway does at its end is not for a copy of it to do
        theirs.close()
        yield Maker(ours)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _make(end: socket.socket, run: Callable[[socket.socket], None]) -> None:
    """Make the helpers that are asked for, and end those that are to end, until the other end is closed."""
    # The gateway is told to end, and what it has made ends after it.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)
    pids: dict[int, int] = {}
    while True:
        message, ends, _, _ = socket.recv_fds(end, _LENGTH, 1)
        if not message:
            break
        _look(pids)
        number = int.from_bytes(message)
        if not ends:
            if number in pids:
                os.kill(pids[number], signal.SIGKILL)
            continue
        with socket.socket(fileno=ends[0]) as theirs:
            try:
                pid = os.fork()
            except OSError as error:  # the gateway finds that the other end is closed
                log.error("helper", error=f"cannot make a process: {error.strerror}")
                continue
            if pid == 0:
                end.close()
                run(theirs)
                return
            pids[number] = pid
    _end(pids)


def _look(pids: dict[int, int]) -> None:
    """Forget those that have ended: after that the system may give their ids to others."""
    for number, pid in list(pids.items()):
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            del pids[number]


def _end(pids: dict[int, int]) -> None:
    """Wait until all have ended, for some time."""
    until = time.monotonic() + _END_SECONDS
    while pids and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
        _look(pids)
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
