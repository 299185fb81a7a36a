"""Things remembered for a while."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

EVENTS: Final = 256
"""How many events are remembered for their other deliveries."""
EVENT_BYTES: Final = 16_384
"""The longest original of an event that is remembered."""

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """The last so many things. Who keeps the same in the same order remembers the same."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._things: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """What was kept by `key` last, if it is remembered."""
        return self._things.get(key)

    def keep(self, key: K, thing: V) -> None:
        """Remember it, and forget the oldest when there are too many."""
        self._things[key] = thing
        if len(self._things) > self._room:
            del self._things[next(iter(self._things))]
