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
    """Runs `work` on items, at most `width` at once for one endpoint, in the order they came."""

    def __init__(self, work: Callable[[T], Awaitable[None]], width: int) -> None:
        self._work, self._width = work, width
        self._lanes: dict[str, _Lane[T]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, endpoint: str, item: T) -> None:
        """Have `item` worked on when its endpoint's turn comes."""
        lane = self._lanes.setdefault(endpoint, _Lane())
        lane.waiting.append(item)
        if lane.workers < self._width:
            lane.workers += 1
            task = asyncio.create_task(self._drain(endpoint, lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

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

    async def _drain(self, endpoint: str, lane: _Lane[T]) -> None:
        try:
            while lane.waiting:
                await self._work(lane.waiting.popleft())
        finally:
            lane.workers -= 1
            if not lane.workers and not lane.waiting:
                self._lanes.pop(endpoint, None)
