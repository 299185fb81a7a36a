"""`python -m tests.faults.stepping serve`: the gateway, with a clock that steps by an hour forward at each SIGUSR1, and
by two hours back at each SIGUSR2.
"""

from __future__ import annotations

import datetime
import signal
import time

HOUR_NS = 3_600_000_000_000


class Clock:
    """The clock of the machine, and how far it was set away from that."""

    def __init__(self) -> None:
        self._real, self._ahead_ns = time.time_ns, 0

    def step(self, number: int, _: object) -> None:
        """Step by what the signal of that number asks for."""
        self._ahead_ns += HOUR_NS if number == signal.SIGUSR1 else -2 * HOUR_NS

    def time_ns(self) -> int:
        """What it shows, in nanoseconds since 1970."""
        return self._real() + self._ahead_ns

    def time(self) -> float:
        """What it shows, in seconds since 1970."""
        return self.time_ns() / 1e9


class Datetime(datetime.datetime):
    """A datetime whose now is what the clock shows."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        """The date and time of that zone."""
        return datetime.datetime.fromtimestamp(time.time(), tz)


if __name__ == "__main__":
    clock = Clock()
    # The system's own clock is everybody's; this is as far outside of the gateway as one process can go.
    time.time, time.time_ns = clock.time, clock.time_ns
    datetime.datetime = Datetime
    for wanted in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(wanted, clock.step)
    from gateway.cli import main

    main()
