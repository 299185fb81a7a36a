"""Acknowledgements: taken in, tied to the event they answer, published as events, and shown."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway import ids
from gateway.store.base import InboxMessage
from mesh.mailbox import Mailbox
from mesh.message import OutgoingMessage, ReceivedMessage
from mesh.sandbox.run import LocalMailbox, LocalMesh
from tests.contract.mns.acts import Caller, closed, cloudevent
from tests.harness import GATEWAY_MAILBOX, SUBSCRIBER_MAILBOX, Gateway, collect, eventually, run

ACK = "nhshco-hc-complete-1-ack-1"
SOURCE = "https://gp.example/fhir/R4"


@pytest.fixture(scope="module")
def mesh() -> Iterator[LocalMesh]:
    """A mailbox for a practice, and one for the Health Check service."""
    mailboxes = [LocalMailbox(name) for name in (GATEWAY_MAILBOX, SUBSCRIBER_MAILBOX, "OTHERMAILBOX")]
    with LocalMesh(mailboxes) as local:
        yield local


@pytest.fixture(scope="module")
def gateway(mesh: LocalMesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose application `everything` is told of health checks, and of their acknowledgements."""
    with closed(tmp_path_factory.mktemp("gateway"), mesh) as running:
        subscriber = Caller(running)
        for event_type, workflow in (("nhshco-hc-complete-1", "CHECKS"), (ACK, "ACKS")):
            body = {
                "resourceType": "Subscription", "status": "requested", "reason": "",
                "criteria": f"eventType='{event_type}'",
                "channel": {
                    "type": "message", "endpoint": f"mesh://{SUBSCRIBER_MAILBOX}?workflow_id={workflow}",
                    "payload": "application/fhir+json",
                },
            }  # fmt: skip
            assert subscriber.subscribe(body).status_code == 201
        yield running
    assert '"level":"error"' not in running.log.read_text()


@pytest.fixture(scope="module")
def caller(gateway: Gateway) -> Caller:
    return Caller(gateway)


