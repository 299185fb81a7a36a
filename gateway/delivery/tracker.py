"""Whether what MESH has taken was collected by its recipient: asked at MESH's pace, message by message."""

from __future__ import annotations

from functools import partial

import structlog

from gateway import ids, metrics
from gateway.clock import now_ms
from gateway.store.base import Store, Uncollected
from gateway.threads import Threads
from mesh.mailbox import Mailbox
from mesh.outcome import TRANSPORT_ERRORS, Result, from_error

log = structlog.get_logger()

AT_ONCE = 500
"""How many messages are asked for at a time; the others wait for the next."""
LONGEST_MS = 6 * 86_400_000
"""MESH gives a message up after five days, and then there is a report."""
_GIVEN_UP = frozenset({"undeliverable", "error"})


class Tracker:
    """Asks MESH for each delivered message, `seconds` after its delivery and again after each further `seconds`, until
    it was collected or MESH has given it up. MESH wants to be asked seldom (MESH API, GET /outbox/tracking).
    """

    def __init__(self, mailbox: Mailbox, store: Store, seconds: float) -> None:
        self._mailbox, self._store, self._wait_ms = mailbox, store, round(seconds * 1000)
        self._threads = Threads(1, "mesh-track")
        self._stopping = False

    def stop(self) -> None:
        """Ask for no further message."""
        self._stopping = True

    async def close(self) -> None:
        """End the thread, unless MESH holds it."""
        await self._threads.close(0)

    async def run(self) -> None:
        """Ask for those whose time has come."""
        now = now_ms()
        between = (now - LONGEST_MS, now - self._wait_ms)
        for one in await self._store.uncollected(AT_ONCE, between, now - self._wait_ms):
            if self._stopping or not await self._ask(one):
                break
        oldest = await self._store.oldest_uncollected_ms(now - LONGEST_MS)
        metrics.uncollected((now_ms() - oldest) / 1000 if oldest else 0)

    async def _ask(self, one: Uncollected) -> bool:
        """Return whether to go on."""
        try:
            tracking = await self._threads.run(partial(self._mailbox.track, one.remote_id))
        except TRANSPORT_ERRORS as error:
            outcome = from_error(error)
            log.warning("track", delivery_id=ids.show(one.delivery_id), result=outcome.result, status=outcome.status)
            return outcome.result is Result.REJECTED
        status = tracking.status if tracking else "unknown to MESH"
        if tracking and status in _GIVEN_UP:
            await self._give_up(one, f"MESH says {status} {tracking.code} {tracking.reason}".rstrip())
        else:
            collected = status == "acknowledged"
            await self._store.record_tracking(one.delivery_id, now_ms(), now_ms() if collected else None)
            if collected:
                metrics.collected_by_recipient()
        return True

    async def _give_up(self, one: Uncollected, reason: str) -> None:
        if await self._store.record_undeliverable(one.delivery_id, now_ms(), reason):
            metrics.ended("mesh", "dead")
            log.warning("track", delivery_id=ids.show(one.delivery_id), state="dead", reason=reason)
