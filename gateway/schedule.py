"""What happens by the clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from gateway.clock import Steps
from gateway.errors import Unavailable

log = structlog.get_logger()
_LOOK_SECONDS = 1.0

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
    """Runs jobs by APScheduler, each one after the other with itself and beside the others; the waits vary by up to a
    tenth more, so that nodes do not fall into step. It goes by the time of day, so when that is set back, what is due
    is set back with it.
    """

    def __init__(self, jobs: Sequence[Job], turn: Turn = always) -> None:
        self._turn = turn
        self._running: set[asyncio.Task[None]] = set()
        self._without_store: set[str] = set()
        self._steps = Steps()
        self._watching: asyncio.Task[None] | None = None
        # What APScheduler would log of a job is logged here, and a run that is still under way is no news.
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        now = datetime.now(UTC)
        for job in jobs:
            # One that comes late, after a run longer than its interval or a stalled machine, is run once and at once.
            self._scheduler.add_job(
                self._run, "interval", [job], id=job.name, seconds=job.seconds * 1.05, jitter=job.seconds * 0.05,
                next_run_time=now, max_instances=1, coalesce=True, misfire_grace_time=None,
            )  # fmt: skip

    def start(self) -> None:
        """Start the jobs."""
        self._scheduler.start()
        self._watching = asyncio.create_task(self._watch_clock(), name="clock")

    async def stop(self, seconds: float) -> None:
        """Start no more, wait for what is under way, at most so long, and then give it up."""
        self._scheduler.pause()
        if self._watching:
            self._watching.cancel()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._scheduler.shutdown(wait=False)

    async def _watch_clock(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if back_ms := self._steps.back_ms():
                for due in self._scheduler.get_jobs():
                    due.modify(next_run_time=due.next_run_time - timedelta(milliseconds=back_ms))

    async def _run(self, job: Job) -> None:
        task = asyncio.current_task()
        assert task
        self._running.add(task)
        try:
            if not job.alone:
                await job.run()
            elif await self._turn(job.name, job.seconds):
                await self._run_alone(job)
            self._without_store.discard(job.name)
        except Unavailable as error:
            if job.name not in self._without_store:  # told of once, not at each run
                log.error("job", job=job.name, error=type(error).__name__)
            self._without_store.add(job.name)
        except Exception as error:  # the next time it may go well; its text may hold what a message held
            log.error("job", job=job.name, error=type(error).__name__)
        finally:
            self._running.discard(task)

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
