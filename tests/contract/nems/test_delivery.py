"""NEMS, "Receiver requirements": what reaches which mailbox, and under which headers."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from gateway.fhir.json import render_json
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from mesh.mailbox import Mailbox
from mesh.message import ReceivedMessage
from mesh.sandbox.run import LocalMailbox, LocalMesh
from tests.contract.mns.acts import BASE, V2, cloudevent
from tests.harness import (
    GATEWAY_MAILBOX,
    NEMS_HEADERS,
    SUBSCRIBER_MAILBOX,
    Gateway,
    message,
    nems_subscription,
    subscriptions_api,
)

# NEMS, the page of each event, "Onward delivery".
WORKFLOWS = {
    "pds-birth-notification-1": "BIRTHNOTIFICATION_1",
    "pds-change-of-address-1": "CHANGEOFADDRESS_1",
    "pds-change-of-gp-1": "CHANGEOFGP_1",
    "pds-death-notification-1": "DEATHNOTIFICATION_1",
    "pds-record-change-1": "PDSRECORDCHANGE_1",
    "blood-spot-test-outcome-1": "BLOODSPOTTESTOUTCOME_1",
    "newborn-hearing-1": "NEWBORNHEARING_1",
    "nipe-outcome-1": "NIPEOUTCOME_1",
    "professional-contacts-1": "PROFESSIONALCONTACTS_1",
    "vaccinations-1": "VACCINATIONS_1",
}
MAILBOXES = ("ALL00OT001", "ONE00OT001", "BOTH0OT001", SUBSCRIBER_MAILBOX)
ALL, ONE, BOTH, _ = MAILBOXES
PATIENT = "9912003888"
"""Whom most of the published messages are about."""
ROUTED = (
    "string(//f:MessageHeader/f:extension[contains(@url, 'RoutingDemographics')]"
    "/f:extension[@url='nhsNumber']//f:value/@value)"
)
EVENT = "string(//f:MessageHeader/f:event/f:code/@value)"


@pytest.fixture(scope="module")
def mesh() -> Iterator[LocalMesh]:
    """A MESH whose mailboxes take the workflows of NEMS and no others."""
    workflows = tuple(WORKFLOWS.values())
    subscribers = [LocalMailbox(name, workflow_ids=workflows) for name in MAILBOXES]
    with LocalMesh([LocalMailbox(GATEWAY_MAILBOX), *subscribers]) as running:
        yield running


@pytest.fixture(autouse=True)
def nobody_is_subscribed(gateway: Gateway, mesh: LocalMesh) -> Iterator[None]:
    made: list[str] = []
    gateway.http.event_hooks = {"response": [lambda answer: made.append(answer.headers.get("Location", ""))]}
    yield
    gateway.http.event_hooks = {}
    for place in filter(None, made):
        gateway.http.delete(place, headers={**NEMS_HEADERS, **subscriptions_api("Delete")})
    mesh.clear()


def subscribe(gateway: Gateway, mailbox: str, *events: str, patient: str = "", tag: str = "") -> str:
    """A subscription of a mailbox, generic unless it names a patient; its id."""
    body = nems_subscription(events[0]).decode().replace(SUBSCRIBER_MAILBOX, mailbox)
    more = "".join(f"&amp;MessageHeader.event={event}" for event in events[1:])
    if patient:
        more += f"&amp;Patient.identifier=https://fhir.nhs.uk/Id/nhs-number|{patient}"
    if tag:
        more += f"&amp;tag={tag}"
    body = body.replace(f"MessageHeader.event={events[0]}", f"MessageHeader.event={events[0]}{more}")
    headers = {**NEMS_HEADERS, **subscriptions_api("Post")}
    answer = gateway.http.post("/STU3/Subscription", content=body.encode(), headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].rpartition("/")[2]


def received(mesh: LocalMesh, gateway: Gateway, mailbox_id: str) -> list[ReceivedMessage]:
    """All that a mailbox holds once nothing is on its way any more."""
    gateway.wait_until_idle(60)
    with Mailbox(mesh.settings_for(mailbox_id)) as mailbox:
        return [mailbox.retrieve(message_id) for message_id in mailbox.list_messages()]


def fact(body: bytes, path: str) -> str:
    """What a message says of itself, read without any of our code; zero-width spaces stand in some codes."""
    found = etree.fromstring(body).xpath(path, namespaces={"f": "http://hl7.org/fhir"})
    return str(found).replace("\u200b", "").strip()


@pytest.mark.rule(
    "nems-same-bytes",
    "nems-order",
    "nems-each-mailbox",
    "nems-delivery-workflow",
    "nems-one-copy",
    "nems-match-explicit",
)
def test_every_published_message_reaches_its_mailboxes_byte_for_byte(
    gateway: Gateway, mesh: LocalMesh, examples: Path
) -> None:
    bodies = [file.read_bytes() for file in sorted((examples / "nems" / "events").glob("*.xml"))]
    assert len(bodies) == 25
    for event in WORKFLOWS:
        subscribe(gateway, ALL, event)
    subscribe(gateway, ONE, *WORKFLOWS, patient=PATIENT)
    subscribe(gateway, BOTH, "vaccinations-1")
    subscribe(gateway, BOTH, "vaccinations-1", "nipe-outcome-1", patient=PATIENT)
    for body in bodies:
        answer = gateway.publish(body, fact(body, EVENT))
        assert (answer.status_code, answer.content) == (202, b"")

    def is_for_both(body: bytes) -> bool:
        event = fact(body, EVENT)
        return event == "vaccinations-1" or (event == "nipe-outcome-1" and fact(body, ROUTED) == PATIENT)

    expected = {
        ALL: bodies,
        ONE: [body for body in bodies if fact(body, ROUTED) == PATIENT],
        BOTH: [body for body in bodies if is_for_both(body)],
        SUBSCRIBER_MAILBOX: [],
    }
    assert 0 < len(expected[BOTH]) < len(expected[ONE]) < 25
    for mailbox, due in expected.items():
        arrived = received(mesh, gateway, mailbox)
        assert Counter(one.body for one in arrived) == Counter(due), mailbox
        assert all(one.workflow_id == WORKFLOWS[fact(one.body, EVENT)] for one in arrived)


@pytest.mark.rule("nems-delivery-headers", "nems-delivery-content-type", "nems-delivery-private")
def test_the_headers_are_all_there_and_tell_nothing_of_the_patient(gateway: Gateway, mesh: LocalMesh) -> None:
    subscribe(gateway, ONE, "pds-change-of-gp-1")
    body = message()
    gateway.publish(body)
    (one,) = received(mesh, gateway, ONE)
    assert (one.message_type, one.content_type) == ("DATA", "application/fhir+xml")
    assert (one.sender, one.recipient) == (GATEWAY_MAILBOX, ONE)
    assert (one.subject, one.workflow_id) == ("PDS Change of GP", "CHANGEOFGP_1")
    assert (str(uuid.UUID(one.local_id)), one.file_name) == (one.local_id, f"{one.local_id}.xml")
    headers = " ".join(one.headers.values()).lower()
    values = set(etree.fromstring(body).xpath("//f:Patient//@value", namespaces={"f": "http://hl7.org/fhir"}))
    telling = {value.lower() for value in values if len(value) > 4 and not value.startswith("http")}
    assert telling
    assert not [value for value in telling if value in headers]


@pytest.mark.rule("nems-publish-json", "nems-delivery-xml")
def test_what_was_published_in_json_is_delivered_in_xml(gateway: Gateway, mesh: LocalMesh) -> None:
    subscribe(gateway, ONE, "pds-change-of-gp-1")
    resource = parse_xml(message(), load("STU3")).resource
    gateway.publish(render_json(resource), **{"Content-Type": "application/fhir+json"})
    (one,) = received(mesh, gateway, ONE)
    assert one.content_type == "application/fhir+xml"
    assert parse_xml(one.body, load("STU3")).resource == resource


@pytest.mark.rule("nems-partner-id", "nems-one-copy")
def test_the_tags_of_a_mailboxs_subscriptions_are_listed_and_others_are_not(gateway: Gateway, mesh: LocalMesh) -> None:
    first = subscribe(gateway, ONE, "pds-change-of-gp-1", tag="A")
    subscribe(gateway, ONE, "pds-change-of-gp-1")
    second = subscribe(gateway, ONE, "pds-change-of-gp-1", patient="9990001006", tag="B|C,D")
    subscribe(gateway, ONE, "vaccinations-1", tag="OTHER")
    subscribe(gateway, BOTH, "pds-change-of-gp-1")
    gateway.publish(message())
    (one,) = received(mesh, gateway, ONE)
    assert one.headers["mex-partnerid"] == f"{first}|A~~~{second}|B|C,D"
    (untagged,) = received(mesh, gateway, BOTH)
    assert "mex-partnerid" not in untagged.headers


@pytest.mark.rule("nems-partner-id-length")
def test_of_tags_that_are_too_many_for_mesh_as_many_whole_ones_are_listed_as_fit(
    gateway: Gateway, mesh: LocalMesh
) -> None:
    tags = [f"{number}" * 100 for number in range(4)]
    ids = [subscribe(gateway, ONE, "pds-change-of-gp-1", tag=tag) for tag in tags]
    gateway.publish(message())
    (one,) = received(mesh, gateway, ONE)
    listed = one.headers["mex-partnerid"]
    assert listed == "~~~".join(f"{name}|{tag}" for name, tag in list(zip(ids, tags, strict=True))[:3])
    assert len(listed) <= 500


@pytest.mark.rule("nems-no-dedup")
def test_what_is_published_twice_is_delivered_twice(gateway: Gateway, mesh: LocalMesh) -> None:
    subscribe(gateway, ONE, "pds-change-of-gp-1")
    body = message()
    for _ in range(2):
        gateway.publish(body)
    assert [one.body for one in received(mesh, gateway, ONE)] == [body, body]


@pytest.mark.rule("nems-no-replay")
def test_what_was_published_before_a_subscription_is_not_delivered_to_it(gateway: Gateway, mesh: LocalMesh) -> None:
    gateway.publish(message())
    subscribe(gateway, ONE, "pds-change-of-gp-1")
    late = message()
    gateway.publish(late)
    assert [one.body for one in received(mesh, gateway, ONE)] == [late]


@pytest.mark.rule("nems-delivery-xml")
def test_an_event_that_was_born_in_mns_is_delivered_as_a_nems_message(gateway: Gateway, mesh: LocalMesh) -> None:
    subscribe(gateway, ONE, "pds-change-of-gp-1", patient=PATIENT, tag="A")
    subscribe(gateway, BOTH, "pds-change-of-gp-1", patient="9990001006")
    born = cloudevent(subject=PATIENT, filtering={"generalpractitioner": "A20047"})
    headers = {"Content-Type": V2, "X-Correlation-ID": str(uuid.uuid4())}
    answer = gateway.http.post(f"{BASE}/events", json=born, headers=headers)
    assert answer.status_code == 200, answer.text
    (one,) = received(mesh, gateway, ONE)
    assert (one.content_type, one.workflow_id) == ("application/fhir+xml", "CHANGEOFGP_1")
    assert one.headers["mex-partnerid"].endswith("|A")
    assert (fact(one.body, EVENT), fact(one.body, ROUTED)) == ("pds-change-of-gp-1", PATIENT)
    assert parse_xml(one.body, load("STU3")).resource["type"] == "message"
    assert received(mesh, gateway, BOTH) == []
