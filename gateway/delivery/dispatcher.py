"""The dispatcher: claim → map out → send → record, for each delivery, until it is delivered or dead."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Sequence

import structlog

from gateway import ids, metrics
from gateway.clock import now_ms
from gateway.delivery.channels.base import Outcome, Result
from gateway.delivery.endpoints import Endpoints
from gateway.delivery.holdings import Holdings
from gateway.delivery.lanes import Lanes
from gateway.delivery.retry import RetryPolicies
from gateway.delivery.sender import Sending
from gateway.errors import Unavailable
from gateway.events import Attempt, Delivery, DeliveryState, Event, Reservation, Verdict
from gateway.settings import DeliverySettings
from gateway.store.base import Claimed, FailingEndpoint, Room, Store

log = structlog.get_logger()

_CLAIM_SECONDS = 0.5
"""How often the store is asked for deliveries that are due."""
_CLAIM_BATCH = 100
_HELD_BATCH = 200
"""About how many held deliveries are claimed at once, if an endpoint's share is not less than it may be sent at once: a
large claim holds up all else.
"""
_AHEAD = 2
"""An endpoint is given more when it has less than so many times what it may be sent at once."""
_TOGETHER = 32
"""How many endpoints' held deliveries are asked for at once."""
_SWEEP_SECONDS = 2.0
"""How often the store is asked which endpoints deliveries are held for."""


