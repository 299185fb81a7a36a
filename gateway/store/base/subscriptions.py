"""What the store keeps of subscriptions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.subscriptions.changes import Changes
from gateway.subscriptions.subscription import Entry, Subscription, SubscriptionState


class Subscriptions(Protocol):
    """Keeps subscriptions; a deleted one stays, so that the trace of an old event still says whom it was for."""

    async def add_subscription(self, subscription: Subscription, revision: int = 0) -> None:
        """Keep a new subscription.

        Raises:
            Changed: subscriptions have changed since `revision`; 0 asks nothing. Nothing is kept.
        """
        ...

    async def replace_subscription(self, subscription: Subscription) -> bool:
        """Keep `subscription` instead of the one of the same id; False when there is none."""
        ...

    async def delete_subscription(self, subscription_id: str, now_ms: int) -> bool:
        """Mark it deleted; False when there is none. What it matched already is still delivered."""
        ...

    async def set_subscription_state(
        self, subscription_id: str, state: SubscriptionState, reason: str = "", was: Sequence[SubscriptionState] = ()
    ) -> bool:
        """Put it into `state`; False when there is none, or it is in none of the states in `was`.

        The first heartbeat is due a period after it became active.
        """
        ...

    async def requested_subscriptions(self) -> list[str]:
        """The ids of those that are still requested."""
        ...

    async def due_heartbeats(self, now_ms: int) -> list[str]:
        """The active ones whose heartbeat is due, each of them once among all nodes; the next is a period later."""
        ...

    async def set_subscription_private(self, subscription_id: str, private: str) -> bool:
        """Keep other headers and secrets for it, sealed by the caller; False when there is none."""
        ...

    async def subscription_changes(self, since: int) -> Changes:
        """What other nodes, and this one, have changed after the revision `since`; since 0 only the revision now."""
        ...

    def hear_of_changes(self, heard: Callable[[], None]) -> None:
        """Call `heard` soon after another node has changed subscriptions, and when that may have been missed."""
        ...

    async def subscriptions(self, but_of: str = "") -> list[Subscription]:
        """All that are not deleted, but those of the face `but_of`, in the order they were made."""
        ...

    async def nems_entries(self, after: str, limit: int) -> list[Entry]:
        """What the index needs of up to `limit` of NEMS's that are not deleted, by id, from behind the id `after`."""
        ...

    async def subscription(self, subscription_id: str) -> Subscription | None:
        """One, deleted or not."""
        ...

    async def is_subscribed(self, subscription_id: str) -> bool:
        """Whether there is such a subscription and it is not deleted."""
        ...
