"""Every door in, every form and channel out, for every event type: each subscriber is told once, in what it asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.sandbox.run import LocalMesh
from tests.bridges.doors import DOORS, NUMBER
from tests.bridges.exits import EXITS, Told
from tests.harness import Document, Gateway, Listener, collect, eventually

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
    chosen = DOORS[door]
    wanted, refused = {}, []
    for one in EXITS:
        for event_type in filter(one.covers, chosen.event_types):
            one.subscribe(gateway, event_type, listener)
            if one.form == "nems-message" and event_type.id in chosen.not_as_nems:
                refused.append((event_type.id, one.form, "NO_RECORD_FOUND"))
            else:
                wanted[one.place(event_type)] = one, event_type
    listener.received.clear()
    published = {event_type.id: chosen.publish(gateway, mesh, event_type) for event_type in chosen.event_types}

    eventually(lambda: len(gateway.events()) == len(chosen.event_types), 60)
    gateway.wait_until_idle(60)
    assert sorted(dead(gateway)) == sorted(refused)
    kept = {trace.event.type: trace.event.id for trace in gateway.events()}
    assert {one: identity or kept[one] for one, identity in published.items()} == kept
    told = told_at(mesh, listener, sum(one.by == "mesh" for one, _ in wanted.values()))
    assert sorted(told) == sorted(wanted)
    for place, (one, event_type) in wanted.items():
        (sent,) = told[place]
        one.told(sent, event_type, kept[event_type.id])


def dead(gateway: Gateway) -> list[tuple[str, str, str]]:
    """The deliveries that came to nothing, and the code that says why."""
    return [
        (trace.event.type, one.delivery.form, one.attempts[-1].detail.removeprefix("cannot be mapped: ").split()[0])
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
