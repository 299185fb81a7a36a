"""NEMS, "Publish an event message": what a publisher may send, and what it is answered."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from pathlib import Path

import jsonschema
import pytest

from gateway.fhir.json import render_json
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from mesh.sandbox.run import LocalMesh
from tests.contract.nems.answers import outcome
from tests.harness import EVENTS, NEMS_HEADERS, Gateway, Listener, collect, interaction, message, nems_headers

WORKFLOWS = {
    "pds-change-of-gp-1": "CHANGEOFGP_1",
    "pds-record-change-1": "PDSRECORDCHANGE_1",
    "vaccinations-1": "VACCINATIONS_1",
}
PUBLISHED = (
    ("PDS-Change-Of-GP-ems-example.xml", "pds-change-of-gp-1"),
    ("PDS-Record-Change.xml", "pds-record-change-1"),
    ("PDS-Record-Change-Citizen.xml", "pds-record-change-1"),
    ("vaccinations-1-new.xml", "vaccinations-1"),
    ("vaccinations-1-update.xml", "vaccinations-1"),
    ("vaccinations-1-delete.xml", "vaccinations-1"),
    ("vaccinations-1-notgiven-new.xml", "vaccinations-1"),
)
MNS_TYPES = {
    "pds-change-of-gp-1": "pds-change-of-gp-2",
    "pds-record-change-1": "pds-record-change-2",
    "vaccinations-1": "imms-vaccination-record-change-1",
}
PROCESS_MESSAGE = "/STU3/Events/1/$process-message"


@pytest.fixture(scope="module", autouse=True)
def mailbox_subscriptions(gateway: Gateway) -> None:
    """The subscriber's mailbox gets every event."""
    for event in EVENTS:
        gateway.subscribe_mailbox(event)


@pytest.fixture(autouse=True)
def empty_mailbox(gateway: Gateway, mesh: LocalMesh) -> None:
    """What an earlier test published has arrived, and is cleared away."""
    gateway.wait_until_idle()
    mesh.clear()


@pytest.mark.rule("nems-post-process-message", "nems-delivery-workflow", "nems-202")
@pytest.mark.parametrize("event", EVENTS)
def test_a_valid_message_is_accepted_with_an_empty_body(gateway: Gateway, mesh: LocalMesh, event: str) -> None:
    body = message(event)
    answer = gateway.publish(body, event)
    assert (answer.status_code, answer.content) == (202, b"")
    assert parsedate_to_datetime(answer.headers["Date"])
    assert gateway.events()[0].event.original.body == body
    (received,) = collect(mesh, 1)
    assert (received.body, received.workflow_id) == (body, WORKFLOWS[event])


@pytest.mark.rule("nems-same-bytes")
@pytest.mark.parametrize(("file", "event"), PUBLISHED)
def test_every_published_example_arrives_unchanged_and_as_a_signal(
    gateway: Gateway, mesh: LocalMesh, listener: Listener, examples: Path, file: str, event: str
) -> None:
    body = (examples / "nems" / "events" / file).read_bytes()
    schema = json.loads((examples / "mns" / "signal-schemas" / "fhirsignal.schema.json").read_bytes())
    subscription = gateway.subscribe_webhook(listener.url, event)
    assert gateway.publish(body, event).status_code == 202
    (received,) = collect(mesh, 1)
    assert (received.body, received.workflow_id) == (body, WORKFLOWS[event])
    (request,) = listener.wait_for(1)
    signal = json.loads(request.body)
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(signal)
    context = {part["name"]: part for part in signal["entry"][0]["resource"]["parameter"][4]["part"]}
    assert context["event-type"]["valueString"] == MNS_TYPES[event]
    assert context["subject"]["valueReference"]["identifier"]["value"] == "9912003888"
    assert gateway.http.delete(f"/R4/Subscription/{subscription}").status_code == 204


@pytest.mark.rule("nems-delivery-content-type", "nems-delivery-private")
def test_what_mesh_is_told_of_a_message(gateway: Gateway, mesh: LocalMesh) -> None:
    gateway.publish(message())
    (received,) = collect(mesh, 1)
    assert received.content_type == "application/fhir+xml"
    assert received.subject == "PDS Change of GP"
    assert received.file_name == f"{received.local_id}.xml"
    for patient in ("9990001006", "BRAMLEY", "Ada"):
        assert patient not in str(dict(received.headers))


@pytest.mark.rule("nems-interaction-spellings")
@pytest.mark.parametrize("name", ["pds-change-of-gp-1", "PDS-CHANGE-OF-GP-1", "Pdschangeofgp", "pdschangeofgp"])
def test_both_spellings_of_the_interaction_are_taken_in_any_case(gateway: Gateway, mesh: LocalMesh, name: str) -> None:
    assert gateway.publish(message(), InteractionID=interaction(name)["InteractionID"]).status_code == 202
    collect(mesh, 1)


@pytest.mark.rule("nems-publish-mime")
@pytest.mark.parametrize(
    "content_type",
    [
        "application/fhir+xml",
        "application/fhir+xml;charset=utf-8",
        "application/xml+fhir; charset=utf-8",
        "Application/FHIR+XML",
    ],
)
def test_every_spelling_of_the_media_type_is_taken(gateway: Gateway, mesh: LocalMesh, content_type: str) -> None:
    assert gateway.publish(message(), **{"Content-Type": content_type}).status_code == 202
    collect(mesh, 1)


