"""Dates, dateTimes, instants and times: compared as FHIRPath compares them, to the precision that both have.

They stay the text that FHIR has for them (FHIR R4, "Primitive Types").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.fhir.primitives import CHECKS

_DATE: Final = r"([0-9]{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12][0-9]|3[01]))?)?"
_TIME: Final = r"([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9](?:\.[0-9]{1,9})?))?"
_ZONE: Final = r"(Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?"
_MOMENT: Final = re.compile(rf"{_DATE}(?:(?<=-[0-9][0-9]-[0-9][0-9])T{_TIME}{_ZONE})?|{_TIME}")

Parts = tuple[int | Decimal, ...]


def sort(text: str) -> str:
    """The FHIR type of a text: "date", "dateTime" or "time"; "" when it is none, or no day of the calendar."""
    found = _MOMENT.fullmatch(text)
    if not found or not _parts(text):
        return ""
    return "time" if found[1] is None else "date" if found[4] is None else "dateTime"


def to_date(text: str) -> str | None:
    """FHIRPath toDate(): the date of a date or dateTime, in its own zone; absent when it is neither."""
    return text[:10] if sort(text) in ("date", "dateTime") else None


def to_date_time(text: str) -> str | None:
    """FHIRPath toDateTime(): the text itself when it is a FHIR dateTime; one with a time has seconds and a zone."""
    return text if sort(text) in ("date", "dateTime") and CHECKS["dateTime"](text) else None


def compare(left: str, right: str) -> int | None:
    """Less than, equal to or greater than 0, as `left` is before, at or after `right`; None where nobody can tell.

    That is where they are equal as far as the less precise of them goes, where only one of them has a zone, or where
    one is not a date or time at all.
    """
    first, second = _parts(left), _parts(right)
    if not first or not second or first[0] != second[0]:
        return None
    for one, other in zip(first[1], second[1], strict=False):
        if one != other:
            return -1 if one < other else 1
    return 0 if len(first[1]) == len(second[1]) else None


def comparison(holds: Callable[[int], bool]) -> Callable[[str, str], bool | None]:
    """Tells whether the comparison of two texts comes out so, or None where nobody can tell."""

    def compared(left: str, right: str) -> bool | None:
        found = compare(left, right)
        return None if found is None else holds(found)

    return compared


COMPARISONS: Final[dict[str, Callable[[str, str], bool | None]]] = {
    "=": comparison(lambda found: found == 0),
    "!=": comparison(lambda found: found != 0),
    "<": comparison(lambda found: found < 0),
    "<=": comparison(lambda found: found <= 0),
    ">": comparison(lambda found: found > 0),
    ">=": comparison(lambda found: found >= 0),
}


def _parts(text: str) -> tuple[str, Parts] | None:
    """What kind of clock it is read from, and its parts from the year or hour down; with a zone, those of UTC."""
    found = _MOMENT.fullmatch(text)
    if not found:
        return None
    clock = "time" if found[1] is None else "zoned" if found[7] else "local"
    try:
        if clock == "zoned":
            return clock, _in_utc(found[0], found[6])
        day = [int(part) for part in found.group(1, 2, 3) if part]
        if len(day) == 3:
            date(*day)
    except (ValueError, OverflowError):
        return None
    hours = found.group(4, 5, 6) if found[1] else found.group(8, 9, 10)
    return clock, (*day, *(Decimal(part) for part in hours if part))


def _in_utc(text: str, seconds: str | None) -> Parts:
    minute, zone = text[:16], text[-6:] if text[-1] != "Z" else "+00:00"
    sign = 1 if zone[0] == "-" else -1
    shift = sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
    utc = datetime.fromisoformat(minute) + shift
    return (utc.year, utc.month, utc.day, utc.hour, utc.minute, *([Decimal(seconds)] if seconds else ()))
