"""The endpoints of webhooks: which of them fail, when they are tried again, and what that means for subscriptions."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace

import structlog

from gateway import ids, metrics
from gateway.clock import now_ms
from gateway.delivery.breaker import Breaker, is_failure
from gateway.delivery.channels.base import Outcome
from gateway.delivery.retry import LONGEST_RETRY_AFTER_SECONDS, RetryPolicies, varied
from gateway.events import Delivery
from gateway.settings import DeliverySettings
from gateway.store.base import FailingEndpoint, Store
from gateway.subscriptions.book import Book
from gateway.subscriptions.subscription import Subscription

log = structlog.get_logger()
_SYNC_SECONDS = 2.0
"""How often the store is asked what other nodes have found out."""
_EXPIRY_SECONDS = 60.0
_GIVEN_UP = "its endpoint failed for as long as deliveries are tried"


class Endpoints:
    """Leaves failing endpoints alone but for a probe now and then; nobody else waits for them.

    What is found out by an attempt counts at once in this process and is kept at the next `tend`, so that other nodes
    and the next process know. Only webhooks are looked after: what fails on the way to MESH is MESH, or our own
    mailbox, and not one recipient.
    """

    def __init__(self, store: Store, book: Book, settings: DeliverySettings, policies: RetryPolicies) -> None:
        self._store, self._book, self._settings, self._policies = store, book, settings, policies
        self._breakers: dict[str, Breaker] = {}
        self._failing: dict[str, FailingEndpoint] = {}
        self._changed: set[str] = set()
        self._sync_at = self._expire_at = 0.0

    @property
    def failing(self) -> Collection[str]:
        """The endpoints that are left alone."""
        return self._failing.keys()

    def width(self, endpoint: str) -> int:
        """How many attempts at `endpoint` may be under way at once."""
        breaker = self._breakers.get(endpoint)
        return breaker.width if breaker else self._settings.per_endpoint

    def note(self, delivery: Delivery, outcome: Outcome, *, probe: bool = False) -> None:
        """Take in what came of an attempt; while an endpoint is left alone only that of a `probe` counts, not those of
        attempts that were under way before.
        """
        if delivery.channel != "rest-hook" or outcome.ours:
            return
        endpoint = delivery.endpoint
        breaker = self._breakers.get(endpoint)
        if breaker is None:
            if not is_failure(outcome) and endpoint not in self._failing:
                return  # one that has never failed needs no memory
            breaker = self._breakers[endpoint] = Breaker(self._settings.per_endpoint)
        opened = breaker.note(outcome)
        if endpoint in self._failing:
            if probe:
                self._probed(delivery, breaker, outcome)
        elif opened:
            self._open(delivery, outcome)
        elif breaker.is_well:
            del self._breakers[endpoint]

    def due_probes(self, now: int) -> list[FailingEndpoint]:
        """Those of which a probe is due."""
        return [one for one in self._failing.values() if one.probe_ms <= now]

    async def take_probe(self, failing: FailingEndpoint) -> bool:
        """Whether the probe that is due is ours to make, among all nodes."""
        now = now_ms()
        after = replace(failing, probe_ms=now + self._pause_ms(failing.probes, None))
        if failing.endpoint in self._changed or not await self._store.take_probe(failing.endpoint, now, after.probe_ms):
            return False
        if self._failing.get(failing.endpoint) == failing:
            self._failing[failing.endpoint] = after
        return True

    async def load(self) -> None:
        """Learn what the store knows."""
        self._failing = {one.endpoint: one for one in await self._store.failing_endpoints()}

    async def tend(self) -> None:
        """Keep what has changed, learn what others found out, and do what is due."""
        await self._keep()
        moment, now = time.monotonic(), now_ms()
        if moment >= self._sync_at:
            self._sync_at = moment + _SYNC_SECONDS
            await self._sync()
            await self._escalate(now)
            metrics.endpoints_failing(len(self._failing))
        if moment >= self._expire_at:
            self._expire_at = moment + _EXPIRY_SECONDS
            await self._expire(now)
            await self._make_active()

    def _open(self, delivery: Delivery, outcome: Outcome) -> None:
        now, endpoint = now_ms(), delivery.endpoint
        pause = self._pause_ms(0, outcome.retry_after_seconds)
        self._failing[endpoint] = FailingEndpoint(endpoint, now, 0, now + pause, outcome.detail)
        self._changed.add(endpoint)
        log.warning(
            "endpoint-paused", subscription_id=delivery.subscriptions[0], status=outcome.status, seconds=pause / 1000
        )

    def _probed(self, delivery: Delivery, breaker: Breaker, outcome: Outcome) -> None:
        """What came of a probe."""
        endpoint = delivery.endpoint
        before = self._failing[endpoint]
        if not is_failure(outcome):
            del self._failing[endpoint]
            breaker.reopen()
            seconds = (now_ms() - before.failing_ms) // 1000
            log.info("endpoint-resumed", subscription_id=delivery.subscriptions[0], failing_seconds=seconds)
        else:
            probes = before.probes + 1
            due = now_ms() + self._pause_ms(probes, outcome.retry_after_seconds)
            self._failing[endpoint] = replace(before, probes=probes, probe_ms=due, reason=outcome.detail)
        self._changed.add(endpoint)

    def _pause_ms(self, probes: int, retry_after: float | None) -> int:
        waits = self._settings.probe_seconds
        wait = varied(waits[min(probes, len(waits) - 1)], self._settings.jitter)
        return round(max(wait, min(retry_after or 0, LONGEST_RETRY_AFTER_SECONDS)) * 1000)

    async def _keep(self) -> None:
        changed, self._changed = self._changed, set()
        for endpoint in changed:
            try:
                await self._keep_one(endpoint)
            except BaseException:
                self._changed |= changed
                raise

    async def _keep_one(self, endpoint: str) -> None:
        failing = self._failing.get(endpoint)
        if failing:
            await self._store.keep_failing_endpoint(failing)
            return
        await self._store.forget_failing_endpoint(endpoint)
        for one in self._book.at(endpoint):
            await self._recover(one)

    async def _recover(self, one: Subscription) -> None:
        if one.state == "error" and not one.unproven:  # that one failed its handshake, which nobody has repeated
            await self._book.set_state(one.id, "active", was=["error"])

    async def _sync(self) -> None:
        kept = {one.endpoint: one for one in await self._store.failing_endpoints()}
        own = {endpoint: self._failing[endpoint] for endpoint in self._changed if endpoint in self._failing}
        self._failing = {endpoint: one for endpoint, one in kept.items() if endpoint not in self._changed} | own

    async def _escalate(self, now: int) -> None:
        """Put the subscriptions of endpoints that have failed too long into error; the book tells who is to know."""
        limit = self._settings.error_after_seconds * 1000
        late = {one.endpoint: one.reason for one in self._failing.values() if now - one.failing_ms >= limit}
        for one in self._book.whole() if late else ():
            if one.endpoint in late and one.state == "active":
                await self._book.set_state(one.id, "error", late[one.endpoint], was=["active"])

    async def _expire(self, now: int) -> None:
        """Give up what is older than its schedule: while an endpoint is left alone it is not tried to the end. One that
        nobody is subscribed at any more, and that nothing can wait for, is forgotten.
        """
        spans = self._policies.longest_seconds(self._book.whole()) if self._failing else {}
        for endpoint, failing in list(self._failing.items()):
            before = now - round(spans.get(endpoint, self._policies.usual_seconds) * 1000)
            await self._give_up(endpoint, before, now)
            if failing.failing_ms < before and not self._book.at(endpoint):
                self._failing.pop(endpoint, None)
                self._breakers.pop(endpoint, None)
                self._changed.add(endpoint)

    async def _give_up(self, endpoint: str, before_ms: int, now: int) -> None:
        while given_up := await self._store.give_up_held(endpoint, ids.first_at(before_ms), now, _GIVEN_UP):
            log.warning("give-up", deliveries=given_up, why=_GIVEN_UP)
            metrics.ended("rest-hook", "dead", given_up)

    async def _make_active(self) -> None:
        """Let subscriptions be active again that are in error although their endpoint is well: a process may have ended
        between the two.
        """
        for one in self._book.whole():
            if one.endpoint not in self._failing and one.endpoint not in self._changed:
                await self._recover(one)
