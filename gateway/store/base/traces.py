"""What became of an event: where each of its deliveries stands, attempt by attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.events import Attempt, Delivery, Event


@dataclass(frozen=True, slots=True)
class DeliveryTrace:
    """Where a delivery stands; `attempts` in order; `collected_ms` is when MESH was found to say that its recipient has
    it, `discarded_ms` when an operator gave it up.
    """

    delivery: Delivery
    state: str
    next_ms: int
    remote_id: str
    ended_ms: int | None
    attempts: tuple[Attempt, ...]
    collected_ms: int | None = None
    discarded_ms: int | None = None


@dataclass(frozen=True, slots=True)
class EventTrace:
    """An event, and where each of its deliveries stands."""

    event: Event
    deliveries: tuple[DeliveryTrace, ...]


class Traces(Protocol):
    """Tells what became of events."""

    async def trace(self, row_id: int) -> EventTrace | None:
        """An event and where its deliveries stand."""
        ...
