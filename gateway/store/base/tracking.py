"""What the store keeps of messages in other parties' mailboxes: whether they have been collected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Uncollected:
    """A delivery that MESH has accepted as the message `remote_id`, and that its recipient is not known to have."""

    delivery_id: int
    remote_id: str
    delivered_ms: int


class Tracking(Protocol):
    """Tells which deliveries to ask MESH for, and keeps what it says."""

    async def uncollected(
        self, limit: int, delivered_between_ms: tuple[int, int], asked_before_ms: int
    ) -> list[Uncollected]:
        """Those that were delivered in that time, and MESH not asked for since `asked_before_ms`; oldest first."""
        ...

    async def record_tracking(self, delivery_id: int, asked_ms: int, collected_ms: int | None) -> None:
        """MESH was asked for a delivery; `collected_ms` is when it was found collected, None while it is not."""
        ...

    async def record_undeliverable(self, delivery_id: int, now_ms: int, reason: str) -> bool:
        """MESH has given up a delivery: it is dead, the reason among its attempts. False when it was not delivered."""
        ...

    async def oldest_uncollected_ms(self, delivered_since_ms: int) -> int | None:
        """When the longest uncollected of the deliveries since then was delivered; None when all are collected."""
        ...
