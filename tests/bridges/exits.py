"""The exits: each subscribes to an event type, and asserts what its subscriber was told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.catalogue import EventType
from gateway.fhir.json import parse_json
from gateway.fhir.signal import signal_faults
from gateway.fhir.tables import Version, load
from gateway.fhir.validate import validate
from gateway.fhir.xml import parse_xml
from tests.bridges.doors import nems_code
from tests.contract.mns.acts import BASE
from tests.contract.r4.acts import CHANNEL_TYPES, FHIR, extension, parameters, resource, topical
from tests.harness import (
    SUBSCRIBER_MAILBOX,
    Gateway,
    Listener,
    eventually,
    nems_headers,
    nems_subscription,
    subscriptions_api,
)


@dataclass(frozen=True)
class Told:
    """What one subscriber was sent."""

    body: bytes
    media_type: str


class Exit:
    """A kind of subscription; its subscribers are told apart by what they are told at."""

    form = ""

    def __init__(self, name: str, told: Callable[[Told, EventType, str], None], by: str = "rest-hook") -> None:
        self.name, self.told, self.by = name, told, by

    def place(self, event_type: EventType) -> str:
        return f"{self.name}.{event_type.id}"

    def covers(self, event_type: EventType) -> bool:
        return True


class Nems(Exit):
    form = "nems-message"

    def covers(self, event_type: EventType) -> bool:
        return event_type.nems is not None

    def place(self, event_type: EventType) -> str:
        assert event_type.nems
        return event_type.nems.workflow

    def subscribe(self, gateway: Gateway, event_type: EventType, listener: Listener) -> None:
        body, headers = nems_subscription(nems_code(event_type)), nems_headers(**subscriptions_api("Post"))
        assert gateway.http.post("/STU3/Subscription", content=body, headers=headers).status_code == 201


class Mns(Exit):
    def __init__(self, name: str, told: Callable[[Told, EventType, str], None], by: str, payload: str) -> None:
        super().__init__(name, told, by)
        self.payload = payload

    def covers(self, event_type: EventType) -> bool:
        return event_type.mns is not None

    def subscribe(self, gateway: Gateway, event_type: EventType, listener: Listener) -> None:
        assert event_type.mns
        where = f"http://127.0.0.1:{listener.port}/{self.place(event_type)}"
        mesh = f"mesh://{SUBSCRIBER_MAILBOX}?workflow_id={self.place(event_type)}"
        kind, endpoint = ("message", mesh) if self.by == "mesh" else ("rest-hook", where)
        body = {
            "resourceType": "Subscription", "status": "requested", "reason": "",
            "criteria": f"eventType='{event_type.mns.type}'",
            "channel": {"type": kind, "endpoint": endpoint, "payload": self.payload},
        }  # fmt: skip
        headers = {**FHIR, "X-Correlation-ID": "1"}
        answer = gateway.http.post(f"{BASE}/subscriptions", json=body, headers=headers)
        assert answer.status_code == 201, answer.text


class R4(Exit):
    def __init__(self, name: str, told: Callable[[Told, EventType, str], None], by: str, content: str) -> None:
        super().__init__(name, told, by)
        self.content = content

    def subscribe(self, gateway: Gateway, event_type: EventType, listener: Listener) -> None:
        where = f"http://127.0.0.1:{listener.port}/{self.place(event_type)}"
        more: dict[str, Any] = {"criteria": event_type.topic}
        if self.by == "mesh":
            where = f"mesh://{SUBSCRIBER_MAILBOX}?workflow_id={self.place(event_type)}"
            coding = {"system": CHANNEL_TYPES, "code": "mesh"}
            of_type = {"extension": [extension("backport-channel-type", valueCoding=coding)]}
            more["channel"] = {"type": "message", "_type": of_type}
        level = self.content in {"empty", "id-only", "full-resource"}
        body = topical(where, self.content, **more) if level else resource(where, **with_payload(more, self.content))
        answer = gateway.http.post("/R4/Subscription", content=json.dumps(body), headers=FHIR)
        assert answer.status_code == 201, answer.text
        at = answer.headers["Location"]
        eventually(lambda: gateway.http.get(at).json()["status"] == "active")


def with_payload(more: dict[str, Any], payload: str) -> dict[str, Any]:
    return {**more, "channel": {"payload": payload, **more.get("channel", {})}}


def valid(body: bytes, version: Version) -> dict[str, Any]:
    parsed = parse_xml(body, load(version)) if body[:1] == b"<" else parse_json(body, load(version))
    assert [issue for issue in validate(parsed.resource, load(version)) if issue.severity == "error"] == []
    return parsed.resource


def is_nems_message(told: Told, event_type: EventType, identity: str) -> None:
    assert told.media_type == "application/fhir+xml"
    header = valid(told.body, "STU3")["entry"][0]["resource"]
    assert (header["resourceType"], header["id"]) == ("MessageHeader", identity)
    assert header["event"]["code"] == nems_code(event_type)


def is_signal(told: Told, event_type: EventType, identity: str) -> None:
    assert told.media_type == "application/fhir+json"
    signal = valid(told.body, "R4")
    assert (signal["id"], signal_faults(signal)) == (identity, [])
    context = next(one for one in signal["entry"][0]["resource"]["parameter"] if one["name"] == "additional-context")
    assert event_type.mns
    assert context["part"][0]["valueString"] == event_type.mns.type


def is_cloudevent(told: Told, event_type: EventType, identity: str) -> None:
    assert told.media_type == "application/cloudevents+json"
    event = json.loads(told.body)
    assert event_type.mns
    assert (event["specversion"], event["id"], event["type"]) == ("1.0", identity, event_type.mns.type)


def is_notification(told: Told, event_type: EventType, identity: str) -> None:
    is_empty_notification(told, event_type, identity)
    assert parameters(json.loads(told.body)["entry"][0]["resource"])["topic"] == event_type.topic


def is_empty_notification(told: Told, event_type: EventType, identity: str) -> None:
    assert told.media_type == "application/fhir+json"
    status = parameters(valid(told.body, "R4")["entry"][0]["resource"])
    assert status["type"] == "event-notification"
    assert [one["event-number"] for one in status["notification-event"]] == ["1"]


EXITS: list[Any] = [
    Nems("nems", is_nems_message, "mesh"),
    Mns("mns-mesh-signal", is_signal, "mesh", "application/fhir+json"),
    Mns("mns-mesh-cloudevent", is_cloudevent, "mesh", "application/json"),
    Mns("mns-hook-signal", is_signal, "rest-hook", "application/fhir+json"),
    R4("r4-signal", is_signal, "rest-hook", "application/fhir+json"),
    R4("r4-cloudevent", is_cloudevent, "rest-hook", "application/cloudevents+json"),
    R4("r4-empty", is_empty_notification, "rest-hook", "empty"),
    R4("r4-id-only", is_notification, "rest-hook", "id-only"),
    R4("r4-full-resource", is_notification, "rest-hook", "full-resource"),
    R4("r4-mesh", is_notification, "mesh", "id-only"),
]
