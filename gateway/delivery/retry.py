"""When to try again: a schedule of waits, each varied a little."""

from __future__ import annotations

import random
from dataclasses import dataclass

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
        spread = random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311  # not a secret
        wait = self.waits[attempts - 1] * spread
        return max(wait, min(retry_after, LONGEST_RETRY_AFTER_SECONDS)) if retry_after else wait
