"""The store: the only door to a database.

One Protocol for each concern, joined in `Store`, and a folder for each engine: SQLite (embedded, one process) and
PostgreSQL (many nodes). So nothing here assumes that the caller is alone: deliveries are claimed under a lease, ids
come from the caller, and `accept` is one transaction of an event with all that follows from it.
"""

from __future__ import annotations

from typing import Protocol

from gateway.store.base.answers import Answer, Answers
from gateway.store.base.deliveries import Claimed, Deliveries, Room
from gateway.store.base.endpoints import Endpoints, FailingEndpoint
from gateway.store.base.events import Acceptance, Events, Kept, begins, kept
from gateway.store.base.identity import Identity
from gateway.store.base.inbox import Disposition, Inbox, InboxMessage
from gateway.store.base.letters import Letters, Selection
from gateway.store.base.numbers import Numbers
from gateway.store.base.reference import ReferenceData
from gateway.store.base.retention import Audit, Cutoffs, Erasure, Retention
from gateway.store.base.subscriptions import Subscriptions
from gateway.store.base.traces import DeliveryTrace, EventTrace, Traces
from gateway.store.base.tracking import Tracking, Uncollected
from gateway.store.base.turns import Turns
from gateway.store.base.upstreams import Heard, Upstream, Upstreams

__all__ = [
    "Acceptance",
    "Answer",
    "Answers",
    "Audit",
    "Claimed",
    "Cutoffs",
    "Deliveries",
    "DeliveryTrace",
    "Disposition",
    "Endpoints",
    "Erasure",
    "EventTrace",
    "Events",
    "FailingEndpoint",
    "Heard",
    "Identity",
    "Inbox",
    "InboxMessage",
    "Kept",
    "Letters",
    "Numbers",
    "ReferenceData",
    "Retention",
    "Room",
    "Selection",
    "Store",
    "Subscriptions",
    "Traces",
    "Tracking",
    "Turns",
    "Uncollected",
    "Upstream",
    "Upstreams",
    "begins",
    "kept",
]


class Store(
    Events,
    Numbers,
    Deliveries,
    Endpoints,
    Letters,
    Subscriptions,
    Inbox,
    Identity,
    Traces,
    Answers,
    Tracking,
    ReferenceData,
    Turns,
    Retention,
    Upstreams,
    Protocol,
):
    """Keeps events, subscriptions and deliveries. Every coroutine that writes returns once the write is durable."""

    @property
    def instance(self) -> int:
        """The store's own number, 60 bits, drawn when it was made."""
        ...

    async def open(self) -> None:
        """Connect; where this process is alone, migrate, and release what a dead one left claimed.

        Raises:
            ConfigurationError: the database cannot be used, or is not migrated.
        """
        ...

    async def open_to_read(self) -> None:
        """Connect to ask only; another process may have it open.

        Raises:
            ConfigurationError: there is no such database, it cannot be read, or is not migrated.
        """
        ...

    async def open_beside(self) -> None:
        """Connect to write a little, such as what an operator asks for; another process may have it open.

        Raises:
            ConfigurationError: there is no such database, it cannot be used, or is not migrated.
        """
        ...

    async def close(self) -> None:
        """Finish what is waiting, and disconnect."""
        ...

    async def check(self) -> dict[str, str]:
        """How `store` and `migrations` are: `ok`, or what is wrong."""
        ...
