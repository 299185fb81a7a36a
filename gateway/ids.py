"""Row ids: whole numbers that grow with time, given out by each process without asking the database.

An id is 62 bits: milliseconds since 2020 (40 bits, until 2054), the process (10 bits, drawn at its start), a counter
(12 bits). New rows therefore land at the end of an index, which a random UUID would not (half the write rate,
measured), and an event has its id before it is stored, so that a mapping can put it in a link. People see it as 13
Crockford base-32 signs.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from functools import lru_cache

from gateway import clock

ID_BITS = 62
INSTANCE_BITS = 60
_EPOCH_MS = 1_577_836_800_000
_COUNTER_BITS, _PROCESS_BITS = 12, 10
_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [one + other for one in _SIGNS for other in _SIGNS]
_VALUES = {sign: value for value, sign in enumerate(_SIGNS)} | {"O": 0, "I": 1, "L": 1}


class Ids:
    """Gives out ids; each is larger than the one before, even when the clock steps back."""

    def __init__(self, clock: Callable[[], int] = clock.now_ms) -> None:
        self._clock = clock
        self._process = secrets.randbits(_PROCESS_BITS) << _COUNTER_BITS
        self._last = 0

    def next(self) -> int:
        """A new id."""
        now = (self._clock() - _EPOCH_MS) << (_PROCESS_BITS + _COUNTER_BITS)
        following = self._last + 1
        # A full counter runs over into the process bits, and from there into the next millisecond: still unique here.
        self._last = max(now | self._process, following)
        return self._last


def first_at(ms: int) -> int:
    """The least id of that millisecond since 1970: ids below it are of before. After 2054 there are none."""
    return min(max(0, ms - _EPOCH_MS) << (_PROCESS_BITS + _COUNTER_BITS), 1 << ID_BITS)


def ms_of(row_id: int) -> int:
    """When the id was given out, in milliseconds since 1970."""
    return (row_id >> (_PROCESS_BITS + _COUNTER_BITS)) + _EPOCH_MS


@lru_cache(maxsize=1024)  # an event's is shown several times within a moment
def show(row_id: int) -> str:
    """The id as a person sees it: 13 signs."""
    pairs = _PAIRS
    return (
        f"{_SIGNS[row_id >> 60]}{pairs[row_id >> 50 & 1023]}{pairs[row_id >> 40 & 1023]}{pairs[row_id >> 30 & 1023]}"
        f"{pairs[row_id >> 20 & 1023]}{pairs[row_id >> 10 & 1023]}{pairs[row_id & 1023]}"
    )


def parse(text: str) -> int:
    """The id that `text` shows, in either case.

    Raises:
        ValueError: `text` is not an id.
    """
    if len(text) != 13 or any(sign not in _VALUES for sign in text.upper()):
        raise ValueError("not an id: 13 letters and digits are expected")
    row_id = 0
    for sign in text.upper():
        row_id = row_id << 5 | _VALUES[sign]
    if row_id >= 1 << ID_BITS:
        raise ValueError("not an id: it is too large")
    return row_id


@lru_cache(maxsize=1024)  # an attempt asks several times
def delivery_uuid(instance: int, delivery_id: int) -> str:
    """The UUID by which the outside knows a delivery: its MESH local id, and the id of the notification it carries.

    It is made of the store's own number (60 bits) and the delivery's id, both durable before anything is sent, so it
    never changes between attempts and needs no column or index of its own (UUID version 8: RFC 9562, section 5.8).
    """
    signs = f"{instance >> 12 << 80 | 8 << 76 | (instance & 0xFFF) << 64 | 2 << ID_BITS | delivery_id:032x}"
    return f"{signs[:8]}-{signs[8:12]}-{signs[12:16]}-{signs[16:20]}-{signs[20:]}"


def delivery_of(instance: int, text: str) -> int | None:
    """The delivery that `delivery_uuid` named so; None when `text` is not one of this store's."""
    try:
        delivery_id = uuid.UUID(text).int & (1 << ID_BITS) - 1
    except ValueError:
        return None
    return delivery_id if delivery_uuid(instance, delivery_id) == text.lower() else None
