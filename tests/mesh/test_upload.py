"""Messages in chunks, against a real MESH sandbox that fails as ordered."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mesh.mailbox import Mailbox
from mesh.outcome import Outcome, Result
from mesh.sandbox.run import LocalMesh
from tests.mesh.conftest import Outgoing

BODY = b"".join(uuid.uuid4().bytes for _ in range(1000))


@pytest.fixture
def chunking(mesh: LocalMesh) -> Iterator[Mailbox]:
    """A sender that sends BODY in four chunks."""
    with Mailbox(replace(mesh.settings_for("SENDER01"), chunk_bytes=5000, read_seconds=3)) as mailbox:
        yield mailbox


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("length", [4999, 5000, 5001, 10_000, 16_000])
def test_chunks_arrive_as_the_whole(
    chunking: Mailbox, recipient: Mailbox, outgoing: Outgoing, length: int, compress: bool
) -> None:
    message = outgoing(body=BODY[:length], compress=compress, subject="S", content_type="application/fhir+xml")
    sent = chunking.send(message)
    assert sent.result is Result.ACCEPTED
    received = recipient.retrieve(sent.message_id)
    assert (received.body, received.subject) == (message.body, "S")
    assert received.content_type == "application/fhir+xml"
    assert int(received.headers.get("mex-chunk-range", "1:1").partition(":")[2]) == -(-length // 5000)


def test_a_chunk_that_fails_leaves_a_part_and_a_resend_sends_the_rest(
    mesh: LocalMesh, chunking: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    message = outgoing(body=BODY)
    mesh.fault("status", method="POST", path_ends="/3", status=503)
    partial = chunking.send(message)
    assert (partial.result, partial.status) == (Result.PARTIAL, 503)
    assert recipient.list_messages() == []
    again = chunking.resend(message)
    assert again == Outcome(Result.ACCEPTED, partial.message_id, 202)
    assert recipient.list_messages() == [partial.message_id]
    assert recipient.retrieve(partial.message_id).body == BODY


@pytest.mark.parametrize(("kind", "order"), [("drop", {}), ("status", {"status": 504}), ("delay", {"seconds": 4})])
def test_a_last_chunk_whose_answer_is_lost_was_taken(
    mesh: LocalMesh, chunking: Mailbox, recipient: Mailbox, outgoing: Outgoing, kind: str, order: dict[str, object]
) -> None:
    mesh.fault(kind, method="POST", path_ends="/4", accept=True, **order)
    sent = chunking.send(outgoing(body=BODY))
    assert sent.result is Result.ACCEPTED
    assert recipient.list_messages() == [sent.message_id]


def test_a_last_chunk_that_is_locked_was_taken(
    mesh: LocalMesh, chunking: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    mesh.fault("status", method="POST", path_ends="/4", accept=True, status=423)
    sent = chunking.send(outgoing(body=BODY))
    assert (sent.result, sent.status) == (Result.ACCEPTED, 423)
    assert recipient.list_messages() == [sent.message_id]


def test_when_nothing_can_be_asked_it_is_unknown_and_a_resend_finds_out(
    mesh: LocalMesh, chunking: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    message = outgoing(body=BODY)
    mesh.fault("drop", method="POST", path_ends="/4", accept=True)
    mesh.fault("status", method="GET", path_contains="/outbox/tracking", status=503)
    assert chunking.send(message).result is Result.UNKNOWN
    assert [chunking.resend(message).message_id] == recipient.list_messages()


def test_a_refused_chunk_is_refused_and_a_message_whose_rest_is_refused_is_sent_anew(
    mesh: LocalMesh, chunking: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    mesh.fault("status", method="POST", path_ends="/2", status=417)
    assert chunking.send(outgoing(body=BODY)).result is Result.REJECTED
    message = outgoing(body=BODY)
    mesh.fault("drop", method="POST", path_ends="/2")
    partial = chunking.send(message)
    mesh.fault("status", method="POST", path_ends="/2", status=404)
    again = chunking.resend(message)
    assert (partial.result, again.result) == (Result.PARTIAL, Result.ACCEPTED)
    assert recipient.list_messages() == [again.message_id] != [partial.message_id]
