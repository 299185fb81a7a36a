"""Upload a message: in one request, or in chunks when it is longer than one request may be.

Until its last chunk is there nobody can collect a message, so a chunk that failed is no danger: the rest is sent later,
to the same message id (MESH API, POST /outbox/{message_id}/{chunk_number}).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import requests
from mesh_client import MeshClient

from mesh.message import OutgoingMessage
from mesh.outcome import TRANSPORT_ERRORS, Outcome, Result, from_error, from_response
from mesh.tracking import Tracking

_LOCKED = 423
"""The message is complete already: what a chunk is answered when the answer to its first sending was lost."""


def upload(client: MeshClient, message: OutgoingMessage, chunk_bytes: int) -> Outcome:
    """Post a message, its body `chunk_bytes` at a time; raises what mesh-client does about the first chunk."""
    first = from_response(_post_first(client, message, chunk_bytes))
    if first.result is not Result.ACCEPTED or len(message.body) <= chunk_bytes:
        return first
    return finish(client, message, first.message_id, chunk_bytes)


def finish(client: MeshClient, message: OutgoingMessage, message_id: str, chunk_bytes: int) -> Outcome:
    """Post all chunks but the first; PARTIAL says that some are still missing."""
    chunks = list(_chunks(message.body, chunk_bytes))
    for number, chunk in enumerate(chunks[1:], start=2):
        failure = _post_further(client, message, message_id, chunk, (number, len(chunks)))
        if failure:
            return _after_a_failure(client, message_id, failure)
    return Outcome(Result.ACCEPTED, message_id, 202)


def _post_first(client: MeshClient, message: OutgoingMessage, chunk_bytes: int) -> requests.Response:
    optional = {
        "subject": message.subject,
        "filename": message.file_name,
        "content_type": message.content_type,
        "partner_id": message.partner_id,
    }
    chunks = list(_chunks(message.body, chunk_bytes))
    return client.send_chunk(
        message.recipient,
        io.BytesIO(chunks[0]) if message.compress else chunks[0],
        chunk_num=1,
        total_chunks=len(chunks),
        compress=message.compress,
        workflow_id=message.workflow_id,
        local_id=message.local_id,
        **{name: value for name, value in optional.items() if value},
    )


def _post_further(
    client: MeshClient, message: OutgoingMessage, message_id: str, chunk: bytes, place: tuple[int, int]
) -> Outcome | None:
    """What went wrong with a chunk, or None."""
    number, total = place
    try:
        client.send_chunk(
            message.recipient,
            io.BytesIO(chunk) if message.compress else chunk,
            chunk_num=number,
            total_chunks=total,
            compress=message.compress,
            message_id=message_id,
        )
    except TRANSPORT_ERRORS as error:
        return from_error(error)
    return None


def _after_a_failure(client: MeshClient, message_id: str, failure: Outcome) -> Outcome:
    """Whether the message is complete in spite of it, which only MESH knows."""
    if failure.result is Result.REJECTED and failure.status != _LOCKED:
        return failure
    try:
        tracking = Tracking.of(client, message_id)
    except TRANSPORT_ERRORS:
        return replace(failure, result=Result.UNKNOWN)
    if tracking is None:
        return replace(failure, result=Result.UNKNOWN)
    if tracking.status == "uploading":
        return replace(failure, result=Result.PARTIAL, message_id=message_id)
    return Outcome(Result.ACCEPTED, message_id, failure.status)


def _chunks(body: bytes, chunk_bytes: int) -> Iterator[bytes]:
    return (body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes))
