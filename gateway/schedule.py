"""What happens by the clock: the own mailbox is polled, MESH asked whether it is there, and greeted once a day."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from gateway import metrics
from gateway.faces.mesh_inbox import MeshInbox
from mesh.collect import StopCollecting, collect
from mesh.mailbox import Mailbox
from mesh.message import ReceivedMessage
from mesh.outcome import Result

log = structlog.get_logger()
PING_SECONDS = 30
"""How often MESH is asked whether it is there; `_ping` is not part of any mailbox."""
HANDSHAKE_SECONDS = 23 * 3600
"""MESH asks for a handshake once in 24 hours (MESH API, POST /messageexchange/{mailbox})."""


class Schedule:
    """Runs the jobs. Those of the mailbox run in a thread of their own, one at a time."""

    def __init__(self, mailbox: Mailbox, inbox: MeshInbox, poll_seconds: float) -> None:
        self._mailbox, self._inbox, self._poll_seconds = mailbox, inbox, poll_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mesh-collect")
        self._ping_thread = ThreadPoolExecutor(1, thread_name_prefix="mesh-ping")
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._stopping = False
        self.mesh_state = "unknown"
        """How MESH was when it was last asked: `ok`, or what the attempt came to."""

    def start(self) -> None:
        """Start the jobs, the first run of each at once."""
        jobs = (
            (self._collect, self._poll_seconds),
            (self._handshake, HANDSHAKE_SECONDS),
            (self._ping, min(self._poll_seconds, PING_SECONDS)),
        )
        for job, seconds in jobs:
            self._scheduler.add_job(
                job, "interval", seconds=seconds, next_run_time=datetime.now(UTC), max_instances=1, coalesce=True,
                misfire_grace_time=None,
            )  # fmt: skip
        self._scheduler.start()

    async def stop(self) -> None:
        """Start no more, and wait for what is under way: a collection ends after the message it is at."""
        self._stopping = True
        self._scheduler.remove_all_jobs()
        for thread in (self._thread, self._ping_thread):
            await asyncio.to_thread(thread.shutdown, True, cancel_futures=True)
        self._scheduler.shutdown(wait=False)

    async def _collect(self) -> None:
        loop = asyncio.get_running_loop()

        def keep(message: ReceivedMessage) -> None:
            if self._stopping:
                raise StopCollecting
            asyncio.run_coroutine_threadsafe(self._inbox.take(message), loop).result()

        report = await loop.run_in_executor(self._thread, lambda: collect(self._mailbox, keep))
        if not report.ended_early:
            metrics.mailbox_read()
        if report.failed or report.ended_early:
            log.warning("collect", kept=report.kept, failed=len(report.failed), ended_early=report.ended_early)

    async def _handshake(self) -> None:
        outcome = await asyncio.get_running_loop().run_in_executor(self._thread, self._mailbox.handshake)
        if outcome.result is not Result.ACCEPTED:
            log.error("handshake", result=outcome.result, status=outcome.status, reason=outcome.reason)

    async def _ping(self) -> None:
        outcome = await asyncio.get_running_loop().run_in_executor(self._ping_thread, self._mailbox.ping)
        self.mesh_state = "ok" if outcome.result is Result.ACCEPTED else str(outcome.result)
