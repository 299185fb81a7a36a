"""The gateway's own mailbox: events, reports of non-delivery, and what is neither."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.fhir.json import render_json
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from mesh.sandbox.run import LocalMesh
from tests.contract.mesh.acts import remembered, send, waiting
from tests.harness import GATEWAY_MAILBOX, SUBSCRIBER_MAILBOX, Gateway, Listener, collect, eventually, message


@pytest.fixture
def gateway(mesh: LocalMesh, tmp_path: Path) -> Iterator[Gateway]:
    mesh.clear()
    with Gateway(tmp_path, mesh) as running:
        yield running


@pytest.mark.parametrize(
    ("event", "workflow"),
    [
        ("pds-change-of-gp-1", "CHANGEOFGP_1"),
        ("pds-record-change-1", "PDSRECORDCHANGE_1"),
        ("vaccinations-1", "VACCINATIONS_1"),
    ],
)
def test_a_message_is_an_event_like_any_other(
    gateway: Gateway, mesh: LocalMesh, listener: Listener, event: str, workflow: str
) -> None:
    gateway.subscribe_mailbox(event)
    gateway.subscribe_webhook(listener.url, event)
    body = message(event)
    message_id = send(mesh, body, workflow)
    (received,) = collect(mesh, 1)
    assert (received.body, received.workflow_id) == (body, workflow)
    listener.wait_for(1)
    (trace,) = gateway.events()
    assert (trace.event.face, trace.event.type) == ("mesh", event)
    eventually(lambda: waiting(mesh) == [])
    assert remembered(gateway, message_id).disposition == "event"


def test_a_message_in_json_is_taken_too(gateway: Gateway, mesh: LocalMesh) -> None:
    send(mesh, render_json(parse_xml(message(), load("STU3")).resource))
    eventually(lambda: len(gateway.events()) == 1)


def test_a_message_whose_acknowledgement_was_lost_is_one_event(gateway: Gateway, mesh: LocalMesh) -> None:
    mesh.fault("status", path_contains="/status/acknowledged", method="PUT", times=2, status=503)
    send(mesh, message())
    eventually(lambda: waiting(mesh) == [])
    assert len(gateway.events()) == 1
    mesh.clear_faults()


@pytest.mark.fault(
    "The gateway dies between keeping a message and acknowledging it", "it comes again and is no second event"
)
def test_a_message_is_not_acknowledged_before_it_is_kept(gateway: Gateway, mesh: LocalMesh) -> None:
    """The gateway dies between taking and acknowledging: it must find the message again, and take it once."""
    mesh.fault("delay", path_contains="/status/acknowledged", method="PUT", times=1, seconds=30)
    send(mesh, message())
    eventually(lambda: len(gateway.events()) == 1)
    gateway.kill()
    mesh.clear_faults()
    assert len(waiting(mesh)) == 1
    gateway.start()
    eventually(lambda: waiting(mesh) == [])
    assert len(gateway.events()) == 1


@pytest.mark.fault(
    "A message in the own mailbox is no event", "kept in quarantine with the reason, and acknowledged; the others go on"
)
@pytest.mark.parametrize(
    ("body", "workflow", "reason"),
    [
        (b"not a message", "CHANGEOFGP_1", "MESSAGE_NOT_WELL_FORMED"),
        (message(), "SOMETHING_ELSE", "NOT_SUPPORTED Mex-WorkflowID"),
        (message(**{"9990001006": "9990001007"}), "CHANGEOFGP_1", "INVALID_NHS_NUMBER"),
    ],
)
def test_poison_is_put_aside_and_holds_up_nothing(
    gateway: Gateway, mesh: LocalMesh, body: bytes, workflow: str, reason: str
) -> None:
    message_id = send(mesh, body, workflow)
    send(mesh, message())
    eventually(lambda: waiting(mesh) == [])
    assert len(gateway.events()) == 1
    found = remembered(gateway, message_id)
    assert (found.disposition, found.body) == ("quarantine", body)
    assert found.reason.startswith(reason)
    assert found.headers["mex-from"] == SUBSCRIBER_MAILBOX


@pytest.mark.rule("nems-mesh-report")
@pytest.mark.parametrize("by", ["message id", "local id"])
def test_a_report_of_non_delivery_makes_its_delivery_a_dead_letter(gateway: Gateway, mesh: LocalMesh, by: str) -> None:
    gateway.subscribe_mailbox()
    gateway.publish(message())
    (sent,) = collect(mesh, 1)
    eventually(lambda: gateway.events()[0].deliveries[0].state == "delivered")
    mesh.report(
        GATEWAY_MAILBOX,
        linked_message_id=sent.message_id if by == "message id" else "unknown",
        local_id=sent.local_id if by == "local id" else "unknown",
        workflow_id=sent.workflow_id,
    )
    eventually(lambda: gateway.events()[0].deliveries[0].state == "dead")
    last = gateway.events()[0].deliveries[0].attempts[-1]
    assert last.outcome == "reported"
    assert last.detail.startswith("MESH report 14: Message not collected")
    eventually(lambda: waiting(mesh) == [])


def test_a_report_of_something_unknown_is_taken_and_kept(gateway: Gateway, mesh: LocalMesh) -> None:
    mesh.report(GATEWAY_MAILBOX, linked_message_id="x", local_id="y", workflow_id="CHANGEOFGP_1")
    eventually(lambda: waiting(mesh) == [])
    assert gateway.events() == []


def test_closed_mode_takes_only_from_declared_mailboxes(mesh: LocalMesh, tmp_path: Path) -> None:
    applications = tmp_path / "applications.yaml"
    applications.write_text(
        f'applications: [{{id: one, name: One, mailboxes: [{SUBSCRIBER_MAILBOX}], publish: ["vaccinations-1"]}}]'
    )
    environment = {"GATEWAY_SECURITY__MODE": "closed", "GATEWAY_APPLICATIONS": str(applications)}
    mesh.clear()
    with Gateway(tmp_path, mesh, **environment) as gateway:
        refused = send(mesh, message())
        send(mesh, message("vaccinations-1"), "VACCINATIONS_1")
        eventually(lambda: waiting(mesh) == [])
        assert [trace.event.type for trace in gateway.events()] == ["vaccinations-1"]
        assert remembered(gateway, refused).reason.startswith("ASID_CHECK_FAILED")
