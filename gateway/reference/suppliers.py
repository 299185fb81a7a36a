"""The list of the suppliers of organisations' systems, which MNS's enriched filters are worked out from: a CSV of our
own, since nobody publishes one with the ODS codes of the suppliers.
"""

from __future__ import annotations

import re
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.reference.files import rows_of

_ODS_CODE = re.compile(r"(?=[A-Z]*[0-9])[A-Z0-9]{3,12}")


def read(path: Path) -> dict[str, str]:
    """The ODS code of the supplier by that of each organisation, the first two columns of the file.

    Raises:
        ConfigurationError: it is no list of suppliers.
    """
    suppliers: dict[str, str] = {}
    with rows_of(path) as rows:
        for number, row in enumerate(rows):
            organisation, supplier = ([cell.strip().upper() for cell in row[:2]] + ["", ""])[:2]
            if _ODS_CODE.fullmatch(organisation) and _ODS_CODE.fullmatch(supplier):
                suppliers[organisation] = supplier
            elif supplier and number > 0:  # the first row may be headings
                raise _no_list(path)
    if not suppliers:
        raise _no_list(path)
    return suppliers


def _no_list(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{path}: not a list of suppliers: column 1 must be an organisation's ODS code, 2 its supplier's"
    )
