"""Every door in, every form and channel out, for every event type: each subscriber is told once, in what it asked for."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway import catalogue
from gateway.catalogue import EventType
from gateway.fhir.json import parse_json, render_json
from gateway.fhir.signal import signal_faults
from gateway.fhir.tables import Version, load
from gateway.fhir.validate import validate
from gateway.fhir.xml import parse_xml, render_xml
from gateway.mapping.tools import cases
from gateway.resources import folder
from mesh.mailbox import Mailbox
from mesh.message import OutgoingMessage
from mesh.sandbox.run import LocalMesh
from tests.contract.mns.acts import BASE, V1, V2, v1_event
from tests.contract.r4.acts import CHANNEL_TYPES, FHIR, extension, parameters, resource, topical
from tests.harness import (
    GATEWAY_MAILBOX,
    SUBSCRIBER_MAILBOX,
    Document,
    Gateway,
    Listener,
    collect,
    eventually,
    nems_headers,
    nems_subscription,
    subscriptions_api,
)

# Nobody can subscribe to those that were given up.
TYPES = [one for one in catalogue.load(folder("config") / "event-types") if one.state in {"active", "deprecated"}]
NUMBER = "9990001006"
NEMS_CASES = {
    "blood-spot-test-outcome-1": "nems-screening.blood-spot",
    "newborn-hearing-1": "nems-screening.hearing",
    "nipe-outcome-1": "nems-screening.home-and-practice",
    "pds-birth-notification-1": "nems-pds-birth-notification-1.mother-known",
    "pds-change-of-address-1": "nems-pds-change-of-address-1.moved",
    "pds-change-of-gp-1": "nems-pds-change-of-gp-1.registered",
    "pds-death-notification-1": "nems-pds-death-notification-1.formal",
    "pds-record-change-1": "nems-pds-record-change-1.changed",
    "professional-contacts-1": "nems-professional-contacts-1.new",
    "vaccinations-1": "nems-vaccinations-1.given",
}
PATIENT = {
    "resourceType": "Patient",
    "id": NUMBER,
    "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": NUMBER}],
    "name": [{"use": "usual", "family": "TESTER", "given": ["Tess"]}],
    "birthDate": "1987-10-02",
    "deceasedDateTime": "2026-10-30",
    "extension": [
        {
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-DeathNotificationStatus",
            "extension": [
                {
                    "url": "deathNotificationStatus",
                    "valueCodeableConcept": {
                        "coding": [
                            {
                                "system": "https://fhir.hl7.org.uk/CodeSystem/UKCore-DeathNotificationStatus",
                                "code": "2",
                            }
                        ]
                    },
                }
            ],
        }
    ],
    "generalPractitioner": [
        {
            "type": "Organization",
            "identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "A20047"},
        }
    ],
}
SOURCES = """
sources:
  - {{url: "http://127.0.0.1:{port}/", patients: true}}