@pytest.mark.rule("nems-publish-mime-absent")
def test_an_absent_media_type_means_xml(gateway: Gateway, mesh: LocalMesh) -> None:
    assert gateway.publish(message(), **{"Content-Type": ""}).status_code == 202
    headers = {name: value for name, value in NEMS_HEADERS.items() if name != "Content-Type"}
    answer = gateway.http.post(PROCESS_MESSAGE, content=message(), headers=headers | interaction(EVENTS[0]))
    assert answer.status_code == 202
    collect(mesh, 2)


@pytest.mark.rule("nems-publish-json", "nems-delivery-xml")
def test_a_message_in_json_is_delivered_as_xml(gateway: Gateway, mesh: LocalMesh) -> None:
    tables = load("STU3")
    resource = parse_xml(message(), tables).resource
    answer = gateway.publish(render_json(resource), **{"Content-Type": "application/fhir+json"})
    assert answer.status_code == 202
    (received,) = collect(mesh, 1)
    assert parse_xml(received.body, tables).resource == resource


@pytest.mark.rule("nems-no-dedup")
def test_a_message_published_twice_is_delivered_twice(gateway: Gateway, mesh: LocalMesh) -> None:
    body = message()
    for _ in range(2):
        assert gateway.publish(body).status_code == 202
    assert [received.body for received in collect(mesh, 2)] == [body, body]


def test_every_fault_of_a_message_is_told(gateway: Gateway) -> None:
    body = message(**{'sent value="2026-11-02': 'sent value="soon', '<status value="finished"/>': '<status value=""/>'})
    told = outcome(gateway.publish(body), 422, "INVALID_RESOURCE")
    assert "Bundle.entry[1].resource.sent" in told
    assert "Bundle.entry[4].resource.status" in told


@pytest.mark.rule("nems-outcome-form", "nems-format")
@pytest.mark.parametrize(
    ("accept", "query", "expected"),
    [
        ("application/fhir+json", "", "application/fhir+json"),
        ("application/json+fhir;charset=utf-8", "", "application/fhir+json"),
        ("text/html, application/fhir+json", "", "application/fhir+json"),
        ("*/*", "", "application/fhir+xml"),
        ("application/fhir+xml", "?_format=json", "application/fhir+json"),
        ("application/fhir+json", "?_format=application/fhir+xml", "application/fhir+xml"),
    ],
)
def test_errors_come_in_the_form_asked_for(gateway: Gateway, accept: str, query: str, expected: str) -> None:
    answer = gateway.http.post(
        PROCESS_MESSAGE + query, content=b"x", headers={**NEMS_HEADERS, **interaction(EVENTS[0]), "Accept": accept}
    )
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith(expected)
    if expected == "application/fhir+json":
        assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "MESSAGE_NOT_WELL_FORMED"


@pytest.mark.rule("nems-accept-unknown", "nems-format")
def test_a_form_that_there_is_not_is_refused_and_nothing_is_kept(gateway: Gateway) -> None:
    before = len(gateway.events())
    assert "Accept" in outcome(gateway.publish(message(), Accept="text/html"), 415, "UNSUPPORTED_MEDIA_TYPE")
    headers = nems_headers(**interaction(EVENTS[0]))
    answer = gateway.http.post(f"{PROCESS_MESSAGE}?_format=text/html", content=message(), headers=headers)
    assert "_format" in outcome(answer, 415, "UNSUPPORTED_MEDIA_TYPE")
    assert len(gateway.events()) == before


@pytest.mark.rule("nems-other-verb")
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_verb_is_refused(gateway: Gateway, method: str) -> None:
    outcome(gateway.http.request(method, PROCESS_MESSAGE, headers=NEMS_HEADERS), 400, "BAD_REQUEST")


@pytest.mark.rule("nems-other-operation")
def test_another_operation_is_not_implemented(gateway: Gateway) -> None:
    outcome(gateway.http.post("/STU3/Patient", headers=NEMS_HEADERS), 501, "NOT_IMPLEMENTED")


@pytest.mark.rule("nems-no-search")
def test_subscriptions_are_neither_searched_nor_updated(gateway: Gateway) -> None:
    outcome(gateway.http.get("/STU3/Subscription?criteria:contains=x", headers=NEMS_HEADERS), 400, "BAD_REQUEST")
    place = f"/STU3/Subscription/{'0' * 32}"
    outcome(gateway.http.put(place, headers=NEMS_HEADERS, content=b"x"), 405, "MSG_RESOURCE_ID_FAIL")
    outcome(gateway.http.patch(place, headers=NEMS_HEADERS, content=b"x"), 400, "BAD_REQUEST")


@pytest.mark.rule("nems-size")
def test_a_body_may_have_three_megabytes_and_no_more(gateway: Gateway) -> None:
    body = message()
    limit = 3 * 1024 * 1024
    filled = body + b"<!--" + b"x" * (limit - len(body) - 7) + b"-->"
    assert len(filled) == limit
    assert gateway.publish(filled).status_code == 202
    outcome(gateway.publish(filled + b" "), 413, "INVALID_REQUEST_MESSAGE")
