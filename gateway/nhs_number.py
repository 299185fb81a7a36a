"""The NHS number (NHS Data Dictionary, "NHS NUMBER")."""

from __future__ import annotations

from operator import mul
from typing import Final

# The check digit has weight 1.
_WEIGHTS: Final = (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)


def is_nhs_number(text: object) -> bool:
    """Whether `text` is ten digits of which the last is the check digit of the others, modulus 11."""
    if not isinstance(text, str) or len(text) != 10 or not (text.isascii() and text.isdecimal()):
        return False
    # The code of '0' drops out: it is multiplied by 55.
    weighted: int = sum(map(mul, _WEIGHTS, text.encode()))
    return weighted % 11 == 0
