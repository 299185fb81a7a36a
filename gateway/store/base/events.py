"""What the store keeps of events: accepted in one transaction with all that follows from them."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from gateway.events import NUMBERED, Delivery, DeliveryState, Event
from gateway.store.base.inbox import InboxMessage


class Acceptance(msgspec.Struct, frozen=True):
    """An event and all that is stored with it in one transaction.

    `leased` are the ids of the deliveries that the caller starts on at once, under a lease until `lease_ms`, `held` of
    those whose endpoint can take no more; the others are left to be claimed. `once` says that of events of one
    application, source and id only the first is kept; one whose row id is under `since` is forgotten. `revision` is
    that of the subscriptions by which the deliveries were planned; 0 asks nothing.
    """

    event: Event
    deliveries: Sequence[Delivery]
    leased: Collection[int] = ()
    lease_ms: int = 0
    inbox: InboxMessage | None = None
    once: bool = False
    since: int = 0
    revision: int = 0
    held: Collection[int] = ()


class Kept(msgspec.Struct, frozen=True):
    """What became of an Acceptance: `first` is the row id of the event that was there already, None if this one was
    kept; `numbers` are its numbers in subscriptions, by the ids of the deliveries whose form is NUMBERED.
    """

    first: int | None = None
    numbers: Mapping[int, int] = {}


_KEPT: Final = Kept()


def begins(acceptance: Acceptance, delivery: Delivery, *, blocked: bool) -> tuple[DeliveryState, int]:
    """The state of a new delivery, and when that ends; `blocked` says that another in its order is before it."""
    if blocked or delivery.id in acceptance.held:
        return "held", acceptance.event.received_ms
    leased = delivery.id in acceptance.leased
    return ("sending", acceptance.lease_ms) if leased else ("pending", acceptance.event.received_ms)


def kept(acceptance: Acceptance, numbers: Mapping[int, int]) -> Kept:
    """An event that is kept, of whose deliveries those that are NUMBERED have these numbers."""
    if not numbers:
        return _KEPT
    return Kept(numbers={one.id: numbers[one.id] for one in acceptance.deliveries if one.form in NUMBERED})


class Events(Protocol):
    """Keeps events."""

    def accept(self, acceptance: Acceptance) -> Awaitable[Kept]:
        """Keep an event with its deliveries; nothing of them is kept when it is to be kept once and is there already.
        The message of the own mailbox is remembered either way; one that is remembered already makes no other event.

        The numbers of a subscription are 1, 2, 3 and so on: one is taken in the transaction that keeps its delivery.

        Raises:
            Changed: subscriptions have changed since, so the deliveries may not be the right ones; nothing is kept.
            Unavailable: too many are waiting already, or the disk refuses; nothing is kept.
        """
        ...

    async def events(self, limit: int) -> list[Event]:
        """The newest events, newest first."""
        ...
