"""Looking through deliveries, and sending or giving up those that stand still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.events import DeliveryState
from gateway.store.base.traces import DeliveryTrace


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deliveries: each of what is given must hold.

    `since_ms` and `until_ms` are times at which they were made, the first included, the second not. Those that were
    discarded are left out unless `discarded`, or named by `ids`; () are all. `replayable` leaves those that `replay`
    would send again.
    """

    states: tuple[DeliveryState, ...] = ()
    subscription: str = ""
    endpoint: str = ""
    event_type: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    discarded: bool = False
    ids: tuple[int, ...] = ()
    replayable: bool = False


class Letters(Protocol):
    """Finds deliveries of any state; each page is in the order of their ids, which is that of time."""

    async def count_deliveries(self, which: Selection) -> int:
        """How many there are."""
        ...

    async def deliveries(self, which: Selection, limit: int, after: int = 0) -> list[DeliveryTrace]:
        """Where they stand, with their attempts, from the one after the id `after`."""
        ...

    async def delivery(self, delivery_id: int) -> DeliveryTrace | None:
        """Where one stands, with its attempts."""
        ...

    async def replay(self, delivery_ids: Sequence[int], now_ms: int) -> list[int]:
        """Let those that are delivered or dead be sent again, with all attempts before them, to where their
        subscription's endpoint is now; which ones. One whose subscriptions are all deleted, off or unproven is left as
        it is.
        """
        ...

    async def discard(self, delivery_ids: Sequence[int], now_ms: int) -> list[int]:
        """Give up those that are dead, held or due; which ones."""
        ...