def message(answers: str, code: str = "ok", kind: str = "BUSINESS_ACK", **changed: Any) -> dict[str, Any]:
    """An acknowledgement of the event `answers`."""
    outcome = str(uuid.uuid4())
    severity = {"ok": ("information", "informational"), "transient-error": ("fatal", "timeout")}
    level, issue = severity.get(code, ("fatal", "processing"))
    header = {
        "resourceType": "MessageHeader",
        "id": str(uuid.uuid4()),
        "eventCoding": {"system": "https://fhir.nhs.uk/CodeSystem/message-event", "code": ACK},
        "sender": {"identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "A20047"}},
        "source": {"name": "GP system", "endpoint": SOURCE},
        "reason": {"coding": [{"code": kind}]},
        "response": {"identifier": answers, "code": code, "details": {"reference": f"urn:uuid:{outcome}"}},
        **changed,
    }
    told = {"resourceType": "OperationOutcome", "id": outcome, "issue": [{"severity": level, "code": issue}]}
    resources = [{name: value for name, value in header.items() if value is not None}, told]
    return {
        "resourceType": "Bundle",
        "id": str(uuid.uuid4()),
        "type": "message",
        "timestamp": "2026-11-02T09:20:00Z",
        "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in resources],
    }


def send(gateway: Gateway, caller: Caller, body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {caller.token}", "Content-Type": "application/fhir+json"}
    return gateway.http.post("/R4/$process-message", json=body, headers=headers)


def publish(caller: Caller, mesh: LocalMesh) -> str:
    """A health check, of which the practice has been told; its id."""
    event = cloudevent(type="nhshco-hc-complete-1", subject="9990001006")
    assert caller.publish(event).status_code == 200
    (told,) = collect(mesh, 1)
    assert told.workflow_id == "CHECKS"
    return str(json.loads(told.body)["id"])


def shown(gateway: Gateway, answers: str) -> list[dict[str, Any]]:
    (trace,) = [trace for trace in gateway.events() if trace.event.id == answers]
    done = run("events", "show", ids.show(trace.event.row_id), "--json", **gateway.environment)
    found: list[dict[str, Any]] = json.loads(done.stdout)["acknowledgements"]
    return found


@pytest.mark.parametrize("code", ["ok", "transient-error", "fatal-error"])
@pytest.mark.parametrize(("kind", "told"), [("TECH_ACK", "technical"), ("BUSINESS_ACK", "business")])
def test_an_acknowledgement_is_published_and_shown(
    gateway: Gateway, caller: Caller, mesh: LocalMesh, code: str, kind: str, told: str
) -> None:
    answered = publish(caller, mesh)
    body = message(answered, code, kind)
    assert send(gateway, caller, body).status_code == 202
    signal: ReceivedMessage
    (signal,) = collect(mesh, 1)
    assert signal.workflow_id == "ACKS"
    bundle = json.loads(signal.body)
    assert bundle["id"] == body["id"]
    parameters = {one["name"]: one for one in bundle["entry"][0]["resource"]["parameter"]}
    context = {part["name"]: part for part in parameters["additional-context"]["part"]}
    assert context["event-type"]["valueString"] == ACK
    assert context["source"]["valueUri"] == SOURCE
    assert context["subject"]["valueReference"]["identifier"]["value"] == "9990001006"
    (one,) = shown(gateway, answered)
    assert (one["application"], one["kind"], one["code"]) == ("everything", told, code)
    # Who is told of the acknowledgement may read it whole.
    place = parameters["notification-event"]["part"][2]["valueReference"]["reference"]
    read = gateway.http.get(place, headers={"Authorization": f"Bearer {caller.token}"})
    assert read.json() == body


def test_a_repeat_is_one_acknowledgement_and_another_is_another(
    gateway: Gateway, caller: Caller, mesh: LocalMesh
) -> None:
    answered = publish(caller, mesh)
    first = message(answered, kind="TECH_ACK")
    for _ in range(3):
        assert send(gateway, caller, first).status_code == 202
    assert send(gateway, caller, message(answered)).status_code == 202
    assert [one["kind"] for one in shown(gateway, answered)] == ["technical", "business"]
    assert len(collect(mesh, 2)) == 2


def post(mesh: LocalMesh, body: object, sender: str = SUBSCRIBER_MAILBOX) -> str:
    """Send a body to the gateway's own mailbox; the message id."""
    content = json.dumps(body).encode()
    outgoing = OutgoingMessage(GATEWAY_MAILBOX, "ANY", str(uuid.uuid4()), content, content_type="application/fhir+json")
    with Mailbox(mesh.settings_for(sender)) as mailbox:
        return mailbox.send(outgoing).message_id


def became(gateway: Gateway, message_id: str) -> InboxMessage:
    """What became of a message in the gateway's own mailbox, once it was collected."""
    eventually(lambda: gateway.ask(lambda store: store.inbox(message_id)) is not None)
    found = gateway.ask(lambda store: store.inbox(message_id))
    assert found
    return found


def test_an_acknowledgement_in_the_own_mailbox_is_taken_likewise(
    gateway: Gateway, caller: Caller, mesh: LocalMesh
) -> None:
    answered = publish(caller, mesh)
    body = message(answered, "transient-error")
    for _ in range(2):
        assert became(gateway, post(mesh, body)).disposition == "event"
    (signal,) = collect(mesh, 1)
    assert (signal.workflow_id, json.loads(signal.body)["id"]) == ("ACKS", body["id"])
    (one,) = shown(gateway, answered)
    assert (one["application"], one["kind"], one["code"]) == ("everything", "business", "transient-error")
    with Mailbox(mesh.settings_for(GATEWAY_MAILBOX)) as own:
        eventually(lambda: own.list_messages() == [])


def test_in_the_own_mailbox_too_only_who_was_told_acknowledges(
    gateway: Gateway, caller: Caller, mesh: LocalMesh
) -> None:
    answered = publish(caller, mesh)
    of_a_stranger = became(gateway, post(mesh, message(answered), "OTHERMAILBOX"))
    assert (of_a_stranger.disposition, "NO_RECORD_FOUND" in of_a_stranger.reason) == ("quarantine", True)
    headless = {"resourceType": "Bundle", "type": "message", "entry": [None, {"resource": []}]}
    for body in (message(answered, response=None), headless, headless | {"entry": {}}):
        assert became(gateway, post(mesh, body)).disposition == "quarantine"
    assert shown(gateway, answered) == []


def test_only_who_was_told_of_an_event_may_acknowledge_it(gateway: Gateway, caller: Caller, mesh: LocalMesh) -> None:
    answered = publish(caller, mesh)
    stranger = send(gateway, Caller(gateway, "subscriber"), message(answered))
    unknown = send(gateway, caller, message(str(uuid.uuid4())))
    assert [stranger.status_code, unknown.status_code] == [404, 404]
    assert stranger.json() == unknown.json()
    assert shown(gateway, answered) == []


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"response": None}, 422),
        ({"eventCoding": {"system": "https://fhir.nhs.uk/CodeSystem/message-event", "code": "another"}}, 422),
        ({"eventCoding": None, "eventUri": "urn:x"}, 422),
        ({"source": None}, 422),
        ({"response": {"identifier": "x", "code": "perhaps"}}, 422),
    ],
)
def test_what_is_no_acknowledgement_is_refused(
    gateway: Gateway, caller: Caller, mesh: LocalMesh, changed: dict[str, Any], status: int
) -> None:
    answered = publish(caller, mesh)
    answer = send(gateway, caller, message(answered, **changed))
    assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")
    assert shown(gateway, answered) == []


