"""Reference data, as matching looks it up: which practices there are, and where each postcode is."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Area = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""The codes of a postcode's country, its local authorities and its ICB sub-location."""


@dataclass(frozen=True, slots=True)
class Practice:
    """A GP practice: the ODS code of the ICB sub-location that it belongs to, and its postcode."""

    commissioner: str
    postcode: str


class Postcodes:
    """The areas of postcodes, in arrays: 2.7 million take 27 MB, where a dict would take 400.

    `numbers` are the postcodes as `number_of` writes them, in ascending order; `places` say which of `areas` each is
    in.
    """

    def __init__(self, numbers: array[int], places: array[int], areas: Sequence[Area]) -> None:
        self.numbers, self.places, self.areas = numbers, places, areas

    def __len__(self) -> int:
        return len(self.numbers)

    def get(self, postcode: str) -> Area | None:
        """The area of a postcode, however it is spaced; None for one that is not known, or is none."""
        number = number_of(postcode)
        at = bisect_left(self.numbers, number)
        if at == len(self.numbers) or self.numbers[at] != number:
            return None
        return self.areas[self.places[at]]


@dataclass(slots=True)
class Reference:
    """The reference data that this process matches by: replaced whole, on the event loop's thread; None where none is
    loaded.
    """

    practices: Mapping[str, Practice] | None = None
    postcodes: Postcodes | None = None
    suppliers: Mapping[str, str] | None = None


def number_of(postcode: str) -> int:
    """The bytes of a postcode as a number, the outward part padded to four: so numbers have the order of the directory.
    0 for what cannot be a postcode.
    """
    letters = postcode.replace(" ", "").upper()
    if not (5 <= len(letters) <= 7 and letters.isascii() and letters.isalnum()):
        return 0
    return int.from_bytes(f"{letters[:-3]:<4}{letters[-3:]}".encode())


def postcodes_of(areas: Iterable[tuple[str, Area]]) -> Postcodes:
    """The postcodes of `areas`, in any order; the later of two for one postcode counts."""
    known: dict[Area, int] = {}
    numbers, places = array("Q"), array("H")
    for postcode, area in areas:
        if number := number_of(postcode):
            numbers.append(number)
            places.append(known.setdefault(area, len(known)))
    if any(numbers[at] >= numbers[at + 1] for at in range(len(numbers) - 1)):
        latest = dict(zip(numbers, places, strict=True))
        numbers = array("Q", sorted(latest))
        places = array("H", (latest[number] for number in numbers))
    return Postcodes(numbers, places, list(known))