class Dispatcher:
    """Delivers. Fresh deliveries come by `offer` once they are durable, all others by claiming them from the store.

    What is in memory is bounded; the rest waits in the store, held for its endpoint. Everything in memory is under a
    lease, so if this process dies another (or its successor) takes over.
    """

    def __init__(
        self, store: Store, sender: Sending, endpoints: Endpoints, policies: RetryPolicies, settings: DeliverySettings,
        longest_attempt_seconds: float,
    ) -> None:  # fmt: skip
        self._store, self._sender, self._endpoints, self._policies = store, sender, endpoints, policies
        self._settings = settings
        self._lanes: Lanes[Claimed] = Lanes(self._deliver, endpoints.width)
        self._holdings = Holdings(settings.in_memory)
        self._longest_attempt_ms = round(longest_attempt_seconds * 1000)
        self._recording: set[asyncio.Future[None]] = set()
        # Endpoints that have, or may have, held deliveries in the store; and the deliveries that are probes.
        self._backlogs: set[str] = set()
        self._probes: set[int] = set()
        # Deliveries that came to an endpoint that is left alone, on their way back to the store.
        self._returning: list[Delivery] = []
        self._sweep_at = 0.0
        self._stopping = False
        # Whether the store was away the last time: that is told of once, not twice a second.
        self._is_away = False
        self._wake = asyncio.Event()

    def reserve(self, event: Event, deliveries: Sequence[Delivery]) -> Reservation:
        """Make room for as many of the deliveries as may be; the others are held, and claimed when there is room.

        Those in order are claimed, since only the store knows whether another is before them.
        """
        kept = Reservation([], [], [], self._lease_ms())
        for one in deliveries:
            (kept.due if one.order_key else kept.taken if self._take(event, one) else kept.held).append(one)
        return kept

    def offer(self, event: Event, taken: Sequence[Delivery], kept: Reservation) -> None:
        """Start on the deliveries taken, all of them being kept now; look for the others when there is room."""
        for delivery in taken:
            self._lanes.add(delivery.endpoint, Claimed(delivery, event, kept.lease_ms))
        self._backlogs.update(one.endpoint for one in kept.held)
        if kept.due or any(self._is_ready(one.endpoint) for one in kept.held):
            self._wake.set()

    def give_back(self, event: Event, reservation: Reservation) -> None:
        """Free the room of deliveries that were not kept after all."""
        for delivery in reservation.taken:
            self._holdings.remove(event, delivery)

    async def start(self) -> None:
        """Learn which endpoints fail, and begin to claim what is due."""
        await self._endpoints.load()
        self._claiming = asyncio.create_task(self._run(), name="dispatcher")

    async def stop(self) -> None:
        """Let attempts under way finish within the set time, and give the rest back to the store."""
        self._stopping = True
        self._wake.set()
        await self._claiming
        left = [claimed.delivery for claimed in self._lanes.clear()]
        await self._lanes.wait(self._settings.shutdown_seconds)
        await asyncio.gather(*self._recording, return_exceptions=True)
        await self._store.release([*left, *self._returning], now_ms())

    def _take(self, event: Event, delivery: Delivery) -> bool:
        endpoint = delivery.endpoint
        if self._stopping or endpoint in self._endpoints.failing:
            return False
        return self._room_for(endpoint).deliveries > 0 and self._holdings.add(event, delivery)

    def _room_for(self, endpoint: str) -> Room:
        """How much more may be held for `endpoint`; one that has less than it can send at once is made room for."""
        room = self._holdings.room_for(endpoint)
        if room.deliveries > 0 or self._holdings.of(endpoint) >= self._settings.per_endpoint:
            return room
        for claimed in self._lanes.take_back(self._holdings.largest):
            self._send_back(claimed)
            self._holdings.remove(claimed.event, claimed.delivery)
        return self._holdings.room_for(endpoint)

    def _send_back(self, claimed: Claimed) -> None:
        """Have it held by the store."""
        self._returning.append(claimed.delivery)
        self._backlogs.add(claimed.delivery.endpoint)
        self._wake.set()

    async def _run(self) -> None:
        while not self._stopping:
            try:
                more = await self._cycle()
                self._is_away = False
            except Exception as error:  # deliveries must go on once the store is well again
                if not self._is_away:
                    log.error("claim", error=type(error).__name__)
                self._is_away = isinstance(error, Unavailable)
                more = False
            if not more:
                await self._pause()

    async def _cycle(self) -> bool:
        """Do what is to be done now; whether there may be more of it."""
        await self._return()
        await self._endpoints.tend()
        claimed = await self._claim_due()
        await self._sweep()
        claimed += await self._claim_held()
        await self._probe()
        return claimed >= _CLAIM_BATCH

    async def _claim_due(self) -> int:
        room = self._batch(self._holdings.room)
        full = self._holdings.full | set(self._endpoints.failing)
        if room.deliveries <= 0:
            return 0
        return self._start(await self._store.claim(room, now_ms(), self._lease_ms(), full))

    async def _claim_held(self) -> int:
        """Claim what is held for endpoints that have room again."""
        ready = [one for one in self._backlogs if self._is_ready(one)][:_TOGETHER]
        share = max(self._settings.per_endpoint, _HELD_BATCH // max(1, len(ready)))
        found = await asyncio.gather(*(self._claim_held_for(endpoint, share) for endpoint in ready))
        return sum(found)

    async def _claim_held_for(self, endpoint: str, share: int) -> int:
        room = self._room_for(endpoint)
        room = Room(min(share, room.deliveries), room.bytes)
        if room.deliveries <= 0:
            return 0
        self._backlogs.discard(endpoint)
        claimed = await self._store.claim_held(endpoint, room, self._lease_ms())
        if claimed:
            self._backlogs.add(endpoint)
        return self._start(claimed)

    def _is_ready(self, endpoint: str) -> bool:
        """Whether an endpoint has little left to do, and may be given more."""
        few = _AHEAD * self._settings.per_endpoint
        return endpoint not in self._endpoints.failing and self._holdings.of(endpoint) <= few

    async def _sweep(self) -> None:
        """Look for endpoints with held deliveries that are not known here: a claim holds what is due for those left
        alone, and a process may have died.
        """
        if time.monotonic() < self._sweep_at and not self._endpoints.failing:
            return
        self._sweep_at = time.monotonic() + _SWEEP_SECONDS
        after = ""
        while found := await self._store.held_endpoints(after, _CLAIM_BATCH):
            self._backlogs.update(found)
            after = found[-1]

    async def _probe(self) -> None:
        """Try failing endpoints whose time has come, each with one delivery."""
        for failing in self._endpoints.due_probes(now_ms())[:_TOGETHER]:
            if failing.endpoint in self._backlogs:
                await self._probe_one(failing)

    async def _probe_one(self, failing: FailingEndpoint) -> None:
        self._backlogs.discard(failing.endpoint)
        for one in await self._store.claim_held(failing.endpoint, Room(1), self._lease_ms()):
            self._backlogs.add(failing.endpoint)
            # Another node may have been quicker.
            if await self._endpoints.take_probe(failing) and self._holdings.add(one.event, one.delivery):
                self._probes.add(one.delivery.id)
                self._lanes.add(failing.endpoint, one)
            else:
                self._send_back(one)

    def _start(self, claimed: Sequence[Claimed]) -> int:
        for one in claimed:
            # One that is held already came back because its lease ended while it waited here: it goes on where it is.
            if self._holdings.add(one.event, one.delivery):
                self._lanes.add(one.delivery.endpoint, one)
        return len(claimed)

    async def _return(self) -> None:
        """Give back to the store what endpoints that are left alone have in memory."""
        returning, self._returning = self._returning, []
        if returning:
            await self._store.release(returning, now_ms(), hold=True)

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
        self._holdings.remove(claimed.event, claimed.delivery)
        self._probes.discard(claimed.delivery.id)
        endpoint = claimed.delivery.endpoint
        if claimed.delivery.order_key or (endpoint in self._backlogs and self._is_ready(endpoint)):
            self._wake.set()

    async def _deliver(self, claimed: Claimed) -> None:
        try:
            await self._try(claimed)
        except Exception as error:  # the lane goes on, and the lease will end
            log.error("send", delivery_id=ids.show(claimed.delivery.id), error=type(error).__name__)
            self._let_go(claimed)

    async def _try(self, claimed: Claimed) -> None:
        delivery = claimed.delivery
        async with self._sender.slot(delivery):
            if self._must_go_back(claimed):
                self._let_go(claimed)
                return
            started_ms, started = now_ms(), time.perf_counter()
            outcome = await self._sender.attempt(claimed.event, delivery)
        seconds = time.perf_counter() - started
        self._endpoints.note(delivery, outcome, probe=delivery.id in self._probes)
        verdict = self._judge(delivery, outcome, started_ms, round(seconds * 1000))
        # The next delivery need not wait for this commit: a crash before it repeats the attempt, as a crash during the
        # attempt would.
        recorded = self._store.record(verdict)
        self._recording.add(recorded)
        recorded.add_done_callback(functools.partial(self._recorded, claimed, verdict, seconds))

    def _must_go_back(self, claimed: Claimed) -> bool:
        """Whether an attempt must not be made: its endpoint is left alone, or another may take it over meanwhile since
        it waited long behind a slow one.
        """
        delivery = claimed.delivery
        if delivery.endpoint in self._endpoints.failing and delivery.id not in self._probes:
            self._send_back(claimed)
            return True
        return now_ms() > claimed.lease_ms - self._longest_attempt_ms

    def _judge(self, delivery: Delivery, outcome: Outcome, started_ms: int, duration_ms: int) -> Verdict:
        number = delivery.attempts + 1
        # What the other side said may hold what no database takes.
        detail = outcome.detail.encode("utf-8", "replace").decode()
        attempt = Attempt(
            delivery.id, number, started_ms, duration_ms, outcome.result, outcome.status, detail, outcome.answer
        )
        in_order = bool(delivery.order_key)
        if outcome.result is Result.DELIVERED:
            return Verdict(attempt, "delivered", delivery.claim, remote_id=outcome.remote_id, in_order=in_order)
        if outcome.result is Result.REFUSED:
            return Verdict(attempt, "dead", delivery.claim, in_order=in_order)
        wait = self._policies.of(delivery).wait(number, outcome.retry_after_seconds)
        uncertain = outcome.result is Result.UNCERTAIN or (delivery.uncertain and outcome.result is Result.FAILED)
        state: DeliveryState = "dead" if wait is None else "pending"
        next_ms = now_ms() + round((wait or 0) * 1000)
        return Verdict(attempt, state, delivery.claim, next_ms, uncertain, in_order=in_order)

    def _recorded(self, claimed: Claimed, verdict: Verdict, seconds: float, recorded: asyncio.Future[None]) -> None:
        self._recording.discard(recorded)
        self._let_go(claimed)
        delivery, attempt = claimed.delivery, verdict.attempt
        if recorded.cancelled():
            return
        if error := recorded.exception():  # the lease will end and the delivery be tried again
            log.error("record", delivery_id=ids.show(delivery.id), error=type(error).__name__)
        metrics.attempted(delivery.channel, attempt.outcome, seconds)
        if verdict.state in {"delivered", "dead"}:
            metrics.ended(delivery.channel, verdict.state)
        log.info(
            "send", event_id=ids.show(delivery.event_id), delivery_id=ids.show(delivery.id), channel=delivery.channel,
            attempt=attempt.number, outcome=attempt.outcome, status=attempt.status, state=verdict.state,
            ms=attempt.duration_ms,
        )  # fmt: skip

    def _batch(self, room: Room) -> Room:
        return Room(min(_CLAIM_BATCH, room.deliveries), room.bytes)

    def _lease_ms(self) -> int:
        return now_ms() + round(self._settings.lease_seconds * 1000)
