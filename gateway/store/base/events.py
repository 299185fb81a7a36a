"""What the store keeps of events: accepted in one transaction with all that follows from them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.events import Delivery, Event
from gateway.store.base.inbox import InboxMessage


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An event and all that is stored with it in one transaction.

    `leased` are the ids of the deliveries that the caller starts on at once, under a lease until `lease_ms`; the others
    are left to be claimed. `once` says that of events of one application, source and id only the first is kept.
    """

    event: Event
    deliveries: Sequence[Delivery]
    leased: Collection[int] = ()
    lease_ms: int = 0
    inbox: InboxMessage | None = None
    once: bool = False


class Events(Protocol):
    """Keeps events."""

    async def accept(self, acceptance: Acceptance) -> int | None:
        """Keep an event with its deliveries; nothing of them is kept when it is to be kept once and is there already:
        then the row id of the first. The message of the own mailbox is remembered either way.

        Raises:
            Unavailable: too many are waiting already, or the disk refuses; nothing is kept.
        """
        ...

    async def events(self, limit: int) -> list[Event]:
        """The newest events, newest first."""
        ...
