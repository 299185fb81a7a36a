"""Reads notifications of topic-based subscriptions in FHIR R4 (Subscriptions R5 Backport IG 1.1.0)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.errors import Refusal
from gateway.fhir.wire import INVALID

_STATUS = "Bundle.entry[0].resource"
# http://hl7.org/fhir/ValueSet/subscription-status and subscription-notification-type.
_STATES = ("requested", "active", "error", "off", "entered-in-error")
_KINDS = ("handshake", "heartbeat", "event-notification", "query-status", "query-event")


@dataclass(frozen=True, slots=True)
class ReceivedStatus:
    """What a notification says of its subscription: `subscription` is a reference to it, `events` how many events it
    has had; "" and None for what it does not say. `numbers` are those of the events in it, in their order.
    """

    subscription: str
    topic: str
    state: str
    kind: str
    events: int | None
    numbers: tuple[int, ...]


def is_notification(resource: dict[str, Any]) -> bool:
    """Whether a resource is a history Bundle that begins with Parameters, as each notification is."""
    entries = resource.get("entry")
    first = entries[0] if isinstance(entries, list) and entries else None
    status = first.get("resource") if isinstance(first, dict) else None
    of_parameters = isinstance(status, dict) and status.get("resourceType") == "Parameters"
    return resource.get("resourceType") == "Bundle" and resource.get("type") == "history" and of_parameters


def read_status(bundle: dict[str, Any]) -> ReceivedStatus:
    """The status that a valid Bundle, which is a notification, begins with.

    Raises:
        Refusal: it says nothing of its subscription, status or type, or a code or number that is none.
    """
    parameters = bundle["entry"][0]["resource"].get("parameter", [])
    values = {one["name"]: one for one in parameters}
    status = ReceivedStatus(
        subscription=values.get("subscription", {}).get("valueReference", {}).get("reference", ""),
        topic=values.get("topic", {}).get("valueCanonical", ""),
        state=values.get("status", {}).get("valueCode", ""),
        kind=values.get("type", {}).get("valueCode", ""),
        events=_number(values.get("events-since-subscription-start", {}).get("valueString")),
        numbers=tuple(number for one in _events(parameters) if (number := _event_number(one)) is not None),
    )
    for name in ("subscription", "state", "kind"):
        if not getattr(status, name):
            said = {"state": "status", "kind": "type"}.get(name, name)
            raise Refusal.because(INVALID, f"a notification needs its {said}", f"{_STATUS}.parameter")
    for said, value, codes in (("status", status.state, _STATES), ("type", status.kind, _KINDS)):
        if value not in codes:
            where = f"{_STATUS}.parameter.where(name = '{said}')"
            raise Refusal.because(INVALID, f"must be one of {', '.join(codes)}", where)
    return status


def is_of_mns(bundle: dict[str, Any]) -> bool:
    """Whether a notification is a signal of MNS, which names its event type and numbers nothing."""
    return any(one["name"] == "additional-context" for one in bundle["entry"][0]["resource"].get("parameter", []))


def one_by_one(bundle: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A notification for each event that `bundle` tells of."""
    first, *others = bundle["entry"]
    parameters = first["resource"].get("parameter", [])
    events = _events(parameters)
    if len(events) == 1:
        yield bundle
        return
    for event in events:
        told = [one for one in parameters if one["name"] != "notification-event" or one is event]
        status = first | {"resource": first["resource"] | {"parameter": told}}
        foci = {part.get("valueReference", {}).get("reference") for part in event["part"] if part["name"] == "focus"}
        entries = [entry for entry in others if entry.get("fullUrl") in foci]
        yield bundle | {"entry": [status, *entries]}


def _events(parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in parameters if one["name"] == "notification-event" and "part" in one]


def _event_number(event: dict[str, Any]) -> int | None:
    return next((_number(part.get("valueString")) for part in event["part"] if part["name"] == "event-number"), None)


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise Refusal.because(INVALID, "must be a whole number", f"{_STATUS}.parameter")
    return int(text)
