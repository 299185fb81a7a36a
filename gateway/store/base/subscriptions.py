"""What the store keeps of subscriptions."""

from __future__ import annotations

from typing import Protocol

from gateway.subscriptions.subscription import Subscription


class Subscriptions(Protocol):
    """Keeps subscriptions; a deleted one stays, so that the trace of an old event still says whom it was for."""

    async def add_subscription(self, subscription: Subscription) -> None:
        """Keep a new subscription."""
        ...

    async def replace_subscription(self, subscription: Subscription) -> bool:
        """Keep `subscription` instead of the one of the same id; False when there is none."""
        ...

    async def delete_subscription(self, subscription_id: str, now_ms: int) -> bool:
        """Mark it deleted; False when there is none. What it matched already is still delivered."""
        ...

    async def subscriptions(self) -> list[Subscription]:
        """All that are not deleted, in the order they were made."""
        ...

    async def subscription(self, subscription_id: str) -> Subscription | None:
        """One, deleted or not."""
        ...
