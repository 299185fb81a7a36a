"""The lexical forms of FHIR's primitive types.

The forms are those of FHIR R4 ("Data Types", column regex), which corrected the ones of STU3 (day 00, year 0000, arcs
of an OID that are 0) and apply to both here. White space means XML white space, as in the schemas.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from gateway.errors import Severity
from gateway.fhir import narrative

Check = Callable[[Any], object]
"""Answers something true for a value that is right. May raise TypeError for a value of another JSON type."""

_INK: Final = "[!-\U0010ffff]"  # neither white space nor a control character
_YEAR: Final = r"(?!0000)\d{4}"
_MONTH: Final = r"(?:0[1-9]|1[0-2])"
_DAY: Final = r"(?:0[1-9]|[12]\d|3[01])"
_TIME: Final = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
_ZONE: Final = r"(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d|[+-]14:00)"
_ANY_ZONE: Final = r"[+-]\d\d:\d\d"
_URI: Final = f"{_INK}+"

FORMS: Final = {
    "base64Binary": r"\s*(?:[0-9A-Za-z+/=]{4}\s*)+",
    "canonical": _URI,
    "code": f"{_INK}+(?:[ \t\r\n]{_INK}+)*",
    "date": f"{_YEAR}(?:-{_MONTH}(?:-{_DAY})?)?",
    "dateTime": f"{_YEAR}(?:-{_MONTH}(?:-{_DAY}(?:T{_TIME}{_ZONE})?)?)?",
    "id": r"[A-Za-z0-9\-.]{1,64}",
    "instant": f"{_YEAR}-{_MONTH}-{_DAY}T{_TIME}{_ZONE}",
    "markdown": f"[ \t\r\n]*{_INK}[\t\n\r -\U0010ffff]*",
    "oid": r"urn:oid:[0-2](?:\.(?:0|[1-9]\d*))+",
    "string": f"[ \t\r\n]*{_INK}[\t\n\r -\U0010ffff]*",
    "time": _TIME,
    "uri": _URI,
    "url": _URI,
    "uuid": r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
}

# What is read all the same, with a warning: white space round a code, which the XML schema passes over; an offset that
# no place on Earth has, which a published NHS message uses; white space only, which FHIR says a string SHOULD not be.
_TOLERATED: Final = {
    "code": re.compile(f"[ \t\r\n]*{_INK}+(?:[ \t\r\n]{_INK}+)*[ \t\r\n]*").fullmatch,
    "dateTime": re.compile(f"{_YEAR}-{_MONTH}-{_DAY}T{_TIME}{_ANY_ZONE}", re.ASCII).fullmatch,
    "instant": re.compile(f"{_YEAR}-{_MONTH}-{_DAY}T{_TIME}{_ANY_ZONE}", re.ASCII).fullmatch,
    "markdown": re.compile("[ \t\r\n]+").fullmatch,
    "string": re.compile("[ \t\r\n]+").fullmatch,
}

_MAX_INTEGER: Final = 2**31 - 1
_NUMBERS: Final = frozenset(("decimal", "integer", "positiveInt", "unsignedInt"))


def _is_boolean(value: Any) -> bool:
    return type(value) is bool


def _is_decimal(value: Any) -> bool:
    if type(value) is Decimal:
        return value.is_finite() and -100 < value.adjusted() < 100
    return type(value) is int


def _whole(least: int) -> Check:
    return lambda value: type(value) is int and least <= value <= _MAX_INTEGER


def _is_xhtml(value: Any) -> bool:
    return type(value) is str and narrative.fault(value) is None


CHECKS: Final[dict[str, Check]] = {
    **{name: re.compile(form, re.ASCII).fullmatch for name, form in FORMS.items()},
    "boolean": _is_boolean,
    "decimal": _is_decimal,
    "integer": _whole(-_MAX_INTEGER - 1),
    "positiveInt": _whole(1),
    "unsignedInt": _whole(0),
    "xhtml": _is_xhtml,
}


def fault(type_name: str, value: Any) -> tuple[str, Severity] | None:
    """What is wrong with a value of a primitive type, in words that do not repeat it; None if nothing is."""
    if value is None:
        return "is null", "error"
    if not _has_json_type(type_name, value):
        return f"is not a JSON {_json_type(type_name)}", "error"
    if CHECKS[type_name](value):
        return None
    if value == "":
        return "is empty", "error"
    if type_name == "xhtml":
        return narrative.fault(value) or "", "error"
    tolerated = _TOLERATED.get(type_name)
    return f"is not a valid {type_name}", "warning" if tolerated and tolerated(value) else "error"


def _json_type(type_name: str) -> str:
    return "boolean" if type_name == "boolean" else "number" if type_name in _NUMBERS else "string"


def _has_json_type(type_name: str, value: Any) -> bool:
    if type_name == "boolean":
        return type(value) is bool
    return type(value) in ((int, Decimal) if type_name in _NUMBERS else (str,))
