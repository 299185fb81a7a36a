"""The doors: each takes an event of a type in, and gives the id that its publisher gave it, "" for none."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway import catalogue
from gateway.catalogue import EventType
from gateway.fhir.json import parse_json, render_json
from gateway.fhir.tables import load
from gateway.fhir.xml import render_xml
from gateway.mapping.tools import cases
from gateway.resources import folder
from mesh.mailbox import Mailbox
from mesh.message import OutgoingMessage
from mesh.sandbox.run import LocalMesh
from tests.contract.mns.acts import BASE, V1, V2, v1_event
from tests.contract.r4.acts import FHIR
from tests.harness import GATEWAY_MAILBOX, SUBSCRIBER_MAILBOX, Gateway

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
    send(mesh, event_type.nems.workflow, render_xml(message, load("STU3")), "application/fhir+xml")
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


def by_notification(gateway: Gateway, mesh: LocalMesh, event_type: EventType) -> str:
    answer = gateway.http.post("/R4/$process-notification", content=notification(event_type), headers=FHIR)
    assert answer.status_code == 200, answer.text
    return ""


def by_notification_in_mailbox(gateway: Gateway, mesh: LocalMesh, event_type: EventType) -> str:
    send(mesh, "ANY_WORKFLOW", notification(event_type), "application/fhir+json")
    return ""


def by_signal(gateway: Gateway, mesh: LocalMesh, event_type: EventType) -> str:
    assert event_type.mns
    case = cases.read(folder("mappings") / "mns" / "cases" / "from-mns-signal.full.json")
    identity = str(uuid.uuid4())
    signal = {**json.loads(json.dumps(case.input)), "id": identity}
    *_, context = signal["entry"][0]["resource"]["parameter"]
    for part in context["part"]:
        if part["name"] == "event-type":
            part["valueString"] = event_type.mns.type
        if part["name"] == "subject":
            part["valueReference"]["identifier"]["value"] = NUMBER
    send(mesh, "ANY_WORKFLOW", json.dumps(signal).encode(), "application/fhir+json")
    return identity


def notification(event_type: EventType) -> bytes:
    """A notification of a server of its own, about the patient."""
    case = cases.read(folder("mappings") / "r4" / "cases" / "from-r4-status.patient-of-pds.json")
    text = json.dumps(case.input)
    for old, new in (
        ("/pds-record-change-1", f"/{event_type.id}"),
        ("Patient/9990000018", f"Patient/{NUMBER}"),
        ("Subscription/s1", f"Subscription/{event_type.id}"),
    ):
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def send(mesh: LocalMesh, workflow: str, body: bytes, content_type: str) -> None:
    """Put a message into the gateway's own mailbox."""
    local_id = str(uuid.uuid4())
    message = OutgoingMessage(
        recipient=GATEWAY_MAILBOX, workflow_id=workflow, local_id=local_id, body=body, file_name=f"{local_id}.dat",
        content_type=content_type,
    )  # fmt: skip
    with Mailbox(mesh.settings_for(SUBSCRIBER_MAILBOX)) as mailbox:
        mailbox.send(message)


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


@dataclass(frozen=True)
class Door:
    """A way in; `not_as_nems` are those of its event types that it tells too little of for a NEMS message."""

    publish: Callable[[Gateway, LocalMesh, EventType], str]
    event_types: list[EventType]
    not_as_nems: frozenset[str] = frozenset()


NEMS_TYPES = [one for one in TYPES if one.nems]
MNS_TYPES = [one for one in TYPES if one.mns]
# The event types of which MNS documents that form.
FORMER_TYPES = [
    one for one in MNS_TYPES if one.id in {"pds-change-of-gp-1", "pds-death-notification-1", "nhs-number-change-2"}
]
# A NEMS message says whether their record is new, which only a filter of the event tells: signals have none.
RECORDS = frozenset(one.id for one in NEMS_TYPES if "action" in one.filters)
DOORS = {
    "NEMS, XML": Door(by_nems, NEMS_TYPES),
    "NEMS, JSON": Door(by_nems_in_json, NEMS_TYPES),
    "NEMS message in the own mailbox": Door(by_mailbox, NEMS_TYPES),
    "MNS": Door(by_mns, MNS_TYPES),
    "MNS, before CloudEvents": Door(by_mns_before_cloudevents, FORMER_TYPES),
    "R4 notification": Door(by_notification, TYPES, RECORDS),
    "R4 notification in the own mailbox": Door(by_notification_in_mailbox, TYPES, RECORDS),
    "signal of MNS in the own mailbox": Door(by_signal, MNS_TYPES, RECORDS),
}
