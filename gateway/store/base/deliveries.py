"""What the store keeps of deliveries: claimed under a lease, judged, released, looked up."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

import msgspec

from gateway.events import Delivery, Event, Verdict


class Room(NamedTuple):
    """How many deliveries may be taken, and about how many bytes their events may have."""

    deliveries: int
    bytes: int = 2**62


class Claimed(msgspec.Struct, frozen=True):
    """A delivery under lease until `lease_ms`, with the event it tells of."""

    delivery: Delivery
    event: Event
    lease_ms: int


class Deliveries(Protocol):
    """Keeps deliveries; those that are due are claimed, so that each is attempted by one process at a time.

    A delivery is `held` while its endpoint can take no more or, if it is in order (`Delivery.order_key`), while one
    before it has not ended: at most one delivery of an endpoint and key is not held.
    """

    async def claim(self, room: Room, now_ms: int, lease_ms: int, full: Collection[str] = ()) -> list[Claimed]:
        """Take deliveries that are due, or whose lease has ended, under a lease until `lease_ms`: as many as there is
        room for, the longest due first.

        One whose lease has ended comes back `uncertain`. Those for the endpoints in `full` are held instead, so that
        the next claim does not meet them again.
        """
        ...

    async def claim_held(self, endpoint: str, room: Room, lease_ms: int) -> list[Claimed]:
        """Take deliveries that are held for `endpoint` under a lease, the earliest first."""
        ...

    async def held_endpoints(self, after: str, limit: int) -> list[str]:
        """The endpoints that deliveries are held for, in order, from the one after `after`."""
        ...

    def record(self, verdict: Verdict) -> asyncio.Future[None]:
        """Keep an attempt and, unless another has taken the delivery over, the state it leaves that in. If it ends one
        that is in order, the next is due. The future is done once that is durable.
        """
        ...

    async def release(self, held: Sequence[Delivery], now_ms: int, *, hold: bool = False) -> None:
        """Give back deliveries that were not attempted: they are due at once or, with `hold`, held. Those that another
        has claimed since stay with it.
        """
        ...

    async def give_up_held(self, endpoint: str, before_id: int, now_ms: int, why: str) -> int:
        """Let some of the deliveries held for `endpoint` whose ids are below `before_id`, and which were not sent again
        since the time of that id, be dead, with an attempt that says why; how many, 0 when there are no more.
        """
        ...

    async def delivery_with_remote_id(self, remote_id: str) -> int | None:
        """The delivery that MESH gave that message id."""
        ...
