"""Where a sent message stands, as a real MESH sandbox tells it."""

from __future__ import annotations

import pytest
import requests
from mesh_client import MeshClient

from mesh.mailbox import Mailbox
from mesh.sandbox.run import LocalMesh
from mesh.tracking import Tracking
from tests.mesh.conftest import Outgoing


def test_a_message_is_accepted_and_then_acknowledged(sender: Mailbox, recipient: Mailbox, outgoing: Outgoing) -> None:
    message_id = sender.send(outgoing()).message_id
    assert sender.track(message_id) == Tracking("accepted")
    recipient.retrieve(message_id)
    assert sender.track(message_id) == Tracking("accepted")
    recipient.acknowledge(message_id)
    assert sender.track(message_id) == Tracking("acknowledged")


def test_a_message_whose_chunks_are_not_all_there_is_uploading(raw_sender: MeshClient, sender: Mailbox) -> None:
    first = raw_sender.send_chunk("TRUST01", b"1", 1, 2, workflow_id="WF_1")
    assert sender.track(first.json()["message_id"]) == Tracking("uploading")


def test_a_message_that_mesh_does_not_know_is_none(sender: Mailbox) -> None:
    assert sender.track("0" * 32) is None


def test_a_question_that_is_not_answered_raises(mesh: LocalMesh, sender: Mailbox) -> None:
    mesh.fault("status", method="GET", status=503)
    with pytest.raises(requests.HTTPError, match="503"):
        sender.track("0" * 32)


def test_both_spellings_of_the_answer_are_read() -> None:
    old = {"status": "Acknowledged", "statusTimestamp": "20260101120000", "statusCode": "00"}
    new = {"status": "error", "status_timestamp": "2026-01-01", "status_code": "14", "status_description": "x" * 300}
    assert Tracking.read(old) == Tracking("acknowledged", "20260101120000", "00")
    assert Tracking.read(new) == Tracking("error", "2026-01-01", "14", "x" * 200)
