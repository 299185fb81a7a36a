"""The book of subscriptions: the store keeps them, the index matches by them, and the two never differ for long."""

from __future__ import annotations

from typing import Protocol

from gateway import metrics
from gateway.clock import now_ms
from gateway.subscriptions.index import Index
from gateway.subscriptions.subscription import Subscription


class Shelf(Protocol):
    """The part of a Store that the book needs."""

    async def add_subscription(self, subscription: Subscription) -> None:
        """Keep a new subscription."""
        ...

    async def delete_subscription(self, subscription_id: str, now_ms: int) -> bool:
        """Mark it deleted; False when there is none."""
        ...

    async def subscriptions(self) -> list[Subscription]:
        """All that are not deleted."""
        ...


class Book:
    """Adds, finds and removes subscriptions. Whoever was told of a subscription gets the events accepted from then
    on.
    """

    def __init__(self, store: Shelf, index: Index) -> None:
        self._store, self._index = store, index

    async def load(self) -> None:
        """Fill the index from the store."""
        for subscription in await self._store.subscriptions():
            self._index.add(subscription)
        metrics.subscriptions(len(self._index))

    def get(self, subscription_id: str) -> Subscription | None:
        """The subscription of that id."""
        return self._index.get(subscription_id)

    def twin_of(self, subscription: Subscription) -> Subscription | None:
        """One that would deliver the same events to the same place."""
        return self._index.twin_of(subscription)

    async def add(self, subscription: Subscription) -> None:
        """Keep it, and let it match."""
        await self._store.add_subscription(subscription)
        self._index.add(subscription)
        metrics.subscriptions(len(self._index))

    async def remove(self, subscription_id: str) -> bool:
        """Delete it; False when it is gone already."""
        self._index.remove(subscription_id)
        metrics.subscriptions(len(self._index))
        return await self._store.delete_subscription(subscription_id, now_ms())