"""


@dataclass(frozen=True)
class Told:
    """What one subscriber was sent."""

    body: bytes
    media_type: str


# --- the doors: each publishes an event of a type and gives the id it has there


def by_nems(gateway: Gateway, mesh: LocalMesh, event_type: EventType) -> str:
    identity, message = nems_message(event_type)
    answer = gateway.publish(render_xml(message, load("STU3")), nems_code(event_type))
    assert answer.status_code == 202, answer.text
    return identity


def by_nems_in_json(gateway: Gateway, mesh: LocalMesh, event_type: EventType) -> str:
    identity, message = nems_message(event_type)
    headers = {"Content-Type": "application/fhir+json"}
    answer = gateway.publish(render_json(message), nems_code(event_type), **headers)
    assert answer.status_code == 202, answer.text
    return identity


def by_mailbox(gateway: Gateway, mesh: LocalMesh, event_type: EventType) -> str:
    assert event_type.nems
    identity, message = nems_message(event_type)
    sent = OutgoingMessage(
        recipient=GATEWAY_MAILBOX, workflow_id=event_type.nems.workflow, local_id=identity, subject="", partner_id="",
        file_name=f"{identity}.xml", content_type="application/fhir+xml", body=render_xml(message, load("STU3")),
    )  # fmt: skip
    with Mailbox(mesh.settings_for(SUBSCRIBER_MAILBOX)) as mailbox:
        mailbox.send(sent)
    return identity


def by_mns(gateway: Gateway, mesh: LocalMesh, event_type: EventType) -> str:
    assert event_type.mns
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "uk.nhs.example",
        "type": event_type.mns.type,
        "time": "2026-11-02T09:15:00Z",
        "subject": NUMBER,
        "dataref": f"https://api.service.nhs.uk/personal-demographics/FHIR/R4/Patient/{NUMBER}",
        # A NEMS message says whether a record is new, and nothing but this would tell.
        **({"filtering": {"action": "CREATE"}} if "action" in event_type.filters else {}),
    }
    return post_event(gateway, event, V2)


def by_mns_before_cloudevents(gateway: Gateway, mesh: LocalMesh, event_type: EventType) -> str:
    assert event_type.mns
    return post_event(gateway, v1_event(type=event_type.mns.type), V1)


def post_event(gateway: Gateway, event: dict[str, Any], media_type: str) -> str:
    headers = {"Content-Type": media_type, "X-Correlation-ID": str(uuid.uuid4())}
    answer = gateway.http.post(f"{BASE}/events", json=event, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(event["id"])


def nems_code(event_type: EventType) -> str:
    assert event_type.nems
    return event_type.nems.code


def nems_message(event_type: EventType) -> tuple[str, dict[str, Any]]:
    """A message of our own for the event type, with an id of its own, and that id."""
    case = cases.read(folder("mappings") / "nems" / "cases" / f"{NEMS_CASES[event_type.id]}.json")
    text = json.dumps(case.input, default=str, ensure_ascii=False)
    header = case.input["entry"][0]["resource"]
    identity = str(uuid.uuid4())
    code = header["event"]["code"]
    text = text.replace(header["id"], identity).replace(f'"{code}"', f'"{event_type.id}"')
    return identity, parse_json(text.encode(), load("STU3")).resource


Door = Callable[[Gateway, LocalMesh, EventType], str]
NEMS_TYPES = [one for one in TYPES if one.nems]
MNS_TYPES = [one for one in TYPES if one.mns]
# The event types of which MNS documents that form.
FORMER_TYPES = [
    one for one in MNS_TYPES if one.id in {"pds-change-of-gp-1", "pds-death-notification-1", "nhs-number-change-2"}
]
DOORS: dict[str, tuple[Door, list[EventType]]] = {
    "NEMS, XML": (by_nems, NEMS_TYPES),
    "NEMS, JSON": (by_nems_in_json, NEMS_TYPES),
    "NEMS message in the own mailbox": (by_mailbox, NEMS_TYPES),
    "MNS": (by_mns, MNS_TYPES),
    "MNS, before CloudEvents": (by_mns_before_cloudevents, FORMER_TYPES),
}


# --- the exits: each subscribes to an event type, and asserts what its subscriber was told


class Exit:
    """A kind of subscription; its subscribers are told apart by what they are told at."""

    def __init__(self, name: str, told: Callable[[Told, EventType, str], None], by: str = "rest-hook") -> None:
        self.name, self.told, self.by = name, told, by

    def place(self, event_type: EventType) -> str:
        return f"{self.name}.{event_type.id}"

    def covers(self, event_type: EventType) -> bool:
        return True


class Nems(Exit):
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


@pytest.fixture
def listener() -> Iterator[Listener]:
    """The webhooks, and the API that has the patients."""
    with Listener() as listening:
        listening.documents[f"/Patient/{NUMBER}"] = Document(json.dumps(PATIENT).encode())
        yield listening


@pytest.fixture
def gateway(mesh: LocalMesh, listener: Listener, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that has no subscription yet."""
    sources = tmp_path / "sources.yaml"
    sources.write_text(SOURCES.format(port=listener.port))
    mesh.clear()
    with Gateway(tmp_path, mesh, GATEWAY_RETRIEVAL__SOURCES=str(sources)) as running:
        yield running


@pytest.mark.parametrize("door", DOORS)
def test_who_is_subscribed_is_told_once(door: str, gateway: Gateway, mesh: LocalMesh, listener: Listener) -> None:
    publish, event_types = DOORS[door]
    wanted = {}
    for one in EXITS:
        for event_type in event_types:
            if one.covers(event_type):
                one.subscribe(gateway, event_type, listener)
                wanted[one.place(event_type)] = one, event_type
    listener.received.clear()
    published = {event_type.id: publish(gateway, mesh, event_type) for event_type in event_types}

    eventually(lambda: len(gateway.events()) == len(event_types), 30)
    gateway.wait_until_idle(60)
    assert dead(gateway) == []
    told = told_at(mesh, listener, sum(one.by == "mesh" for one, _ in wanted.values()))
    assert sorted(told) == sorted(wanted)
    for place, (one, event_type) in wanted.items():
        (sent,) = told[place]
        one.told(sent, event_type, published[event_type.id])


def dead(gateway: Gateway) -> list[tuple[str, str, str]]:
    """The deliveries that came to nothing, and why."""
    return [
        (trace.event.type, one.delivery.form, one.attempts[-1].detail)
        for trace in gateway.events()
        for one in trace.deliveries
        if one.state != "delivered"
    ]


def told_at(mesh: LocalMesh, listener: Listener, by_mesh: int) -> dict[str, list[Told]]:
    """What was sent, by the path of the webhook or the workflow."""
    told: dict[str, list[Told]] = {}
    for request in listener.received:
        place = request.path.removeprefix("/")
        told.setdefault(place, []).append(Told(request.body, request.headers["Content-Type"]))
    for message in collect(mesh, by_mesh):
        told.setdefault(message.workflow_id, []).append(Told(message.body, message.content_type))
    return told
