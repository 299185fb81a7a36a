"""What the store keeps of the messages that came to the gateway's own mailboxes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

Disposition = Literal["event", "report", "quarantine"]


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message of the gateway's own mailbox `mailbox`, as it is remembered.

    `body` is kept only in quarantine; a quarantined message without one is still in the mailbox. `released_ms` is when
    an operator let it out, until it has been looked at again.
    """

    message_id: str
    received_ms: int
    disposition: Disposition
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    mailbox: str = ""
    released_ms: int | None = None

    @property
    def is_unread(self) -> bool:
        """Whether it was put aside without being read, and is still in the mailbox."""
        return self.disposition == "quarantine" and self.body is None


class Inbox(Protocol):
    """Remembers the messages of the own mailboxes: MESH repeats one until it is acknowledged."""

    async def inbox(self, message_id: str) -> InboxMessage | None:
        """What became of a message of an own mailbox; None for one never seen."""
        ...

    async def add_to_inbox(self, message: InboxMessage) -> None:
        """Remember a message that made no event; one that was released, or had no body, is remembered anew."""
        ...

    async def add_report(self, message: InboxMessage, delivery_id: int) -> bool:
        """Remember a report of non-delivery, with its reason, and let the delivery it is about be dead.

        False when the report is remembered already, or there is no such delivery.
        """
        ...

    async def quarantine(self, limit: int) -> list[InboxMessage]:
        """The newest messages in quarantine, newest first, without their bodies."""
        ...

    async def unread(self) -> list[str]:
        """The ids of the messages in quarantine that were not read and have not been let out."""
        ...

    async def release_message(self, message_id: str, now_ms: int) -> bool:
        """Let a message out of quarantine, to be looked at again; False when it is not there."""
        ...

    async def released(self, limit: int) -> list[InboxMessage]:
        """Messages that were read, have been let out, and were not looked at since; oldest first."""
        ...
