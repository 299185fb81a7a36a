"""The two messages of a mailbox: one that goes out, one that came in. Empty text means that the header is absent."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_REQUEST_BYTES = 100_000_000
"""What one request to MESH may carry (MESH API, POST /outbox); longer messages go in chunks."""

_LONGEST = {
    "Mex-To": 100,
    "Mex-WorkflowID": 300,
    "Mex-LocalID": 300,
    "Mex-Subject": 500,
    "Mex-FileName": 300,
    "Mex-PartnerID": 500,
    "Content-Type": 100,
}


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message to send.

    `local_id` is what the send can be looked up by afterwards, so store it before sending and never use it for another
    message; it must hold no patient data (MESH API, Mex-LocalID). `compress` sends the body gzipped; the recipient
    receives it as it was.
    """

    recipient: str
    workflow_id: str
    local_id: str
    body: bytes = field(repr=False)
    subject: str = field(default="", repr=False)
    file_name: str = field(default="", repr=False)
    content_type: str = ""
    partner_id: str = field(default="", repr=False)
    compress: bool = False

    def fault(self) -> str:
        """Say why MESH would refuse this message, or "" if nothing is known against it. Never quotes a value."""
        if not self.body:
            return "the body is empty"
        if "/" in self.local_id:
            return "Mex-LocalID has a slash in it, so the message could not be looked up"
        return next(filter(None, (_header_fault(name, value) for name, value in self._headers().items())), "")

    def _headers(self) -> dict[str, str]:
        return {
            "Mex-To": self.recipient,
            "Mex-WorkflowID": self.workflow_id,
            "Mex-LocalID": self.local_id,
            "Mex-Subject": self.subject,
            "Mex-FileName": self.file_name,
            "Mex-PartnerID": self.partner_id,
            "Content-Type": self.content_type,
        }


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message read to its end.

    `message_type` is DATA or REPORT. A REPORT says what became of a message this mailbox sent: `linked_message_id` is
    that message, `local_id` its local id, and the three status fields say what went wrong; its body is empty
    (MESH API, GET /inbox/{message_id}). `headers` holds every Mex header and Content-Type, the names in lower case.
    """

    message_id: str
    message_type: str
    sender: str
    recipient: str
    workflow_id: str
    local_id: str
    linked_message_id: str
    status_code: str
    status_event: str
    status_description: str = field(repr=False)
    subject: str = field(repr=False)
    file_name: str = field(repr=False)
    content_type: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @classmethod
    def read(cls, message_id: str, headers: Mapping[str, str], body: bytes) -> ReceivedMessage:
        """Make a message of the response headers of its first chunk, in whatever case, and its whole body."""
        mex = {
            name.lower(): value for name, value in headers.items() if name.lower().startswith(("mex-", "content-type"))
        }
        return cls(
            message_id=message_id,
            message_type=mex.get("mex-messagetype", "DATA"),
            sender=mex.get("mex-from", ""),
            recipient=mex.get("mex-to", ""),
            workflow_id=mex.get("mex-workflowid", ""),
            local_id=mex.get("mex-localid", ""),
            linked_message_id=mex.get("mex-linkedmsgid", ""),
            status_code=mex.get("mex-statuscode", ""),
            status_event=mex.get("mex-statusevent", ""),
            status_description=mex.get("mex-statusdescription", ""),
            subject=mex.get("mex-subject", ""),
            file_name=mex.get("mex-filename", ""),
            content_type=mex.get("mex-content-type") or mex.get("content-type", ""),
            headers=mex,
            body=body,
        )


def _header_fault(name: str, value: str) -> str:
    if not value and name in ("Mex-To", "Mex-WorkflowID", "Mex-LocalID"):
        return f"{name} is missing"
    if len(value) > _LONGEST[name]:
        return f"{name} is longer than {_LONGEST[name]} characters"
    if value != value.strip():
        return f"{name} begins or ends with a space"
    if any(ord(character) > 255 or unicodedata.category(character) == "Cc" for character in value):
        return f"{name} has a character that a header cannot hold"
    return ""
