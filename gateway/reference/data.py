"""Reference data, as matching looks it up: which practices there are, and where each postcode is."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Area = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""The codes of a postcode's country, its local authorities and its ICB sub-location."""

_DIGITS = {character: number for number, character in enumerate(" 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
AREA_BITS = 16


@dataclass(frozen=True, slots=True)
class Practice:
    """A GP practice: the ODS code of the ICB sub-location that it belongs to, and its postcode."""

    commissioner: str
    postcode: str


class Postcodes:
    """The areas of postcodes, in an array of integers: 2.7 million take 22 MB, where a dict would take 400.

    Each integer is a postcode's seven characters, read as a number, followed by the number of its area.
    """

    def __init__(self, rows: array[int], areas: Sequence[Area]) -> None:
        self.rows, self.areas = rows, areas

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, postcode: str) -> Area | None:
        """The area of a postcode, however it is spaced; None for one that is not known, or is none."""
        number = number_of(postcode)
        if number is None:
            return None
        at = bisect_left(self.rows, number << AREA_BITS)
        if at == len(self.rows) or self.rows[at] >> AREA_BITS != number:
            return None
        return self.areas[self.rows[at] & (1 << AREA_BITS) - 1]


@dataclass(slots=True)
class Reference:
    """The reference data that this process matches by: replaced whole, on the event loop's thread; None where none is
    loaded.
    """

    practices: Mapping[str, Practice] | None = None
    postcodes: Postcodes | None = None


def number_of(postcode: str) -> int | None:
    """The number of a postcode, in the order of the directory: the outward part padded to four characters, then the
    inward three. None for what cannot be one.
    """
    letters = postcode.replace(" ", "").upper()
    if not 5 <= len(letters) <= 7:
        return None
    number = 0
    for character in f"{letters[:-3]:<4}{letters[-3:]}":
        digit = _DIGITS.get(character)
        if digit is None:
            return None
        number = number * 37 + digit
    return number


def postcodes_of(areas: Iterable[tuple[str, Area]]) -> Postcodes:
    """The postcodes of `areas`, in any order; the later of two for one postcode counts."""
    numbers: dict[Area, int] = {}
    rows = array("Q")
    for postcode, area in areas:
        number = number_of(postcode)
        if number is not None:
            rows.append(number << AREA_BITS | numbers.setdefault(area, len(numbers)))
    if len(numbers) >= 1 << AREA_BITS:
        raise OverflowError
    return Postcodes(_in_order(rows), list(numbers))


def _in_order(rows: array[int]) -> array[int]:
    if all(rows[at] >> AREA_BITS < rows[at + 1] >> AREA_BITS for at in range(len(rows) - 1)):
        return rows
    latest = {row >> AREA_BITS: row for row in rows}
    return array("Q", sorted(latest.values()))
