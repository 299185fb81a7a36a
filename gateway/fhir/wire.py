"""What the XML and the JSON form have in common: what reading gives, its limits, and how a fault is worded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from gateway.errors import Issue, Severity

MAX_ISSUES: Final = 100
MAX_DEPTH: Final = 100
"""Objects inside objects; the deepest published example message has 7."""

NOT_WELL_FORMED: Final = "MESSAGE_NOT_WELL_FORMED"
INVALID: Final = "INVALID_RESOURCE"

_SPEAKABLE = re.compile(r"_?[A-Za-z]{1,40}").fullmatch


@dataclass(frozen=True, slots=True)
class Parsed:
    """A resource in FHIR JSON form, and what was wrong with its text but could be read all the same."""

    resource: dict[str, Any]
    warnings: tuple[Issue, ...] = ()


def invalid(location: str, text: str, severity: Severity = "error") -> Issue:
    """A fault of structure at a FHIRPath."""
    return Issue(INVALID, location, text, severity)


def speakable(name: str) -> bool:
    """Whether the name of an element may be repeated: one that is not short and plain may hold anything."""
    return _SPEAKABLE(name) is not None


def below(location: str, name: str) -> str:
    """The location of a child that the tables do not know: that of its parent if its name may not be repeated."""
    return f"{location}.{name}" if speakable(name) else location


def decimal_text(value: Decimal) -> str:
    """A decimal with the digits it came with; FHIR STU3 has no exponents, so a small one is written out."""
    exponent = value.as_tuple().exponent
    return f"{value:f}" if isinstance(exponent, int) and -100 < exponent <= 0 else str(value)
