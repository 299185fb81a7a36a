"""The dispatcher: claim → map out → send → record, for each delivery, until it is delivered or dead."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence

import structlog

from gateway import ids, metrics
from gateway.clock import now_ms
from gateway.delivery.channels.base import Channel, Notification, Outcome, Result
from gateway.delivery.holdings import Holdings
from gateway.delivery.lanes import Lanes
from gateway.delivery.render import Renderer
from gateway.delivery.retry import RetryPolicy
from gateway.errors import Refusal
from gateway.events import Attempt, Delivery, DeliveryState, Event, Verdict
from gateway.settings import DeliverySettings
from gateway.store.base import Claimed, Store

log = structlog.get_logger()

_CLAIM_SECONDS = 0.5
"""How often the store is asked for deliveries that are due."""
_CLAIM_BATCH = 100
_SHARE = 8
"""One endpoint may take up this part of what is held in memory, an eighth; more if its lane is wider than that."""


class Dispatcher:
    """Delivers. Fresh deliveries come by `offer` once they are durable, all others by claiming them from the store.

    What is in memory is bounded; the rest waits in the store. Everything in memory is under a lease, so if this process
    dies another (or its successor) takes over.
    """

    def __init__(
        self,
        store: Store,
        renderer: Renderer,
        channels: Mapping[str, Channel],
        settings: DeliverySettings,
        longest_attempt_seconds: float,
    ) -> None:
        self._store, self._renderer, self._channels, self._settings = store, renderer, channels, settings
        self._policy = RetryPolicy(settings.retry_seconds, settings.jitter)
        self._lanes: Lanes[Claimed] = Lanes(self._deliver, settings.per_endpoint)
        share = max(settings.in_memory // _SHARE, 2 * settings.per_endpoint)
        self._holdings = Holdings(settings.in_memory, share)
        self._slots = {name: asyncio.Semaphore(channel.slots) for name, channel in channels.items()}
        self._no_limit = contextlib.nullcontext()
        self._longest_attempt_ms = round(longest_attempt_seconds * 1000)
        self._recording: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._wake = asyncio.Event()

    def reserve(self, event: Event, deliveries: Sequence[Delivery]) -> tuple[Sequence[Delivery], int]:
        """Make room for as many of the deliveries as may be: those, and when the lease on them ends (epoch ms)."""
        if self._stopping:
            return (), 0
        taken = [one for one in deliveries if self._holdings.has_room_for(one) and self._holdings.add(event, one)]
        return taken, self._lease_ms()

    def offer(self, event: Event, deliveries: Sequence[Delivery], lease_ms: int) -> None:
        """Start on deliveries that are now kept under that lease."""
        for delivery in deliveries:
            self._lanes.add(delivery.endpoint, Claimed(delivery, event, lease_ms))

    def give_back(self, event: Event, deliveries: Sequence[Delivery]) -> None:
        """Free the room of deliveries that were not kept after all."""
        for delivery in deliveries:
            self._holdings.remove(event, delivery)

    def start(self) -> None:
        """Begin to claim what is due."""
        self._claiming = asyncio.create_task(self._run(), name="dispatcher")

    async def stop(self) -> None:
        """Let attempts under way finish within the set time, and give the rest back to the store."""
        self._stopping = True
        self._wake.set()
        await self._claiming
        left = self._lanes.clear()
        await self._lanes.wait(self._settings.shutdown_seconds)
        await asyncio.gather(*self._recording)
        await self._store.release([claimed.delivery for claimed in left], now_ms())

    async def _run(self) -> None:
        while not self._stopping:
            try:
                claimed = await self._claim()
            except Exception as error:  # deliveries must go on once the store is well again
                log.error("claim", error=type(error).__name__)
                claimed = 0
            if claimed < _CLAIM_BATCH:
                await self._pause()

    async def _claim(self) -> int:
        room = min(_CLAIM_BATCH, self._holdings.room)
        if room <= 0:
            return 0
        claimed = await self._store.claim(room, now_ms(), self._lease_ms(), self._holdings.full)
        for one in claimed:
            # One that is held already came back because its lease ended while it waited here: it goes on where it is.
            if self._holdings.add(one.event, one.delivery):
                self._lanes.add(one.delivery.endpoint, one)
        return len(claimed)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_CLAIM_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass
        if not self._stopping:
            self._wake.clear()

    def _let_go(self, claimed: Claimed) -> None:
        """Hold it no more; an endpoint that has room again may have more waiting in the store."""
        if self._holdings.remove(claimed.event, claimed.delivery):
            self._wake.set()

    async def _deliver(self, claimed: Claimed) -> None:
        try:
            await self._try(claimed)
        except Exception as error:  # the lane goes on, and the lease will end
            log.error("send", delivery_id=ids.show(claimed.delivery.id), error=type(error).__name__)
            self._let_go(claimed)

    async def _try(self, claimed: Claimed) -> None:
        async with self._slots.get(claimed.delivery.channel, self._no_limit):
            if now_ms() > claimed.lease_ms - self._longest_attempt_ms:
                # It waited too long behind a slow endpoint, and another may take it over during the attempt.
                self._let_go(claimed)
                return
            started_ms, started = now_ms(), time.perf_counter()
            outcome = await self._attempt(claimed)
        seconds = time.perf_counter() - started
        verdict = self._judge(claimed.delivery, outcome, started_ms, round(seconds * 1000))
        # The next delivery need not wait for this commit: a crash before it repeats the attempt, as a crash during the
        # attempt would.
        task = asyncio.create_task(self._record(claimed, verdict, seconds))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)

    async def _attempt(self, claimed: Claimed) -> Outcome:
        delivery = claimed.delivery
        channel = self._channels.get(delivery.channel)
        if channel is None:
            return Outcome(Result.FAILED, detail=f"channel {delivery.channel} is not set up")
        try:
            body, media_type = self._renderer.render(claimed.event, delivery)
            identity = ids.delivery_uuid(self._store.instance, delivery.id)
            return await channel.send(Notification(identity, delivery, claimed.event, body, media_type))
        except Refusal as refusal:
            issue = refusal.issues[0]
            return Outcome(Result.REFUSED, detail=f"cannot be mapped: {issue.reason} at {issue.location}: {issue.text}")
        except Exception as error:  # a fault of ours must not stop the lane; its text may hold what the message held
            log.error("send", delivery_id=ids.show(delivery.id), error=type(error).__name__)
            return Outcome(Result.UNCERTAIN, detail=f"fault in the gateway: {type(error).__name__}")

    def _judge(self, delivery: Delivery, outcome: Outcome, started_ms: int, duration_ms: int) -> Verdict:
        number = delivery.attempts + 1
        # What the other side said may hold what no database takes.
        detail = outcome.detail.encode("utf-8", "replace").decode()
        attempt = Attempt(delivery.id, number, started_ms, duration_ms, outcome.result, outcome.status, detail)
        if outcome.result is Result.DELIVERED:
            return Verdict(attempt, "delivered", delivery.claim, remote_id=outcome.remote_id)
        if outcome.result is Result.REFUSED:
            return Verdict(attempt, "dead", delivery.claim)
        wait = self._policy.wait(number, outcome.retry_after_seconds)
        uncertain = outcome.result is Result.UNCERTAIN or (delivery.uncertain and outcome.result is Result.FAILED)
        state: DeliveryState = "dead" if wait is None else "pending"
        return Verdict(attempt, state, delivery.claim, now_ms() + round((wait or 0) * 1000), uncertain)

    async def _record(self, claimed: Claimed, verdict: Verdict, seconds: float) -> None:
        delivery, attempt = claimed.delivery, verdict.attempt
        try:
            await self._store.record(verdict)
        except Exception as error:  # the lease will end and the delivery be tried again
            log.error("record", delivery_id=ids.show(delivery.id), error=type(error).__name__)
        finally:
            self._let_go(claimed)
        metrics.attempted(delivery.channel, attempt.outcome, seconds)
        if verdict.state in {"delivered", "dead"}:
            metrics.ended(delivery.channel, verdict.state)
        log.info(
            "send", event_id=ids.show(delivery.event_id), delivery_id=ids.show(delivery.id), channel=delivery.channel,
            attempt=attempt.number, outcome=attempt.outcome, status=attempt.status, state=verdict.state,
            ms=attempt.duration_ms,
        )  # fmt: skip

    def _lease_ms(self) -> int:
        return now_ms() + round(self._settings.lease_seconds * 1000)
