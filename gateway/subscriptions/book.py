"""The book of subscriptions: the store keeps them, the index matches by them, and the two never differ for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from gateway import metrics
from gateway.clock import now_ms
from gateway.errors import Refusal
from gateway.subscriptions.index import Index
from gateway.subscriptions.subscription import Subscription

log = structlog.get_logger()


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

    async def subscription(self, subscription_id: str) -> Subscription | None:
        """One, deleted or not."""
        ...


class Book:
    """Adds, finds and removes subscriptions.

    Whoever was told of a subscription gets the events accepted from then on. What is still allowed is looked at when
    the book is loaded: an application that lost a right loses the subscriptions that needed it.
    """

    def __init__(self, store: Shelf, index: Index, allowed: Callable[[Subscription], bool]) -> None:
        self._store, self._index, self._allowed = store, index, allowed
        self._adding = asyncio.Lock()

    async def load(self) -> None:
        """Fill the index from the store."""
        for subscription in await self._store.subscriptions():
            if self._allowed(subscription):
                self._index.add(subscription)
            else:
                log.warning(
                    "not-allowed", subscription_id=subscription.id, application=subscription.application,
                    face=subscription.face,
                )  # fmt: skip
        metrics.subscriptions(len(self._index))

    def get(self, subscription_id: str) -> Subscription | None:
        """The subscription of that id."""
        return self._index.get(subscription_id)

    async def find(self, subscription_id: str) -> Subscription | None:
        """The subscription of that id, even if it is deleted: what it matched before is still delivered."""
        return self._index.get(subscription_id) or await self._store.subscription(subscription_id)

    async def add(self, subscription: Subscription) -> None:
        """Keep it, and let it match.

        Raises:
            Refusal: DUPLICATE_REJECTED, when one that would deliver the same to the same place is there already.
        """
        async with self._adding:  # two at once must not both find no twin
            if twin := self._index.twin_of(subscription, now_ms()):
                # Live clients find the id in these words.
                raise Refusal.because("DUPLICATE_REJECTED", f"subscription already exists : {twin.id}")
            await self._store.add_subscription(subscription)
            self._index.add(subscription)
        metrics.subscriptions(len(self._index))

    async def remove(self, subscription_id: str) -> bool:
        """Delete it; False when it is gone already."""
        removed = await self._store.delete_subscription(subscription_id, now_ms())
        self._index.remove(subscription_id)
        metrics.subscriptions(len(self._index))
        return removed
