"""What happens by the clock."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

log = structlog.get_logger()

Turn = Callable[[str, float], Awaitable[bool]]
"""Asks for a turn at the job of that name: True lets the caller do it, and nobody else for so many seconds."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do every so many seconds, the first time at once.

    One that is `alone` is done by one node among all, which takes a turn first.
    """

    name: str
    seconds: float
    run: Callable[[], Awaitable[None]]
    alone: bool = False


async def always(_name: str, _seconds: float) -> bool:
    """The turns of a node that is the only one."""
    return True


class Schedule:
    """Runs jobs, each one after the other with itself and beside the others; the waits vary by up to a tenth more, so
    that nodes do not fall into step.
    """

    def __init__(self, jobs: Sequence[Job], turn: Turn = always) -> None:
        self._jobs, self._turn = jobs, turn
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Start the jobs."""
        self._tasks = [asyncio.create_task(self._repeat(job), name=job.name) for job in self._jobs]

    async def stop(self, seconds: float) -> None:
        """Start no more, wait for what is under way, at most so long, and then give it up."""
        self._stopping.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _repeat(self, job: Job) -> None:
        while not self._stopping.is_set():
            await self._run(job)
            wait = job.seconds * random.uniform(1, 1.1)  # noqa: S311  # not a secret
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)

    async def _run(self, job: Job) -> None:
        try:
            if not job.alone or await self._turn(job.name, job.seconds):
                await job.run()
        except Exception as error:  # the next time it may go well; its text may hold what a message held
            log.error("job", job=job.name, error=type(error).__name__)
