"""What the subscribers of the MNS face get: signals and CloudEvents, by MESH and by webhook, hydrated and not."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from mesh.message import ReceivedMessage
from mesh.sandbox.run import LocalMesh
from tests.contract.mns.acts import BASE, V2, cloudevent
from tests.harness import (
    NEMS_HEADERS,
    SUBSCRIBER_MAILBOX,
    Document,
    Gateway,
    Listener,
    collect,
    eventually,
    subscriptions_api,
)

NUMBER = "9990001006"
PATIENT = {
    "resourceType": "Patient",
    "id": NUMBER,
    "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": NUMBER}],
    "name": [{"use": "usual", "family": "TESTER", "given": ["Tess"]}],
    "birthDate": "2017-10-02",
    "generalPractitioner": [
        {
            "type": "Organization",
            "identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "A20047"},
        }
    ],
}
SOURCES = """
sources:
  - url: http://127.0.0.1:{port}/pds/
    patients: true
    headers: {{x-gateway: ours}}
  - url: http://127.0.0.1:{port}/gpreg/
    hydrate: true
    headers: {{apikey: ours}}
"""


@pytest.fixture(scope="module")
def source() -> Iterator[Listener]:
    """The APIs that the events of these tests point to."""
    with Listener() as listening:
        yield listening


@pytest.fixture(scope="module")
def gateway(mesh: LocalMesh, source: Listener, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in open mode that may fetch from the source."""
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "sources.yaml").write_text(SOURCES.format(port=source.port))
    with Gateway(folder, mesh, GATEWAY_RETRIEVAL__SOURCES=str(folder / "sources.yaml")) as running:
        yield running
    assert '"level":"error"' not in running.log.read_text()


def call(gateway: Gateway, method: str, path: str, body: object, media_type: str) -> httpx.Response:
    headers = {"X-Correlation-ID": str(uuid.uuid4()), "Content-Type": media_type}
    answer = gateway.http.request(method, BASE + path, json=body, headers=headers)
    assert answer.status_code < 300, answer.text
    return answer


def publish(gateway: Gateway, **changed: Any) -> dict[str, Any]:
    event = cloudevent(**changed)
    call(gateway, "POST", "/events", event, V2)
    return event


@pytest.fixture
def subscribe(gateway: Gateway) -> Iterator[Any]:
    """Subscribes, and takes back what was subscribed."""
    made: list[str] = []

    def make(event_type: str, endpoint: str = "", payload: str = "application/fhir+json", **more: Any) -> str:
        endpoint = endpoint or f"mesh://{SUBSCRIBER_MAILBOX}?workflow_id=MY_WORKFLOW_1.1-A"
        kind = "message" if endpoint.startswith("mesh:") else "rest-hook"
        body = {
            "resourceType": "Subscription", "status": "requested", "reason": "",
            "criteria": f"eventType='{event_type}'{more.pop('filters', '')}",
            "channel": {"type": kind, "endpoint": endpoint, "payload": payload}, **more,
        }  # fmt: skip
        made.append(call(gateway, "POST", "/subscriptions", body, "application/fhir+json").json()["id"])
        return made[-1]

    yield make
    for identity in made:
        gateway.http.delete(f"{BASE}/subscriptions/{identity}", headers={"X-Correlation-ID": "1"})


def one_message(mesh: LocalMesh) -> ReceivedMessage:
    (message,) = collect(mesh, 1)
    return message


def details(gateway: Gateway, event: dict[str, Any]) -> list[str]:
    """What is recorded of the attempts at the deliveries of an event."""
    gateway.wait_until_idle()
    (trace,) = [trace for trace in gateway.events() if trace.event.id == event["id"]]
    return [attempt.detail for told in trace.deliveries for attempt in told.attempts]


