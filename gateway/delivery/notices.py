"""Notices: what a subscriber to a topic is told of its subscription rather than of events.

The handshake asks whether an endpoint is there, the heartbeat says that all is well, and the error that it is not
(Subscriptions R5 Backport IG 1.1.0, "Notifications"). Each is tried once: the next one tells the same.
"""

from __future__ import annotations

import asyncio
import uuid

import structlog

from gateway.clock import instant, now_ms
from gateway.delivery.channels.base import Channel, Notification, Outcome, Result
from gateway.delivery.topics import Topics
from gateway.events import JSON, NUMBERED, Delivery
from gateway.fhir.json import render_json
from gateway.fhir.notification import NotificationType, notification
from gateway.store.base import Store
from gateway.subscriptions.book import Book
from gateway.subscriptions.subscription import Subscription, SubscriptionState

log = structlog.get_logger()

BEAT_SECONDS = 0.5
"""How often to look whose heartbeat is due."""
GREET_SECONDS = 60.0
"""How often to look who still waits for a handshake."""


class Notices:
    """Sends handshakes, heartbeats and errors to webhooks."""

    def __init__(self, store: Store, book: Book, webhook: Channel, topics: Topics) -> None:
        self._store, self._book, self._webhook, self._topics = store, book, webhook, topics
        self._greeting: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Leave off; a handshake under way is begun again by the next process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def greet(self, subscription_id: str) -> None:
        """Begin the handshake with a requested subscription; returns at once."""
        if subscription_id not in self._greeting:
            self._greeting.add(subscription_id)
            self._add(asyncio.create_task(self._greet(subscription_id)))

    def watch(self, subscription: Subscription, before: SubscriptionState) -> None:
        """Tell a subscriber that its subscription has come into error; returns at once."""
        if subscription.state == "error" and before == "active" and _is_told(subscription):
            self._add(asyncio.create_task(self._tell(subscription, "query-status")))

    def _add(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def beat(self) -> None:
        """Send the heartbeats that are due."""
        for subscription_id in await self._store.due_heartbeats(now_ms()):
            subscription = await self._book.get(subscription_id)
            if subscription and subscription.state == "active" and not subscription.has_ended(now_ms()):
                self._add(asyncio.create_task(self._tell(subscription, "heartbeat")))

    async def greet_waiting(self) -> None:
        """Greet those that are requested still: a node may have died before it could."""
        for subscription_id in await self._store.requested_subscriptions():
            self.greet(subscription_id)

    async def _greet(self, subscription_id: str) -> None:
        changed = False
        try:
            changed = await self._shake_hands(subscription_id)
        except Exception as error:  # it stays requested, and is greeted again
            log.error("handshake", subscription_id=subscription_id, error=type(error).__name__)
        finally:
            self._greeting.discard(subscription_id)
        if changed:
            self.greet(subscription_id)

    async def _shake_hands(self, subscription_id: str) -> bool:
        """Whether the subscription was changed in the meantime, so that another endpoint is to be asked."""
        asked = await self._book.get(subscription_id)
        if asked is None or asked.state != "requested":
            return False
        outcome = await self._send(asked, "handshake")
        present = await self._book.get(subscription_id)
        if present is None or present.state != "requested":
            return False
        if (present.resource, present.headers) != (asked.resource, asked.headers):
            return True
        well = outcome.result is Result.DELIVERED
        await self._book.set_state(subscription_id, "active" if well else "error", outcome.detail)
        return False

    async def _tell(self, subscription: Subscription, kind: NotificationType) -> None:
        try:
            await self._send(subscription, kind)
        except Exception as error:  # its text may hold what a message held
            log.error(kind, subscription_id=subscription.id, error=type(error).__name__)

    async def _send(self, subscription: Subscription, kind: NotificationType) -> Outcome:
        counts = await self._store.event_counts([subscription.id])
        status = self._topics.status(subscription, subscription.state, kind, counts.get(subscription.id, 0))
        identity = str(uuid.uuid4())
        body = render_json(notification(status, identity, instant(now_ms())))
        delivery = Delivery(0, 0, subscription.channel, subscription.endpoint, subscription.form, (subscription.id,))
        outcome = await self._webhook.send(Notification(identity, delivery, None, body, JSON))
        log.info(kind, subscription_id=subscription.id, outcome=outcome.result, status=outcome.status)
        return outcome


def _is_told(subscription: Subscription) -> bool:
    return subscription.channel == "rest-hook" and subscription.form in NUMBERED