def test_all_that_an_acknowledgement_lacks_is_told_at_once(gateway: Gateway, caller: Caller, mesh: LocalMesh) -> None:
    ack = message(publish(caller, mesh), source=None)
    answer = send(gateway, caller, {name: value for name, value in ack.items() if name not in {"id", "timestamp"}})
    assert answer.status_code == 422
    assert [issue["expression"] for issue in answer.json()["issue"]] == [
        ["Bundle.entry[0].resource.source"], ["Bundle.id"], ["Bundle.timestamp"],
    ]  # fmt: skip


@pytest.mark.parametrize("body", [{}, {"resourceType": "Patient"}, {"resourceType": "Bundle", "type": "history"}])
def test_another_resource_is_refused(gateway: Gateway, caller: Caller, body: object) -> None:
    answer = send(gateway, caller, body)
    assert answer.status_code == 422
    assert [issue["expression"] for issue in answer.json()["issue"]] in ([["resourceType"]], [["Bundle.type"]])


def test_an_event_without_a_type_for_its_acknowledgement_is_not_acknowledged(
    gateway: Gateway, caller: Caller, mesh: LocalMesh
) -> None:
    answered = publish(caller, mesh)
    ack = message(answered)
    assert send(gateway, caller, ack).status_code == 202
    collect(mesh, 1)
    answer = send(gateway, caller, message(ack["id"]))
    assert answer.status_code == 422
    assert f"{ACK}-ack-1" in answer.text


def test_a_token_is_needed(gateway: Gateway) -> None:
    answer = gateway.http.post("/R4/$process-message", json={})
    assert answer.status_code == 401


def test_the_words_of_the_trace(gateway: Gateway, caller: Caller, mesh: LocalMesh) -> None:
    answered = publish(caller, mesh)
    send(gateway, caller, message(answered, "fatal-error"))
    collect(mesh, 1)
    (trace,) = [trace for trace in gateway.events() if trace.event.id == answered]
    done = run("events", "show", ids.show(trace.event.row_id), **gateway.environment)
    assert "business acknowledgement by everything: fatal-error" in done.stdout
