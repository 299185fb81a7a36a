"""What the store keeps of the numbers that events have in the subscriptions they matched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway.events import Event


class Numbers(Protocol):
    """Counts the events of each subscription whose form is NUMBERED; `accept` gives the numbers."""

    async def event_counts(self, subscription_ids: Sequence[str]) -> Mapping[str, int]:
        """How many events each subscription has had; one that has had none is left out."""
        ...

    async def numbered_events(
        self, subscription_id: str, since: int, until: int, limit: int
    ) -> list[tuple[int, Event]]:
        """The events of a subscription that are still kept, with their numbers, from `since` to `until`, both included;
        the first `limit` of them, in the order of their numbers.
        """
        ...
