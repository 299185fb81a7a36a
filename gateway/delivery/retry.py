"""When to try again: a schedule of waits, each varied a little."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.events import Delivery
from gateway.settings import DeliverySettings
from gateway.subscriptions.subscription import Subscription

LONGEST_RETRY_AFTER_SECONDS = 86_400.0
"""A Retry-After asks for patience, not for ever."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The waits before each further attempt, in seconds, varied by up to `jitter` (a share of the wait) either way."""

    waits: tuple[float, ...]
    jitter: float

    def wait(self, attempts: int, retry_after: float | None = None) -> float | None:
        """The seconds to wait after `attempts` attempts have failed; None when the schedule has ended.

        An endpoint that names a Retry-After is left alone for at least that long.
        """
        if attempts > len(self.waits):
            return None
        wait = varied(self.waits[attempts - 1], self.jitter)
        return max(wait, min(retry_after, LONGEST_RETRY_AFTER_SECONDS)) if retry_after else wait


class RetryPolicies:
    """The policy of each delivery: its subscription's own, else its channel's, else that of all."""

    def __init__(self, settings: DeliverySettings, find: Callable[[str], Subscription | None]) -> None:
        self._find, self._jitter = find, settings.jitter
        own = {"rest-hook": settings.webhook_retry_seconds, "mesh": settings.mesh_retry_seconds}
        self._of_channel = {name: waits or settings.retry_seconds for name, waits in own.items()}

    def of(self, delivery: Delivery) -> RetryPolicy:
        """The policy of `delivery`."""
        subscription = self._find(delivery.subscriptions[0])
        own = subscription.retry_seconds if subscription else ()
        return RetryPolicy(own or self._of_channel[delivery.channel], self._jitter)

    @property
    def usual_seconds(self) -> float:
        """How long the schedule of webhooks lasts."""
        return sum(self._of_channel["rest-hook"])

    def longest_seconds(self, subscriptions: Iterable[Subscription]) -> dict[str, float]:
        """How long the longest schedule of each endpoint lasts whose subscriptions have one of their own."""
        longest: dict[str, float] = {}
        for one in subscriptions:
            if one.retry_seconds:
                longest[one.endpoint] = max(sum(one.retry_seconds), longest.get(one.endpoint, self.usual_seconds))
        return longest


def varied(seconds: float, jitter: float) -> float:
    """`seconds`, more or less by up to a share of `jitter`, so that what failed together comes back at other times."""
    return seconds * random.uniform(1 - jitter, 1 + jitter)  # noqa: S311  # not a secret
