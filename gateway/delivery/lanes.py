"""Lanes: one for each endpoint, so that a slow one delays only itself."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Lane(Generic[T]):
    waiting: deque[T] = field(default_factory=deque)
    workers: int = 0


class Lanes(Generic[T]):
    """Runs `work` on items in the order they came, at most `width(endpoint)` at once for one endpoint; that may change
    from one item to the next.
    """

    def __init__(self, work: Callable[[T], Awaitable[None]], width: Callable[[str], int]) -> None:
        self._work, self._width = work, width
        self._lanes: dict[str, _Lane[T]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, endpoint: str, item: T) -> None:
        """Have `item` worked on when its endpoint's turn comes."""
        lane = self._lanes.setdefault(endpoint, _Lane())
        lane.waiting.append(item)
        if lane.workers < self._width(endpoint):
            self._start(endpoint, lane)

    def take_back(self, endpoint: str) -> list[T]:
        """Take out the half that waits longest from now, of what waits for `endpoint`."""
        lane = self._lanes.get(endpoint)
        return [lane.waiting.pop() for _ in range((len(lane.waiting) + 1) // 2)] if lane else []

    def clear(self) -> list[T]:
        """Take out what waits; what is being worked on goes on."""
        left = [item for lane in self._lanes.values() for item in lane.waiting]
        for lane in self._lanes.values():
            lane.waiting.clear()
        return left

    async def wait(self, seconds: float) -> None:
        """Wait for what is being worked on, at most so long; then cancel it."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _start(self, endpoint: str, lane: _Lane[T]) -> None:
        lane.workers += 1
        task = asyncio.create_task(self._drain(endpoint, lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self, endpoint: str, lane: _Lane[T]) -> None:
        try:
            # A lane that has become narrower loses workers, but never its last.
            while lane.waiting and (lane.workers <= self._width(endpoint) or lane.workers == 1):
                await self._work(lane.waiting.popleft())
                if lane.waiting and lane.workers < self._width(endpoint):
                    self._start(endpoint, lane)
        finally:
            lane.workers -= 1
            if not lane.workers and not lane.waiting:
                self._lanes.pop(endpoint, None)
