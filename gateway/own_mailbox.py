"""A mailbox of the gateway's own: emptied, greeted once a day, and watched."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import structlog

from gateway import metrics
from gateway.faces.mesh_inbox import MeshInbox
from gateway.threads import Threads
from mesh.collect import CollectReport, StopCollecting, collect
from mesh.mailbox import Mailbox
from mesh.message import ReceivedMessage
from mesh.outcome import Result

log = structlog.get_logger()

GIVE_UP_SECONDS = 86_400.0
"""A message that could not be downloaded for a day is put aside: after five, MESH tells its sender it was not
collected (MESH API, message life cycle).
"""
PAGE = 500
"""MESH lists so many at most by itself (MESH API, GET /inbox)."""


class OwnMailbox:
    """Collects from one mailbox, in a thread of its own.

    A message that is too large, or that cannot be downloaded for `give_up_seconds`, is told of in the quarantine and
    stays in the mailbox, until an operator lets it out and it is tried again.
    """

    def __init__(self, mailbox: Mailbox, inbox: MeshInbox, give_up_seconds: float = GIVE_UP_SECONDS) -> None:
        self.name = mailbox.settings.mailbox_id
        self._mailbox, self._inbox, self._give_up_seconds = mailbox, inbox, give_up_seconds
        self._threads = Threads(1, f"mesh-{self.name}")
        self._stopping = False
        self._failing: dict[str, float] = {}

    def stop(self) -> None:
        """Take no further message; the one under way is finished."""
        self._stopping = True

    async def close(self) -> None:
        """End the thread, unless MESH holds it."""
        await self._threads.close(0)

    async def collect(self) -> None:
        """Empty the mailbox, as far as its messages can be kept."""
        loop = asyncio.get_running_loop()
        skip = set(await self._inbox.unread())

        def keep(message: ReceivedMessage) -> None:
            if self._stopping:
                raise StopCollecting
            asyncio.run_coroutine_threadsafe(self._inbox.take(message), loop).result()

        def too_large(message: ReceivedMessage) -> None:
            reason = f"longer than mesh.max_message_bytes, {self._mailbox.settings.max_body_bytes}"
            asyncio.run_coroutine_threadsafe(self._inbox.put_aside(message, reason), loop).result()

        call = partial(collect, self._mailbox, keep, too_large=too_large, skip=skip, page=PAGE)
        report = await self._threads.run(call)
        await self._watch(report)
        if not report.ended_early:
            metrics.mailbox_read(self.name)
        if report.failed or report.ended_early:
            log.warning(
                "collect", mailbox=self.name, kept=report.kept, failed=sorted(set(report.failed.values())),
                left=len(report.failed), ended_early=report.ended_early,
            )  # fmt: skip

    async def handshake(self) -> None:
        """Tell MESH that we are there."""
        outcome = await self._threads.run(self._mailbox.handshake)
        if outcome.result is Result.ACCEPTED:
            metrics.greeted(self.name)
        else:
            log.error(
                "handshake", mailbox=self.name, result=outcome.result, status=outcome.status, reason=outcome.reason
            )

    async def _watch(self, report: CollectReport) -> None:
        """Remember since when messages fail, and put aside those that failed for too long."""
        now = time.monotonic()
        # A cycle that ended early says nothing of the messages that it did not come to.
        still = self._failing if report.ended_early else {}
        self._failing = still | {message_id: self._failing.get(message_id, now) for message_id in report.failed}
        for message_id, error in report.failed.items():
            if now - self._failing[message_id] >= self._give_up_seconds and not self._stopping:
                message = ReceivedMessage.read(message_id, {"Mex-To": self.name}, b"")
                await self._inbox.put_aside(message, f"could not be collected: {error}")
        if not report.ended_early:
            oldest = max((now - since for since in self._failing.values()), default=0.0)
            metrics.mailbox_left(self.name, len(report.failed) + report.skipped, oldest)
