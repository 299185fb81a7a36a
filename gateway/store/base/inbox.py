"""What the store keeps of the messages that came to the gateway's own mailbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message of the gateway's own mailbox, as it is remembered; `body` is kept only in quarantine."""

    message_id: str
    received_ms: int
    disposition: Literal["event", "report", "quarantine"]
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


class Inbox(Protocol):
    """Remembers the messages of the own mailbox: MESH repeats one until it is acknowledged."""

    async def inbox(self, message_id: str) -> InboxMessage | None:
        """What became of a message of the own mailbox; None for one never seen."""
        ...

    async def add_to_inbox(self, message: InboxMessage) -> None:
        """Remember a message that made no event."""
        ...

    async def add_report(self, message: InboxMessage, delivery_id: int) -> None:
        """Remember a report of non-delivery, with its reason, and let the delivery it is about be dead."""
        ...
