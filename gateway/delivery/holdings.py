"""What of the store's deliveries this process holds in memory, and how much more it may."""

from __future__ import annotations

from collections import Counter

from gateway import metrics
from gateway.events import Delivery, Event
from gateway.store.base import Room

BYTES = 64 * 1024 * 1024
"""The bodies held in memory may come to about this much."""


class Holdings:
    """Counts deliveries, those of each endpoint, and their bodies.

    An endpoint may hold as much as is still free: one alone half of the room, the next one half of what is left. When
    slow ones have taken it all, the largest can be made to give some back.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._held: Counter[str] = Counter()
        self._bytes_of: Counter[str] = Counter()
        self._ids: set[int] = set()
        self._bytes = 0
        metrics.in_memory(lambda: len(self._ids))

    @property
    def room(self) -> Room:
        """How much more may be held."""
        return Room(self._room - len(self._ids), BYTES - self._bytes)

    @property
    def full(self) -> set[str]:
        """The endpoints that get no more now."""
        return {endpoint for endpoint in self._held if self.room_for(endpoint).deliveries <= 0}

    def of(self, endpoint: str) -> int:
        """How many deliveries for `endpoint` are held."""
        return self._held[endpoint]

    @property
    def largest(self) -> str:
        """The endpoint that most is held for; something must be held."""
        return max(self._held, key=self._held.__getitem__)

    def room_for(self, endpoint: str) -> Room:
        """How much more may be held for `endpoint`: so much that as much is left free."""
        free = self.room
        left = free.bytes - self._bytes_of[endpoint]
        return Room((free.deliveries - self._held[endpoint] + 1) // 2 if left > 0 else 0, left)

    def add(self, event: Event, delivery: Delivery) -> bool:
        """Hold a delivery; False when it is held already."""
        if delivery.id in self._ids:
            return False
        self._ids.add(delivery.id)
        self._count(event, delivery, 1)
        return True

    def remove(self, event: Event, delivery: Delivery) -> None:
        """Hold a delivery no more."""
        self._ids.discard(delivery.id)
        self._count(event, delivery, -1)
        if self._held[delivery.endpoint] <= 0:
            del self._held[delivery.endpoint], self._bytes_of[delivery.endpoint]

    def _count(self, event: Event, delivery: Delivery, sign: int) -> None:
        size = sign * len(event.original.body)
        self._bytes += size
        self._bytes_of[delivery.endpoint] += size
        self._held[delivery.endpoint] += sign
