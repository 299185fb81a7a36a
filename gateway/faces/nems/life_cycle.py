"""What becomes of an event type that NEMS gives up: deprecated, no longer supported, withdrawn (NEMS, "Event life
cycle").
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.catalogue import EventType
from gateway.errors import Issue, Refusal, Severity

_MORE = "for more information go to https://developer.nhs.uk/apis/ems-beta/overview_supported_events.html"


def on_publish(event_type: EventType, location: str) -> list[Issue]:
    """What its publisher is told of an event that is accepted.

    Raises:
        Refusal: WITHDRAWN.
    """
    if event_type.state == "withdrawn":
        raise Refusal([_issue(event_type, location)])
    return [_issue(event_type, location, "warning")] if event_type.state != "active" else []


def on_subscribe(event_types: Iterable[EventType], location: str) -> list[Issue]:
    """What its subscriber is told of a subscription that is accepted.

    Raises:
        Refusal: NO_LONGER_SUPPORTED or WITHDRAWN, for one of the event types at least.
    """
    given_up = [event_type for event_type in event_types if event_type.state != "active"]
    issues = [_issue(event_type, location) for event_type in given_up]
    if any(event_type.state != "deprecated" for event_type in given_up):
        raise Refusal(sorted(issues, key=lambda issue: issue.severity == "information"))
    return issues


def _issue(event_type: EventType, location: str, severity: Severity = "error") -> Issue:
    code = event_type.nems.code if event_type.nems else event_type.id
    when = f" will occur on {event_type.state_ends:%d/%m/%Y}" if event_type.state_ends else " will follow"
    if event_type.state == "deprecated":
        text = f"Deprecation of the {event_type.name} ({code}) event type{when}, {_MORE}"
        return Issue("DEPRECATED", "", text, "information")
    if event_type.state == "no-longer-supported":
        return Issue("NO_LONGER_SUPPORTED", "", f"Withdrawal of Event message type {code}{when}, {_MORE}", severity)
    return Issue("WITHDRAWN", location, f"Event message type {code} has been withdrawn, {_MORE}", severity)
