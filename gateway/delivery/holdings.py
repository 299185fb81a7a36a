"""What of the store's deliveries this process holds in memory, and how much more it may."""

from __future__ import annotations

from collections import Counter

from gateway import metrics
from gateway.events import Delivery, Event

BYTES = 64 * 1024 * 1024
"""The bodies held in memory may come to about this much."""


class Holdings:
    """Counts deliveries, those of each endpoint, and their bodies.

    Once half the room is taken, an endpoint that holds `share` or more gets none of the rest: if a slow one could fill
    it all, the others would wait with it.
    """

    def __init__(self, room: int, share: int) -> None:
        self._room, self._share = room, share
        self._endpoints: Counter[str] = Counter()
        self._ids: set[int] = set()
        self._bytes = 0
        # Endpoints that had their share, and may have more waiting in the store.
        self._crowded: set[str] = set()

    @property
    def room(self) -> int:
        """How many more deliveries may be held."""
        return self._room - len(self._ids) if self._bytes < BYTES else 0

    @property
    def full(self) -> list[str]:
        """The endpoints that get no more now."""
        return [endpoint for endpoint in self._crowded if not self._may_have_more(endpoint)]

    def has_room_for(self, delivery: Delivery) -> bool:
        """Whether a fresh delivery may be held rather than left to be claimed."""
        if self.room > 0 and self._may_have_more(delivery.endpoint):
            return True
        self._crowded.add(delivery.endpoint)
        return False

    def add(self, event: Event, delivery: Delivery) -> bool:
        """Hold a delivery; False when it is held already."""
        if delivery.id in self._ids:
            return False
        self._ids.add(delivery.id)
        self._bytes += len(event.original.body)
        self._endpoints[delivery.endpoint] += 1
        if self._endpoints[delivery.endpoint] >= self._share:
            self._crowded.add(delivery.endpoint)
        metrics.in_memory(len(self._ids))
        return True

    def remove(self, event: Event, delivery: Delivery) -> bool:
        """Hold a delivery no more; True when its endpoint had its share and now has room for more."""
        endpoint = delivery.endpoint
        self._ids.discard(delivery.id)
        self._bytes -= len(event.original.body)
        self._endpoints[endpoint] -= 1
        left = self._endpoints[endpoint]
        if left <= 0:
            del self._endpoints[endpoint]
        metrics.in_memory(len(self._ids))
        if endpoint in self._crowded and left <= self._share // 2:
            self._crowded.discard(endpoint)
            return True
        return False

    def _may_have_more(self, endpoint: str) -> bool:
        return self._endpoints[endpoint] < self._share or len(self._ids) < self._room // 2
