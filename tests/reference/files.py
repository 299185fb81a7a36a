"""Small files of our own in the layouts of ODS and ONS; the postcodes are of the range that is nobody's."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

PRACTICES = [
    ("A99991", "Z9Z", "ZZ99 3VZ"),
    ("A99992", "Y9Y", "ZZ99 1WZ"),
]
"""Code, commissioner, postcode."""

ONSPD = ["pcd", "pcd2", "pcds", "dointr", "doterm", "oscty", "oslaua", "osward", "ctry", "rgn", "sicbl", "lat"]
NSPL_2025 = ["pcd7", "pcd8", "pcds", "dointr", "doterm", "cty25cd", "lad25cd", "wd25cd", "ctry25cd", "sicbl24cd", "lat"]
ENGLISH = ("ZZ99 3VZ", "E10000099", "E06000099", "E92000001", "E38000099")
WELSH = ("ZZ99 1WZ", "W99999999", "W06000099", "W92000004", "W11000099")
SPACED = ("ZZ9 9ZZ", "E99999999", "E06000098", "E92000001", "E38000098")
POSTCODES = [ENGLISH, WELSH, SPACED]
"""Postcode, county, local authority, country, ICB sub-location."""


def table(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode()


def epraccur(headings: bool = False) -> bytes:
    rows = []
    for code, commissioner, postcode in PRACTICES:
        row = [""] * 27
        row[0], row[1], row[2], row[9], row[12], row[14], row[23] = (
            code,
            "A practice",
            "Y99",
            postcode,
            "A",
            commissioner,
            "Q99",
        )
        rows.append(row)
    return table([["Organisation Code", "Name", *["More"] * 25], *rows] if headings else rows)


def headed(names: Sequence[str]) -> bytes:
    """A directory with headings."""
    rows = []
    for postcode, county, authority, country, sub_icb in POSTCODES:
        outward, inward = postcode.split()
        values = {
            "pcd": f"{outward:<4}{inward}", "pcd7": f"{outward:<4}{inward}", "pcds": postcode, "oscty": county,
            "cty25cd": county, "oslaua": authority, "lad25cd": authority, "ctry": country, "ctry25cd": country,
            "sicbl": sub_icb, "sicbl24cd": sub_icb,
        }  # fmt: skip
        rows.append([values.get(name, "x") for name in names])
    return table([names, *rows])


def nhspd() -> bytes:
    """The NHS Postcode Directory: 43 columns and no headings; its ICB sub-locations are ODS codes."""
    rows = []
    for number, (postcode, county, authority, country, _) in enumerate(POSTCODES):
        row = ["x"] * 43
        row[0], row[1], row[6], row[7], row[8] = postcode, postcode, county, f"90{number}", authority
        row[12], row[17] = country, ["Z9Z", "7A9", "X9X"][number]
        rows.append(row)
    return table(rows)


def sub_icb_codes() -> bytes:
    return table([["SICBL23CD", "SICBL23CDH", "SICBL23NM"], ["E38000099", "Z9Z", "Somewhere"]])