@pytest.fixture(scope="session")
def schema(examples: Path) -> Draft202012Validator:
    """What MNS says a signal is."""
    found = json.loads((examples / "mns" / "signal-schemas" / "fhirsignal.schema.json").read_bytes())
    return Draft202012Validator(found, format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_a_signal_goes_to_a_mailbox_with_the_workflow_asked_for(
    gateway: Gateway, mesh: LocalMesh, subscribe: Any
) -> None:
    subscribe("pds-change-of-gp-2")
    event = publish(gateway, versionid='W/"7"')
    message = one_message(mesh)
    assert message.workflow_id == "MY_WORKFLOW_1.1-A"
    signal = json.loads(message.body)
    assert (signal["resourceType"], signal["type"], signal["id"]) == ("Bundle", "history", event["id"])
    (entry,) = signal["entry"]
    place = f"{gateway.url}{BASE}/subscriptions"
    assert entry["request"] == {"method": "GET", "url": place}
    parameters = {one["name"]: one for one in entry["resource"]["parameter"]}
    assert parameters["subscription"]["valueReference"]["reference"] == place
    assert parameters["notification-event"]["part"][2]["valueReference"]["reference"] == event["dataref"]
    assert parameters["additional-context"]["part"][3] == {"name": "version-id", "valueString": 'W/"7"'}


def test_a_cloudevent_goes_without_what_it_is_filtered_by(gateway: Gateway, mesh: LocalMesh, subscribe: Any) -> None:
    subscribe("pds-change-of-gp-2", payload="application/json", filters=" AND generalpractitioner='A20047'")
    publish(gateway, filtering={"generalpractitioner": "B86056"})
    event = publish(gateway, filtering={"generalpractitioner": "A20047"})
    assert json.loads(one_message(mesh).body) == {name: event[name] for name in event if name != "filtering"}


def test_a_webhook_gets_signals_too(gateway: Gateway, listener: Listener, subscribe: Any) -> None:
    subscribe("pds-change-of-gp-2", listener.url)
    event = publish(gateway)
    (request,) = listener.wait_for(1)
    assert request.headers["Content-Type"] == "application/fhir+json"
    assert json.loads(request.body)["id"] == event["id"]


def test_a_repeat_is_delivered_once(gateway: Gateway, listener: Listener, subscribe: Any) -> None:
    subscribe("pds-change-of-gp-2", listener.url)
    event = publish(gateway)
    for _ in range(5):
        call(gateway, "POST", "/events", event, V2)
    publish(gateway)
    gateway.wait_until_idle()
    assert [json.loads(request.body)["id"] for request in listener.received].count(event["id"]) == 1


def test_every_published_event_becomes_a_signal_that_mns_would_send(
    gateway: Gateway, listener: Listener, subscribe: Any, examples: Path, schema: Draft202012Validator
) -> None:
    events = [json.loads(file.read_bytes()) for file in sorted((examples / "mns" / "publish").glob("[!_]*.json"))]
    for event in events:
        subscribe(event["type"], listener.url)
    for event in events:
        publish(gateway, **{**event, "id": str(uuid.uuid4())})
    for request in listener.wait_for(len(events)):
        schema.validate(json.loads(request.body))


def test_a_hydrated_signal_holds_what_its_event_points_to(
    gateway: Gateway, mesh: LocalMesh, source: Listener, subscribe: Any, schema: Draft202012Validator
) -> None:
    source.documents["/gpreg/applications/1"] = Document(b'{"not": "FHIR"}', "application/json")
    subscribe("gpreg-change-gp-req-1", hydration={"enabled": True, "headers": {"ApiKey": "theirs", "X-Own": "1"}})
    dataref = f"http://127.0.0.1:{source.port}/gpreg/applications/1"
    publish(gateway, type="gpreg-change-gp-req-1", dataref=dataref)
    signal = json.loads(one_message(mesh).body)
    assert signal["entry"][1] == {
        "fullUrl": dataref, "resource": {"not": "FHIR"}, "request": {"method": "GET", "url": dataref},
        "response": {"status": "200"},
    }  # fmt: skip
    schema.validate(signal)
    headers = {name.lower(): value for name, value in source.fetched[-1].headers.items()}
    assert (headers["apikey"], headers["x-own"]) == ("theirs", "1")
    assert uuid.UUID(headers["x-request-id"])


@pytest.mark.parametrize(
    ("path", "document", "why"),
    [
        ("/gpreg/missing", None, "HTTP 404"),
        ("/gpreg/broken", Document(b"", status=503), "HTTP 503"),
        ("/gpreg/text", Document(b"no JSON"), "not a JSON object"),
        ("/gpreg/large", Document(b'{"a": "' + b"x" * 1_100_000 + b'"}'), "larger than"),
        ("/elsewhere/1", Document(b"{}"), "no source"),
        ("/gpreg/../elsewhere/1", Document(b"{}"), "no source"),
        ("/gpreg/%2E%2e/elsewhere/1", Document(b"{}"), "no source"),
    ],
)
def test_what_cannot_be_fetched_is_recorded_and_the_signal_sent(
    gateway: Gateway, mesh: LocalMesh, source: Listener, subscribe: Any, path: str, document: Document | None, why: str
) -> None:
    source.documents.pop(path, None)
    if document:
        source.documents[path] = document
    subscribe("gpreg-change-gp-req-1", hydration={"enabled": True})
    event = publish(gateway, type="gpreg-change-gp-req-1", dataref=f"http://127.0.0.1:{source.port}{path}")
    assert len(json.loads(one_message(mesh).body)["entry"]) == 1
    (detail,) = details(gateway, event)
    assert detail.startswith("not hydrated")
    assert why in detail


def test_without_a_dataref_there_is_nothing_to_hydrate(gateway: Gateway, mesh: LocalMesh, subscribe: Any) -> None:
    subscribe("gpreg-change-gp-req-1", hydration={"enabled": True})
    publish(gateway, type="gpreg-change-gp-req-1", dataref=None)
    assert len(json.loads(one_message(mesh).body)["entry"]) == 1


@pytest.fixture
def nems(gateway: Gateway) -> Iterator[None]:
    """A subscription of NEMS to changes of GP."""
    identity = gateway.subscribe_mailbox("pds-change-of-gp-1")
    yield
    headers = {**NEMS_HEADERS, **subscriptions_api("Delete")}
    assert gateway.http.delete(f"/STU3/Subscription/{identity}", headers=headers).status_code == 200


def change_of_gp(gateway: Gateway, source: Listener) -> dict[str, Any]:
    """A change of GP of MNS whose patient's record is at the source."""
    return publish(gateway, dataref=f"http://127.0.0.1:{source.port}/pds/Patient/{NUMBER}")


@pytest.mark.usefixtures("nems")
@pytest.mark.parametrize("dataref", ["/pds/Patient/9990001006", "/another/1", None])
def test_a_record_makes_an_event_of_mns_a_message_of_nems(
    gateway: Gateway, mesh: LocalMesh, source: Listener, dataref: str | None
) -> None:
    source.documents[f"/pds/Patient/{NUMBER}"] = Document(json.dumps(PATIENT).encode())
    publish(gateway, dataref=dataref and f"http://127.0.0.1:{source.port}{dataref}")
    message = one_message(mesh)
    assert message.workflow_id == "CHANGEOFGP_1"
    body = message.body.decode()
    for fact in ("A20047", "TESTER", "2017-10-02", "pds-change-of-gp-1"):
        assert f'value="{fact}"' in body
    assert source.fetched[-1].headers["x-gateway"] == "ours"


@pytest.mark.usefixtures("nems")
def test_a_subject_that_is_no_nhs_number_leads_nowhere(gateway: Gateway, source: Listener) -> None:
    before = len(source.fetched)
    details(gateway, publish(gateway, subject="../../gpreg/applications/1", dataref=None))
    assert len(source.fetched) == before


def test_headers_for_a_hydration_that_is_off_go_nowhere(gateway: Gateway, listener: Listener, subscribe: Any) -> None:
    subscribe("pds-change-of-gp-2", listener.url, hydration={"enabled": False, "headers": {"apikey": "theirs"}})
    publish(gateway)
    (request,) = listener.wait_for(1)
    assert "apikey" not in {name.lower() for name in request.headers}


@pytest.mark.usefixtures("nems")
def test_a_record_that_is_late_is_waited_for(gateway: Gateway, mesh: LocalMesh, source: Listener) -> None:
    source.documents[f"/pds/Patient/{NUMBER}"] = Document(b"", status=503)
    before = len(source.fetched)
    event = change_of_gp(gateway, source)
    eventually(lambda: len(source.fetched) >= before + 2)
    source.documents[f"/pds/Patient/{NUMBER}"] = Document(json.dumps(PATIENT).encode())
    assert b"A20047" in one_message(mesh).body
    assert "not retrieved: HTTP 503" in details(gateway, event)


@pytest.mark.usefixtures("nems")
@pytest.mark.parametrize(
    ("document", "why"),
    [
        (Document(b"", status=404), "NO_RECORD_FOUND"),
        (Document(b'{"resourceType": "Organization"}'), "NO_RECORD_FOUND"),
        (Document(json.dumps(PATIENT | {"gender": 5}).encode()), "NO_RECORD_FOUND"),
        (Document(json.dumps(PATIENT | {"identifier": []}).encode()), "NO_RECORD_FOUND"),
        (
            Document(
                json.dumps(PATIENT | {"identifier": [PATIENT["identifier"][0] | {"value": "9990001014"}]}).encode()
            ),
            "REFERENCE_NOT_FOUND",
        ),
    ],
)
def test_without_its_record_nothing_is_made_up(
    gateway: Gateway, source: Listener, document: Document, why: str
) -> None:
    source.documents[f"/pds/Patient/{NUMBER}"] = document
    (detail,) = details(gateway, change_of_gp(gateway, source))
    assert why in detail
