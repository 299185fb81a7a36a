"""Whether an endpoint is to be left alone: the breaker round it, without clock, store or loop."""

from __future__ import annotations

from gateway.delivery.channels.base import Outcome, Result

_MEMORY = 0.2
"""The weight of an attempt in the failing rate: the last ten or so decide."""
_TOO_MUCH = 0.5
_NOTHING = 0.01
_BUSY = frozenset({429, 503})
"""What an endpoint answers that asks to be left alone for a while (RFC 6585, section 4; RFC 9110, section 15.6.4)."""
_GONE = 410


class Breaker:
    """Of one endpoint: the share of its latest attempts that failed, and how many may be under way at once.

    After four failures in a row, or when half of the latest have failed, or when it says that it is busy, `note` says
    that it is to be left alone. Once it is well again it is tried with one request at a time, then two, and so on.
    """

    __slots__ = ("_most", "_width", "rate")

    def __init__(self, most: int) -> None:
        self._most = self._width = most
        self.rate = 0.0

    @property
    def width(self) -> int:
        """How many attempts may be under way at once."""
        return self._width

    @property
    def is_well(self) -> bool:
        """Whether nothing is left of earlier failures."""
        return self._width == self._most and self.rate < _NOTHING

    def note(self, outcome: Outcome) -> bool:
        """Take in what came of an attempt; whether the endpoint is to be left alone."""
        failed = is_failure(outcome)
        self.rate += _MEMORY * (failed - self.rate)
        if not failed:
            self._width = min(self._most, self._width + 1)
            return False
        return self.rate > _TOO_MUCH or outcome.status in _BUSY

    def reopen(self) -> None:
        """It is well again, and to be tried gently."""
        self._width, self.rate = 1, 0.0


def is_failure(outcome: Outcome) -> bool:
    """Whether it tells of a fault of the endpoint, rather than of one notification that it will not take."""
    return outcome.result in {Result.FAILED, Result.UNCERTAIN} or outcome.status == _GONE
