"""What happens by the clock: the own mailbox is polled, and MESH greeted once a day."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from gateway import metrics
from gateway.faces.mesh_inbox import MeshInbox
from mesh.collect import CollectReport, collect
from mesh.mailbox import Mailbox
from mesh.message import ReceivedMessage
from mesh.outcome import Result

log = structlog.get_logger()
HANDSHAKE_SECONDS = 23 * 3600
"""MESH asks for a handshake once in 24 hours (MESH API, POST /messageexchange/{mailbox})."""


class Schedule:
    """Runs the jobs; those that talk to MESH run in a thread of their own, one at a time."""

    def __init__(self, mailbox: Mailbox, inbox: MeshInbox, poll_seconds: float) -> None:
        self._mailbox, self._inbox, self._poll_seconds = mailbox, inbox, poll_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mesh-collect")
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    def start(self) -> None:
        """Start the jobs, the first run of each at once."""
        jobs = ((self._collect, self._poll_seconds), (self._handshake, HANDSHAKE_SECONDS))
        for job, seconds in jobs:
            self._scheduler.add_job(
                job, "interval", seconds=seconds, next_run_time=datetime.now(UTC), max_instances=1, coalesce=True,
                misfire_grace_time=None,
            )  # fmt: skip
        self._scheduler.start()

    async def stop(self) -> None:
        """Start no more, and wait for the job under way."""
        self._scheduler.shutdown(wait=False)
        await asyncio.to_thread(self._thread.shutdown, True, cancel_futures=True)

    async def _collect(self) -> None:
        loop = asyncio.get_running_loop()

        def keep(message: ReceivedMessage) -> None:
            asyncio.run_coroutine_threadsafe(self._inbox.take(message), loop).result()

        report: CollectReport = await loop.run_in_executor(self._thread, lambda: collect(self._mailbox, keep))
        if not report.ended_early:
            metrics.mailbox_read()
        if report.failed or report.ended_early:
            log.warning("collect", kept=report.kept, failed=len(report.failed), ended_early=report.ended_early)

    async def _handshake(self) -> None:
        outcome = await asyncio.get_running_loop().run_in_executor(self._thread, self._mailbox.handshake)
        if outcome.result is not Result.ACCEPTED:
            log.error("handshake", result=outcome.result, status=outcome.status, reason=outcome.reason)
