"""What the store keeps of deliveries: claimed under a lease, judged, released, looked up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.events import Delivery, Event, Verdict


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery under lease until `lease_ms`, with the event it tells of."""

    delivery: Delivery
    event: Event
    lease_ms: int


class Deliveries(Protocol):
    """Keeps deliveries; those that are due are claimed, so that each is attempted by one process at a time."""

    async def claim(self, limit: int, now_ms: int, lease_ms: int, full: Sequence[str] = ()) -> list[Claimed]:
        """Take up to `limit` deliveries that are due, or whose lease has ended, under a lease until `lease_ms`.

        One whose lease has ended comes back `uncertain`. Those for the endpoints in `full` are left alone.
        """
        ...

    async def record(self, verdict: Verdict) -> None:
        """Keep an attempt and, unless another has taken the delivery over, the state it leaves that in."""
        ...

    async def release(self, held: Sequence[Delivery], now_ms: int) -> None:
        """Give back deliveries that were not attempted; those that another has claimed since stay with it."""
        ...

    async def delivery_with_remote_id(self, remote_id: str) -> int | None:
        """The delivery that MESH gave that message id."""
        ...
