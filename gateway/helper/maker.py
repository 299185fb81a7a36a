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

log = structlog.get_logger()
_END_SECONDS: Final = 5.0
"""How long helpers may take to end by themselves."""
_LOOK_SECONDS: Final = 0.01
_ENDINGS: Final = (signal.SIGINT, signal.SIGTERM)


class Maker:
    """The gateway's side of the process `pid`, which makes helpers when it is asked by a socket, and ends with it."""

    def __init__(self, pid: int, end: socket.socket) -> None:
        self._pid, self._end = pid, end

    def make(self, end: socket.socket) -> None:
        """Have a helper made that is asked by the other end of that socket.

        Raises:
            BrokenPipeError: the process that makes them is gone.
            OSError: it takes no more at the moment.
        """
        socket.send_fds(self._end, [b"+"], [end.fileno()])

    def stop(self) -> None:
        """Wait until all helpers have ended, which are asked nothing any more. Those that do not end are ended by the
        process that has made them, as long as that lives.
        """
        self._end.close()
        until = time.monotonic() + 2 * _END_SECONDS
        while self._pid and time.monotonic() < until:
            if _has_ended(self._pid):
                self._pid = 0
            else:
                time.sleep(_LOOK_SECONDS)
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            self._pid = 0


@contextlib.contextmanager
def made(run: Callable[[socket.socket], None]) -> Iterator[Maker]:
    """What makes helpers; after the block all have ended.

    This process may have no other threads yet. With its end of a socket a helper does `run` until the other end is
    closed, and nothing else. It does not hear of SIGINT and SIGTERM: the gateway is told to end, and lets its helpers
    finish first.

    Raises:
        ConfigurationError: the system makes no process, or there is another thread.
    """
    if threading.active_count() > 1:  # it would be missing in the copy, with all that it holds
        raise ConfigurationError("something has begun a thread before the gateway: set GATEWAY_HELPERS=0")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        # One that came before the copy ignores them would have it go on as a second gateway, on its way out.
        heard = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
        try:
            pid = os.fork()
            if pid == 0:
                _be_maker(ours, theirs, run)
        except OSError as error:
            text = f"cannot make a process: {error.strerror}; set GATEWAY_HELPERS=0 to do without"
            raise ConfigurationError(text) from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)
        theirs.close()
        ours.setblocking(False)
        maker = Maker(pid, ours)
        try:
            yield maker
        finally:
            maker.stop()


def _be_maker(ours: socket.socket, theirs: socket.socket, run: Callable[[socket.socket], None]) -> None:
    """Never returns: what the gateway does at its end is not for a copy of it to do."""
    try:
        ours.close()
        for ending in _ENDINGS:
            signal.signal(ending, signal.SIG_IGN)
        # Where it was ignored, nothing would be known of the end of a helper.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
        _make(theirs, run)
    except BaseException as error:
        log.exception("helper", error=f"the process that makes them: {type(error).__name__}")
    finally:
        os._exit(0)


def _make(end: socket.socket, run: Callable[[socket.socket], None]) -> None:
    """Make the helpers that are asked for, until the other end is closed; in a helper, `run`."""
    pids: list[int] = []
    while True:
        asked, ends, _, _ = socket.recv_fds(end, 1, 1)
        if not asked:
            break
        pids = [pid for pid in pids if not _has_ended(pid)]
        for number in ends:
            with socket.socket(fileno=number) as theirs:
                try:
                    pid = os.fork()
                except OSError as error:  # the gateway finds that the other end is closed
                    log.exception("helper", error=f"cannot make a process: {error.strerror}")
                    continue
                if pid == 0:
                    end.close()
                    run(theirs)
                    return
                pids.append(pid)
    _end(pids)


def _end(pids: list[int]) -> None:
    """Wait until all have ended, and end those that do not."""
    until = time.monotonic() + _END_SECONDS
    while (pids := [pid for pid in pids if not _has_ended(pid)]) and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _has_ended(pid: int) -> bool:
    """Whether a process that this one has made has ended; after that the system may give its id to another."""
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:  # where the end of processes is ignored, the system forgets them itself
        return True
