"""The time, in the unit the gateway keeps it in."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime


def now_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


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
