"""What of the store's deliveries this process holds in memory, and how much more it may."""

from __future__ import annotations

from collections import Counter

from gateway import metrics
from gateway.events import Delivery, Event

BYTES = 64 * 1024 * 1024
"""The bodies held in memory may come to about this much."""


class Holdings:
    """Counts deliveries, those of each endpoint, and their bodies.

    An endpoint may take up only `share` of the room: if a slow one could fill it, all the others would wait with it.
    """

    def __init__(self, room: int, share: int) -> None:
        self._room, self._share = room, share
        self._endpoints: Counter[str] = Counter()
        self._ids: set[int] = set()
        self._bytes = 0

    @property
    def room(self) -> int:
        """How many more deliveries may be held."""
        return self._room - len(self._ids) if self._bytes < BYTES else 0

    @property
    def full(self) -> list[str]:
        """The endpoints that have their share."""
        return [endpoint for endpoint, count in self._endpoints.items() if count >= self._share]

    def add(self, event: Event, delivery: Delivery) -> bool:
        """Hold a delivery; False when it is held already."""
        if delivery.id in self._ids:
            return False
        self._ids.add(delivery.id)
        self._endpoints[delivery.endpoint] += 1
        self._bytes += len(event.original.body)
        metrics.in_memory(len(self._ids))
        return True

    def has_room_for(self, delivery: Delivery) -> bool:
        """Whether a fresh delivery may be held rather than left to be claimed."""
        return self.room > 0 and self._endpoints[delivery.endpoint] < self._share

    def remove(self, event: Event, delivery: Delivery) -> None:
        """Hold a delivery no more."""
        self._ids.discard(delivery.id)
        self._bytes -= len(event.original.body)
        self._endpoints[delivery.endpoint] -= 1
        if self._endpoints[delivery.endpoint] <= 0:
            del self._endpoints[delivery.endpoint]
        metrics.in_memory(len(self._ids))
