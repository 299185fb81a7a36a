"""The quota: how many requests an application may make."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from gateway.applications import Application
from gateway.errors import Throttled

MINUTE = 60


class Quota:
    """A bucket for each application, of as many requests as it may make in a minute, that fills again steadily.

    `default` is the quota of applications that have none of their own; 0 is no limit. Each process counts for itself.
    """

    def __init__(self, default: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._default, self._clock = default, clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, application: Application) -> None:
        """Take one request out of the application's bucket.

        Raises:
            Throttled: it is empty.
        """
        size = self._default if application.quota_per_minute is None else application.quota_per_minute
        if not size:
            return
        now = self._clock()
        left, when = self._buckets.get(application.id, (size, now))
        left = min(size, left + (now - when) * size / MINUTE)
        if left < 1:
            raise Throttled("the quota of the application is used up", math.ceil((1 - left) * MINUTE / size))
        self._buckets[application.id] = (left - 1, now)
