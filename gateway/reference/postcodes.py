"""The directories of postcodes that ONS publishes: ONSPD and NSPL, with headings, and the NHS's NHSPD, without.

A heading has the year of its codes in it in some releases: `oslaua`, `laua`, `lad25cd`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.reference.data import Area, Postcodes, number_of, postcodes_of
from gateway.reference.files import Rows, rows_of, small_tables

_POSTCODE = re.compile(r"pcds|pcd[278]?")
_COUNTRY = re.compile(r"ctry(\d\dcd)?")
_LOCAL_AUTHORITY = re.compile(r"oslaua|laua|lad(\d\d)?cd|odslaua|oscty|cty(\d\dcd)?")
_SUB_ICB = re.compile(r"ccg(\d\dcd)?|sicbl?(\d\dcd)?")
_CODE_PAIR = re.compile(r"((?:ccg|sicbl)\d\dcd)h")
# "There is none here", in each country.
_NONE = re.compile(r"[A-Z]99999999")
_ONS_CODE = re.compile(r"[A-Z]\d{8}")


@dataclass(frozen=True, slots=True)
class _Columns:
    postcode: int
    country: Sequence[int]
    local_authority: Sequence[int]
    sub_icb: Sequence[int]

    @property
    def last(self) -> int:
        return max(self.postcode, *self.country, *self.local_authority, *self.sub_icb)


# PCD2, PCDS, …, OSCTY, ODSLAUA, OSLAUA, …, CTRY, …, CCG, … (NHS Postcode Directory, user guide)
_NHSPD = _Columns(1, (12,), (8, 7, 6), (17,))


def read(path: Path, each: Callable[[int], None] = lambda _: None) -> Postcodes:
    """The postcodes of the file, in use and ended; `each` hears how many rows have been read.

    Raises:
        ConfigurationError: it is no directory of postcodes.
    """
    with rows_of(path) as rows:
        ods_codes = _ods_codes(path)
        first = next(rows, [])
        columns = _headed(first) or (_NHSPD if _is_nhspd(first) else None)
        if columns is None:
            raise ConfigurationError(
                f"{path}: not a directory of postcodes: its first row is neither headings (pcds, oslaua or lad25cd,"
                " ctry, sicbl or ccg …) nor one of the NHS Postcode Directory"
            )
        every = chain([first] if columns is _NHSPD else [], rows)
        try:
            found = postcodes_of(_areas(_counted(every, each), columns, ods_codes))
        except OverflowError:
            raise ConfigurationError(f"{path}: has too many different areas for a directory of postcodes") from None
    if not len(found):
        raise ConfigurationError(f"{path}: there is no postcode in it")
    return found


def _counted(rows: Rows, each: Callable[[int], None]) -> Rows:
    for number, row in enumerate(rows, 1):
        if number % 100_000 == 0:
            each(number)
        yield row


def _areas(rows: Iterable[list[str]], columns: _Columns, ods_codes: Mapping[str, str]) -> Iterator[tuple[str, Area]]:
    known: dict[tuple[str, ...], Area] = {}  # some hundreds of areas for millions of postcodes
    places = (*columns.country, *columns.local_authority, *columns.sub_icb)
    country, local_authority = len(columns.country), len(columns.country) + len(columns.local_authority)
    postcode, last = columns.postcode, columns.last
    for row in rows:
        if len(row) <= last:
            continue
        codes = tuple([row[place] for place in places])
        area = known.get(codes)
        if area is None:
            sub_icb = _told(codes[local_authority:])
            also = tuple(ods_codes[code] for code in sub_icb if code in ods_codes)
            area = known[codes] = (_told(codes[:country]), _told(codes[country:local_authority]), sub_icb + also)
        yield row[postcode], area


def _told(codes: Sequence[str]) -> tuple[str, ...]:
    stripped = (code.strip().upper() for code in codes)
    return tuple(dict.fromkeys(code for code in stripped if code and not _NONE.fullmatch(code)))


def _headed(row: Sequence[str]) -> _Columns | None:
    names = [name.strip().lower() for name in row]

    def places(pattern: re.Pattern[str]) -> list[int]:
        return [at for at, name in enumerate(names) if pattern.fullmatch(name)]

    postcodes, countries = places(_POSTCODE), places(_COUNTRY)
    if not postcodes or not countries:
        return None
    return _Columns(postcodes[0], countries, places(_LOCAL_AUTHORITY), places(_SUB_ICB))


def _is_nhspd(row: Sequence[str]) -> bool:
    return (
        len(row) > _NHSPD.last
        and number_of(row[_NHSPD.postcode]) > 0
        and bool(_ONS_CODE.fullmatch(row[_NHSPD.country[0]]))
    )


def _ods_codes(path: Path) -> dict[str, str]:
    """The ODS codes of ICB sub-locations by those of ONS, from the list beside the directory: ONSPD has the latter."""
    for rows in small_tables(path):
        names = [name.strip().lower() for name in next(rows, [])]
        for at, name in enumerate(names):
            pair = _CODE_PAIR.fullmatch(name)
            if pair and pair[1] in names:
                ons = names.index(pair[1])
                return {row[ons].strip(): row[at].strip().upper() for row in rows if len(row) > max(ons, at)}
    return {}
