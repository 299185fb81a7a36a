"""The time, in the unit the gateway keeps it in."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime


def now_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


class Steps:
    """Notices when the clock is set back, by the one of the machine that nobody can set."""

    _NOTICED_MS = 1_000

    def __init__(self) -> None:
        self._ahead_ms = _ahead_ms()

    def back_ms(self) -> int:
        """By how many milliseconds it was set back since this was asked last; 0 for less than a second."""
        before, self._ahead_ms = self._ahead_ms, _ahead_ms()
        back = before - self._ahead_ms
        return back if back >= self._NOTICED_MS else 0


def _ahead_ms() -> int:
    return now_ms() - time.monotonic_ns() // 1_000_000


def instant(ms: int) -> str:
    """`ms` as a FHIR instant, UTC, to the millisecond."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant_ms(text: str) -> int:
    """The milliseconds of a FHIR instant.

    Raises:
        ValueError: it is not one.
    """
    # Python takes at most six digits of a second; a leap second is told as the one before it.
    whole = re.sub(r"(\.\d{6})\d+", r"\1", text).replace(":60", ":59")
    moment = datetime.fromisoformat(whole)
    if moment.tzinfo is None:
        raise ValueError("an instant has a time zone")
    return round(moment.timestamp() * 1000)
