"""Events, subscriptions and deliveries of our own, for tests of single parts."""

from __future__ import annotations

from typing import Any

from gateway.events import XML, Attempt, Delivery, DeliveryState, Event, Original, Verdict
from gateway.ids import Ids
from gateway.subscriptions.subscription import Subscription

NHS_NUMBER = "9990001006"
_ids = Ids()


def event(**changed: Any) -> Event:
    """An event as a NEMS publisher makes it."""
    values: dict[str, Any] = {
        "row_id": _ids.next(),
        "id": "9d9e1e86-3a5c-4d1f-9d67-3f3c5f3f2a10",
        "source": "https://fhir.nhs.uk/Id/nhsSpineASID/200000000115",
        "type": "pds-change-of-gp-1",
        "time": "2026-11-02T09:15:00+00:00",
        "original": Original(b"<Bundle xmlns='http://hl7.org/fhir'/>", XML, "nems-message"),
        "face": "nems",
        "application": "local",
        "received_ms": 1_793_610_900_000,
        "subject": NHS_NUMBER,
        "filtering": {"generalpractitioner": "A20047"},
        "warnings": ("Bundle.entry[1]: out of order",),
    }
    return Event(**(values | changed))


def subscription(**changed: Any) -> Subscription:
    """A generic NEMS subscription."""
    values: dict[str, Any] = {
        "id": f"{_ids.next():032x}",
        "application": "local",
        "face": "nems",
        "event_types": ("pds-change-of-gp-1",),
        "subject": None,
        "channel": "mesh",
        "endpoint": "A20047OT001",
        "form": "nems-message",
        "criteria": "/Bundle?type=message&MessageHeader.event=pds-change-of-gp-1",
        "resource": b"<Subscription/>",
        "media_type": XML,
        "created_ms": 1_793_610_000_000,
    }
    return Subscription(**(values | changed))


def delivery(of: Event, **changed: Any) -> Delivery:
    """A delivery to a webhook."""
    values: dict[str, Any] = {
        "id": _ids.next(),
        "event_id": of.row_id,
        "channel": "rest-hook",
        "endpoint": "http://127.0.0.1:1/",
        "form": "mns-signal",
        "subscriptions": ("one",),
    }
    return Delivery(**(values | changed))


def verdict(of: Delivery, state: DeliveryState = "delivered", **changed: Any) -> Verdict:
    """What the next attempt at a delivery comes to."""
    attempt = Attempt(of.id, of.attempts + 1, 1_793_610_901_000, 12, state, 204, "")
    return Verdict(attempt, state, **({"claim": of.claim, "in_order": bool(of.order_key)} | changed))
