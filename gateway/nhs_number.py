"""The NHS number (NHS Data Dictionary, "NHS NUMBER")."""

from __future__ import annotations

_WEIGHTS = range(10, 1, -1)


def is_nhs_number(text: object) -> bool:
    """Whether `text` is ten digits of which the last is the check digit of the others, modulus 11."""
    if not isinstance(text, str) or len(text) != 10 or not (text.isascii() and text.isdecimal()):
        return False
    digits = [ord(sign) - 48 for sign in text]
    check = 11 - sum(weight * digit for weight, digit in zip(_WEIGHTS, digits, strict=False)) % 11
    return check % 11 == digits[9] and check != 10
