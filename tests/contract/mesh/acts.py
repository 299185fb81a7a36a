"""What tests of the own mailboxes begin with."""

from __future__ import annotations

import uuid

from gateway.store.base import InboxMessage
from mesh.mailbox import Mailbox
from mesh.message import OutgoingMessage
from mesh.sandbox.run import LocalMesh
from tests.harness import GATEWAY_MAILBOX, SUBSCRIBER_MAILBOX, Gateway


def send(mesh: LocalMesh, body: bytes, workflow: str = "CHANGEOFGP_1", to: str = GATEWAY_MAILBOX) -> str:
    """Send to a mailbox of the gateway's as another system does; the message id."""
    outgoing = OutgoingMessage(
        to, workflow, str(uuid.uuid4()), body, subject="Jane CANARY", content_type="application/fhir+xml"
    )
    with Mailbox(mesh.settings_for(SUBSCRIBER_MAILBOX)) as mailbox:
        return mailbox.send(outgoing).message_id


def waiting(mesh: LocalMesh, mailbox_id: str = GATEWAY_MAILBOX) -> list[str]:
    """The ids of the messages in a mailbox."""
    with Mailbox(mesh.settings_for(mailbox_id)) as mailbox:
        return mailbox.list_messages()


def remembered(gateway: Gateway, message_id: str) -> InboxMessage:
    """What the gateway knows of a message of its mailbox."""
    found = gateway.ask(lambda store: store.inbox(message_id))
    assert found
    return found
