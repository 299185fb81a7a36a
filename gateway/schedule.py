"""What happens by the clock."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from gateway.errors import Unavailable

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
    """Runs jobs, each one after the other with itself and beside the others; the waits between runs vary by up to a
    tenth more, so that nodes do not fall into step. A clock that is set changes nothing.
    """

    def __init__(self, jobs: Sequence[Job], turn: Turn = always) -> None:
        self._jobs, self._turn = jobs, turn
        self._tasks: list[asyncio.Task[None]] = []
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
        was_away = False
        while not self._stopping.is_set():
            was_away = await self._run(job, was_away)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(job.seconds * random.uniform(1, 1.1)):  # noqa: S311  # not a secret
                    await self._stopping.wait()

    async def _run(self, job: Job, was_away: bool) -> bool:
        """Run it; whether the store is away, which is told of once."""
        try:
            if not job.alone:
                await job.run()
            elif await self._turn(job.name, job.seconds):
                await self._run_alone(job)
        except Exception as error:  # the next time it may go well; its text may hold what a message held
            is_away = isinstance(error, Unavailable)
            if not (is_away and was_away):
                log.error("job", job=job.name, error=type(error).__name__)
            return is_away
        return False

    async def _run_alone(self, job: Job) -> None:
        """Keep the turn for as long as the run takes."""
        keeping = asyncio.create_task(self._keep_turn(job))
        try:
            await job.run()
        finally:
            keeping.cancel()

    async def _keep_turn(self, job: Job) -> None:
        while True:
            await asyncio.sleep(job.seconds / 2)
            try:
                await self._turn(job.name, job.seconds)
            except Unavailable as error:
                log.warning("turn", job=job.name, error=str(error))
