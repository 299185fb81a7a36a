"""The sandbox refuses what MESH refuses, and fails as ordered."""

from __future__ import annotations

import hmac
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests

from mesh.mailbox import Mailbox
from mesh.outcome import Result
from mesh.sandbox.run import LocalMailbox, LocalMesh
from tests.mesh.conftest import Outgoing


@pytest.fixture(scope="module")
def lax_mesh() -> Iterator[LocalMesh]:
    with LocalMesh([LocalMailbox("SENDER01"), LocalMailbox("TRUST01", workflow_ids=("WF_1",))], strict=False) as mesh:
        yield mesh


def token(mesh: LocalMesh, made: datetime) -> str:
    """A token of SENDER01 (MESH API, Authorization)."""
    nonce, timestamp = uuid.uuid4(), made.strftime("%Y%m%d%H%M")
    secret = f"SENDER01:{nonce}:0:{mesh.settings_for('SENDER01').password}:{timestamp}"
    digest = hmac.new(mesh.shared_key.encode(), secret.encode(), "sha256").hexdigest()
    return f"NHSMESH SENDER01:{nonce}:0:{timestamp}:{digest}"


def list_inbox(mesh: LocalMesh, authorization: str) -> int:
    headers = {"Authorization": authorization}
    return requests.get(f"{mesh.url}/messageexchange/SENDER01/inbox", headers=headers, timeout=5).status_code


def test_a_token_is_taken_once(mesh: LocalMesh, lax_mesh: LocalMesh) -> None:
    once, lax = token(mesh, datetime.now(UTC)), token(lax_mesh, datetime.now(UTC))
    assert [list_inbox(mesh, once), list_inbox(mesh, once)] == [200, 403]
    assert [list_inbox(lax_mesh, lax), list_inbox(lax_mesh, lax)] == [200, 200]


@pytest.mark.parametrize(("minutes", "status"), [(-123, 403), (-110, 200), (110, 200), (123, 403)])
def test_a_token_of_another_time_is_refused(mesh: LocalMesh, minutes: int, status: int) -> None:
    assert list_inbox(mesh, token(mesh, datetime.now(UTC) + timedelta(minutes=minutes))) == status


@pytest.mark.parametrize("authorization", ["", "NHSMESH", "NHSMESH a:b:c:d:e", "Bearer x"])
def test_a_token_in_another_form_is_refused(mesh: LocalMesh, authorization: str) -> None:
    assert list_inbox(mesh, authorization) == 403


def test_a_workflow_is_refused_where_the_mailbox_lists_others_and_the_sandbox_is_strict(
    sender: Mailbox, lax_mesh: LocalMesh, outgoing: Outgoing
) -> None:
    assert sender.send(outgoing(workflow_id="WF_2")).code == "17"
    assert sender.send(outgoing(workflow_id="WF_2", recipient="SENDER01")).result is Result.ACCEPTED
    with Mailbox(lax_mesh.settings_for("SENDER01")) as lax_sender:
        assert lax_sender.send(outgoing(workflow_id="WF_2")).result is Result.ACCEPTED


def test_an_acknowledged_message_can_be_retrieved_only_where_the_sandbox_is_lax(
    sender: Mailbox, recipient: Mailbox, lax_mesh: LocalMesh, outgoing: Outgoing
) -> None:
    message_id = sender.send(outgoing()).message_id
    recipient.acknowledge(message_id)
    with pytest.raises(requests.HTTPError, match="410"):
        recipient.retrieve(message_id)
    with Mailbox(lax_mesh.settings_for("SENDER01")) as lax:
        message_id = lax.send(outgoing(recipient="SENDER01")).message_id
        lax.acknowledge(message_id)
        assert lax.retrieve(message_id).message_id == message_id


def test_a_fault_hits_the_requests_it_names_as_often_as_it_says(mesh: LocalMesh, sender: Mailbox) -> None:
    mesh.fault("status", method="POST", path_contains="/SENDER01", status=500, times=2)
    sender.list_messages()
    assert [sender.handshake().status for _ in range(3)] == [500, 500, 200]


def test_faults_come_in_the_order_they_were_given(mesh: LocalMesh, sender: Mailbox) -> None:
    for status in (503, 429):
        mesh.fault("status", status=status)
    assert [sender.handshake().status for _ in range(3)] == [503, 429, 200]


def test_faults_can_be_taken_back(mesh: LocalMesh, sender: Mailbox) -> None:
    mesh.fault("status")
    mesh.clear_faults()
    assert sender.handshake().status == 200


@pytest.mark.parametrize("accept", [False, True])
def test_a_delay_answers_late(mesh: LocalMesh, sender: Mailbox, accept: bool) -> None:
    mesh.fault("delay", seconds=0.2, accept=accept)
    started = time.monotonic()
    assert sender.handshake().status == 200
    assert time.monotonic() - started >= 0.2
