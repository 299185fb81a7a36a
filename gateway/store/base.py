"""The store: the only door to a database.

Two engines are meant to stand behind this Protocol: SQLite (embedded, one process) and PostgreSQL (many nodes). So
nothing here assumes that the caller is alone: deliveries are claimed under a lease, ids come from the caller, and
`accept` is one transaction of an event with all that follows from it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from gateway.events import Attempt, Delivery, Event, Verdict
from gateway.subscriptions.subscription import Subscription


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message of the gateway's own mailbox, as it is remembered; `body` is kept only in quarantine."""

    message_id: str
    received_ms: int
    disposition: Literal["event", "report", "quarantine"]
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An event and all that is stored with it in one transaction.

    `leased` are the ids of the deliveries that the caller starts on at once, under a lease until `lease_ms`; the others
    are left to be claimed.
    """

    event: Event
    deliveries: Sequence[Delivery]
    leased: Collection[int] = ()
    lease_ms: int = 0
    inbox: InboxMessage | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery under lease until `lease_ms`, with the event it tells of."""

    delivery: Delivery
    event: Event
    lease_ms: int


@dataclass(frozen=True, slots=True)
class DeliveryTrace:
    """Where a delivery stands; `attempts` in order."""

    delivery: Delivery
    state: str
    next_ms: int
    remote_id: str
    ended_ms: int | None
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class EventTrace:
    """An event, and where each of its deliveries stands."""

    event: Event
    deliveries: tuple[DeliveryTrace, ...]


class Store(Protocol):
    """Keeps events, subscriptions and deliveries. Every coroutine that writes returns once the write is durable."""

    @property
    def instance(self) -> int:
        """The store's own number, 60 bits, drawn when it was made."""
        ...

    async def open(self) -> None:
        """Connect, migrate where that needs no set-up, and release what a dead process left claimed.

        Raises:
            ConfigurationError: the database cannot be used.
        """
        ...

    async def close(self) -> None:
        """Finish what is waiting, and disconnect."""
        ...

    async def check(self) -> dict[str, str]:
        """How `store` and `migrations` are: `ok`, or what is wrong."""
        ...

    async def accept(self, acceptance: Acceptance) -> None:
        """Keep an event with its deliveries.

        Raises:
            Unavailable: too many are waiting already, or the disk refuses; nothing is kept.
        """
        ...

    async def claim(self, limit: int, now_ms: int, lease_ms: int, full: Sequence[str] = ()) -> list[Claimed]:
        """Take up to `limit` deliveries that are due, or whose lease has ended, under a lease until `lease_ms`.

        One whose lease has ended comes back `uncertain`. Those for the endpoints in `full` are left alone.
        """
        ...

    async def record(self, verdict: Verdict) -> None:
        """Keep an attempt and, unless another has taken the delivery over, the state it leaves that in."""
        ...

    async def release(self, delivery_ids: Sequence[int], now_ms: int) -> None:
        """Give back claimed deliveries that were not attempted."""
        ...

    async def add_subscription(self, subscription: Subscription) -> None:
        """Keep a new subscription."""
        ...

    async def delete_subscription(self, subscription_id: str, now_ms: int) -> bool:
        """Mark it deleted; False when there is none. What it matched already is still delivered."""
        ...

    async def subscriptions(self) -> list[Subscription]:
        """All that are not deleted."""
        ...

    async def subscription(self, subscription_id: str) -> Subscription | None:
        """One, deleted or not."""
        ...

    async def inbox(self, message_id: str) -> InboxMessage | None:
        """What became of a message of the own mailbox; None for one never seen."""
        ...

    async def add_to_inbox(self, message: InboxMessage) -> None:
        """Remember a message that made no event."""
        ...

    async def add_report(self, message: InboxMessage, delivery_id: int) -> None:
        """Remember a report of non-delivery, with its reason, and let the delivery it is about be dead."""
        ...

    async def delivery_with_remote_id(self, remote_id: str) -> int | None:
        """The delivery that MESH gave that message id."""
        ...

    async def events(self, limit: int) -> list[Event]:
        """The newest events, newest first."""
        ...

    async def trace(self, row_id: int) -> EventTrace | None:
        """An event and where its deliveries stand."""
        ...
