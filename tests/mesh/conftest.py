"""A real MESH sandbox, over HTTP, and two mailboxes of it: `sender` and `recipient`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from mesh_client import MeshClient

from mesh.mailbox import Mailbox
from mesh.message import OutgoingMessage
from mesh.sandbox.run import LocalMailbox, LocalMesh

Outgoing = Callable[..., OutgoingMessage]


@pytest.fixture(scope="session")
def running_mesh() -> Iterator[LocalMesh]:
    with LocalMesh([LocalMailbox("SENDER01", "sender-pass"), LocalMailbox("TRUST01", workflow_ids=("WF_1",))]) as mesh:
        yield mesh


@pytest.fixture
def mesh(running_mesh: LocalMesh) -> Iterator[LocalMesh]:
    """Empty and without faults."""
    yield running_mesh
    running_mesh.clear_faults()
    running_mesh.clear()


@pytest.fixture
def sender(mesh: LocalMesh) -> Iterator[Mailbox]:
    with Mailbox(mesh.settings_for("SENDER01")) as mailbox:
        yield mailbox


@pytest.fixture
def recipient(mesh: LocalMesh) -> Iterator[Mailbox]:
    with Mailbox(mesh.settings_for("TRUST01")) as mailbox:
        yield mailbox


@pytest.fixture
def impatient_sender(mesh: LocalMesh) -> Iterator[Mailbox]:
    """A sender that waits 0.3 s for an answer."""
    with Mailbox(replace(mesh.settings_for("SENDER01"), read_seconds=0.3)) as mailbox:
        yield mailbox


@pytest.fixture
def raw_sender(mesh: LocalMesh) -> Iterator[MeshClient]:
    """mesh-client itself, for what Mailbox does not send."""
    settings = mesh.settings_for("SENDER01")
    with MeshClient(settings.url, "SENDER01", settings.password, settings.shared_key.encode(), max_retries=0) as client:
        yield client


@pytest.fixture
def outgoing() -> Outgoing:
    """Make a message to the recipient, with a new local id."""

    def make(**changes: Any) -> OutgoingMessage:
        fields = {"recipient": "TRUST01", "workflow_id": "WF_1", "local_id": str(uuid.uuid4()), "body": b"<Bundle/>"}
        return OutgoingMessage(**{**fields, **changes})

    return make
