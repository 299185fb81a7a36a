"""What subscribers to a topic are sent: notifications as the Subscriptions R5 Backport IG 1.1.0 has them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from gateway.catalogue import Catalogue
from gateway.clock import instant
from gateway.events import Event, Form
from gateway.fhir.json import parse_json
from gateway.fhir.notification import (
    Content,
    NotificationType,
    SubscriptionStatus,
    Told,
    notification,
)
from gateway.fhir.primitives import fault
from gateway.fhir.tables import load
from gateway.ids import show
from gateway.subscriptions.subscription import Subscription

CONTENTS: dict[Form, Content] = {"r4-empty": "empty", "r4-id-only": "id-only", "r4-full-resource": "full-resource"}


class Topics:
    """Writes notifications; `base_url` is the gateway's own, without a slash at its end."""

    def __init__(self, catalogue: Catalogue, base_url: str) -> None:
        self._catalogue, self._base = catalogue, f"{base_url}/R4"

    def url(self, subscription_id: str) -> str:
        """Where the Subscription is read."""
        return f"{self._base}/Subscription/{subscription_id}"

    def status(self, subscription: Subscription, state: str, kind: NotificationType, events: int) -> SubscriptionStatus:
        """How a subscription is, after so many events."""
        content = CONTENTS.get(subscription.form)
        counted = None if content is None else events
        topic = None if content == "empty" else subscription.criteria
        error = subscription.reason if state == "error" else ""
        return SubscriptionStatus(self.url(subscription.id), state, kind, counted, topic, error)

    def of_event(self, event: Event, subscription_id: str, number: int, form: Form, identity: str) -> dict[str, Any]:
        """The notification of one event; `identity` is the UUID of it, the same for each attempt."""
        content = CONTENTS[form]
        topic = None if content == "empty" else self._catalogue[event.type].topic
        status = SubscriptionStatus(self.url(subscription_id), "active", "event-notification", number, topic)
        return notification(status, identity, instant(event.received_ms), [self._told(event, number, content)])

    def of_events(
        self, status: SubscriptionStatus, identity: str, now: str, events: Sequence[tuple[int, Event]], content: Content
    ) -> dict[str, Any]:
        """The events that were asked for again, with their numbers."""
        return notification(status, identity, now, [self._told(event, number, content) for number, event in events])

    def _told(self, event: Event, number: int, content: Content) -> Told:
        timestamp = None if fault("instant", event.time) else event.time
        if content == "empty":
            return Told(number, timestamp)
        kept = f"{self._base}/Binary/{show(event.row_id)}"
        if content == "id-only":
            return Told(number, timestamp, event.dataref or kept)
        if focus := _focus(event):
            return Told(number, timestamp, event.dataref, focus)
        return Told(number, timestamp, kept, original(event))


def original(event: Event) -> dict[str, Any]:
    """What was published, as a Binary: the one resource that holds it unchanged, whatever its form."""
    data = base64.b64encode(event.original.body).decode("ascii")
    return {
        "resourceType": "Binary",
        "id": show(event.row_id),
        "contentType": event.original.media_type,
        "data": data,
    }


def _focus(event: Event) -> dict[str, Any] | None:
    """The resource that the event is about, where it came in a notification that held it."""
    if event.original.form != "r4-status" or event.dataref is None:
        return None
    entries = parse_json(event.original.body, load("R4")).resource["entry"]
    return next((entry.get("resource") for entry in entries if entry.get("fullUrl") == event.dataref), None)
