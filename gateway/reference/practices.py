"""The list of GP practices that ODS publishes as epraccur (ODS, "GP and GP practice related data")."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.reference.data import Practice
from gateway.reference.files import rows_of

# The columns of epraccur.csv, which has no row of headings: organisation code, name, national grouping, health
# geography, five lines of address, postcode, open and close date, status, sub-type, commissioner, … purchaser, …
_CODE, _POSTCODE, _COMMISSIONER, _PURCHASER = 0, 9, 14, 23
_ODS_CODE = re.compile(r"[A-Z0-9]{3,8}")


def read(path: Path) -> dict[str, Practice]:
    """The practices of the file, open and closed, by their ODS codes.

    Raises:
        ConfigurationError: it is no list of practices.
    """
    practices: dict[str, Practice] = {}
    with rows_of(path) as rows:
        for row in rows:
            if len(row) > _COMMISSIONER and _ODS_CODE.fullmatch(row[_CODE].strip()):
                purchaser = row[_PURCHASER] if len(row) > _PURCHASER else ""
                commissioner = (row[_COMMISSIONER] or purchaser).strip().upper()
                practices[row[_CODE].strip()] = Practice(commissioner, row[_POSTCODE].strip())
    if not any(one.commissioner for one in practices.values()):
        raise ConfigurationError(
            f"{path}: not a list of practices: column 1 must be an ODS code, 10 a postcode, 15 the commissioner's code"
        )
    return practices
