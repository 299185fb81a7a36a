"""Notifications of topic-based subscriptions in FHIR R4 (Subscriptions R5 Backport IG 1.1.0, "Notifications").

A notification is a history Bundle whose first entry is the status of the subscription, as Parameters. The guide fixes
its form, so it is built here; what it tells of comes from the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

IG: Final = "http://hl7.org/fhir/uv/subscriptions-backport"
NOTIFICATION: Final = f"{IG}/StructureDefinition/backport-subscription-notification-r4"
STATUS: Final = f"{IG}/StructureDefinition/backport-subscription-status-r4"
SUBSCRIPTION: Final = f"{IG}/StructureDefinition/backport-subscription"
_ERRORS: Final = "http://terminology.hl7.org/CodeSystem/subscription-error"

Content = Literal["empty", "id-only", "full-resource"]
NotificationType = Literal["handshake", "heartbeat", "event-notification", "query-status", "query-event"]


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a notification: its number in the subscription, when it happened (a FHIR instant, if it said), the
    URL of its focus, and the resource at that URL; which of these stand in it is for the payload level to say.
    """

    number: int
    timestamp: str | None = None
    focus: str | None = None
    resource: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionStatus:
    """How a subscription is: `subscription` is its URL, `topic` its canonical, None to leave it out, `events` how many
    events it has had since it began, None where they are not counted, `error` why it is in error.
    """

    subscription: str
    status: str
    kind: NotificationType
    events: int | None
    topic: str | None = None
    error: str = ""


def status_parameters(status: SubscriptionStatus, identity: str, told: Sequence[Told] = ()) -> dict[str, Any]:
    """The status as the R4 profile of SubscriptionStatus has it; `identity` is the id of the resource."""
    parameters: list[dict[str, Any]] = [
        {"name": "subscription", "valueReference": {"reference": status.subscription}},
        *([{"name": "topic", "valueCanonical": status.topic}] if status.topic else []),
        {"name": "status", "valueCode": status.status},
        {"name": "type", "valueCode": status.kind},
        *(_count(status.events) if status.events is not None else []),
        *({"name": "notification-event", "part": _parts(one)} for one in told),
        *([{"name": "error", "valueCodeableConcept": _error(status.error)}] if status.error else []),
    ]
    return {"resourceType": "Parameters", "id": identity, "meta": {"profile": [STATUS]}, "parameter": parameters}


def notification(
    status: SubscriptionStatus, identity: str, timestamp: str, told: Sequence[Told] = ()
) -> dict[str, Any]:
    """The notification Bundle; `identity` is a UUID, `timestamp` a FHIR instant."""
    first = {
        "fullUrl": f"urn:uuid:{identity}",
        "resource": status_parameters(status, identity, told),
        "request": {"method": "GET", "url": f"{status.subscription}/$status"},
        "response": {"status": "200"},
    }
    return {
        "resourceType": "Bundle",
        "id": identity,
        "meta": {"profile": [NOTIFICATION]},
        "type": "history",
        "timestamp": timestamp,
        "entry": [first, *(_entry(one) for one in told if one.resource)],
    }


def status_searchset(found: Sequence[tuple[SubscriptionStatus, str]], url: str) -> dict[str, Any]:
    """What $status answers: the statuses, each with the id of its resource; `url` is what was asked."""
    entries = [
        {
            "fullUrl": f"urn:uuid:{identity}",
            "resource": status_parameters(status, identity),
            "search": {"mode": "match"},
        }
        for status, identity in found
    ]
    return searchset(entries, url)


def searchset(entries: list[dict[str, Any]], url: str, following: str = "") -> dict[str, Any]:
    """A Bundle of what was found; `following` is the URL of the next page, if there is one."""
    links = [{"relation": "self", "url": url}, *([{"relation": "next", "url": following}] if following else [])]
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "link": links}
    return bundle | ({"entry": entries} if entries else {})


def _count(events: int) -> list[dict[str, Any]]:
    return [{"name": "events-since-subscription-start", "valueString": str(events)}]


def _parts(one: Told) -> list[dict[str, Any]]:
    return [
        {"name": "event-number", "valueString": str(one.number)},
        *([{"name": "timestamp", "valueInstant": one.timestamp}] if one.timestamp else []),
        *([{"name": "focus", "valueReference": {"reference": one.focus}}] if one.focus else []),
    ]


def _entry(one: Told) -> dict[str, Any]:
    resource = one.resource or {}
    return {
        "fullUrl": one.focus,
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"]},
        "response": {"status": "201"},
    }


def _error(text: str) -> dict[str, Any]:
    return {"coding": [{"system": _ERRORS, "code": "no-response"}], "text": text}
