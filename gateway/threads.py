"""Threads for calls that block: MESH's client is synchronous, and a MESH that hangs must not hang the gateway's end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Threads:
    """`count` threads, from the first call on, that run calls in the order they came.

    Unlike those of a ThreadPoolExecutor they end with the process even in the middle of a call: a socket that waits for
    an answer cannot be interrupted.
    """

    def __init__(self, count: int, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(count)]
        self._run = False

    async def run(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((call, future))
        if not self._run:
            self._run = True
            for thread in self._threads:
                thread.start()
        return await future

    async def close(self, seconds: float) -> bool:
        """Take no more, and wait for what is under way, at most so long; whether all has ended."""
        for _ in self._threads:
            self._jobs.put(None)
        deadline = asyncio.get_running_loop().time() + seconds
        while any(thread.is_alive() for thread in self._threads):
            if asyncio.get_running_loop().time() >= deadline:
                return False
            await asyncio.sleep(0.01)
        return True

    def _work(self) -> None:
        while job := self._jobs.get():
            call, future = job
            if future.cancelled():
                continue
            try:
                result, error = call(), None
            except BaseException as raised:
                result, error = None, raised
            # The loop may be gone, when the call outlived it.
            with contextlib.suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_settle, future, result, error)


def _settle(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():  # whoever waited was cancelled
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
