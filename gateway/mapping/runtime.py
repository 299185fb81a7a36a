"""What the generated code calls. Nothing here says a value from a message in an error."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NoReturn

from gateway.errors import Issue, Refusal

MAX_ITEMS: Final = 200_000
MAX_TEXT: Final = 1_000_000
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,10}")
_INTEGER_BITS: Final = 31
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?")
_WHITE: Final = re.compile(r"\s")
_TRUTH: Final = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False),
}
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
# FHIR R4, "Primitive Types", instant; without the leap second, which Python has not.
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
)


def too_much() -> NoReturn:
    """The budget for loops is spent."""
    raise Refusal.because("INVALID_RESOURCE", f"the mapping would look at more than {MAX_ITEMS:,} items")


def several(path: str) -> NoReturn:
    """Different values stand where one is wanted."""
    raise Refusal.because("MULTIPLE_VALUES", "different values stand where one is expected", path)


def missing(path: str) -> NoReturn:
    """A mandatory element of the target got no value."""
    raise Refusal.because("INVALID_RESOURCE", "nothing gives a value for this element, which is mandatory", path)


def failed(problems: tuple[Issue, ...], issue: Issue) -> tuple[Issue, ...]:
    """The requirements that failed so far, and one more."""
    return (*problems, issue)


def refuse(problems: tuple[Issue, ...]) -> NoReturn:
    """Requirements failed."""
    raise Refusal(problems)


def listed(value: Any) -> Sequence[Any]:
    """The items of an open attribute: one value, a list of values, or nothing."""
    return () if value is None else value if isinstance(value, list) else (value,)


def has_any(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], bool]:
    """Tells whether an object has one of the elements."""
    return lambda value: any(name in value for name in names)


def distinct(values: Sequence[Any]) -> list[Any]:
    """The values without repeats, in order."""
    return list(dict.fromkeys(values))


def is_distinct(values: Sequence[Any]) -> bool:
    """FHIRPath isDistinct()."""
    return len(set(values)) == len(values)


def skip(values: Sequence[Any], number: int | None) -> Sequence[Any]:
    """FHIRPath skip(); nothing when the number is absent."""
    return () if number is None else values[max(number, 0) :]


def take(values: Sequence[Any], number: int | None) -> Sequence[Any]:
    """FHIRPath take(); nothing when the number is absent."""
    return () if number is None else values[: max(number, 0)]


def combine(left: Sequence[Any], right: Sequence[Any]) -> Sequence[Any]:
    """FHIRPath combine(): the values of both, repeats and all."""
    return (*left, *right) if len(left) + len(right) <= MAX_ITEMS else too_much()


def intersect(left: Sequence[Any], right: Sequence[Any]) -> Sequence[Any]:
    """FHIRPath intersect(): what both have, without repeats."""
    wanted = set(right)
    return [value for value in dict.fromkeys(left) if value in wanted]


def exclude(left: Sequence[Any], right: Sequence[Any]) -> Sequence[Any]:
    """FHIRPath exclude(): what only the first has, repeats and all."""
    unwanted = set(right)
    return [value for value in left if value not in unwanted]


def all_false(values: Sequence[bool]) -> bool:
    """FHIRPath allFalse()."""
    return not any(values)


def any_false(values: Sequence[bool]) -> bool:
    """FHIRPath anyFalse()."""
    return not all(values)


def union(left: Sequence[Any], right: Sequence[Any]) -> list[Any]:
    """FHIRPath `|`: the values of both without repeats."""
    return list(dict.fromkeys((*left, *right)))


def join(values: Sequence[str], separator: str) -> str | None:
    """FHIRPath join(); absent when there is nothing to join."""
    return _held(separator.join(values)) if values else None


def concat(left: str | None, right: str | None) -> str:
    """FHIRPath `&`: what is absent counts as empty text."""
    return _held((left or "") + (right or ""))


def plus(left: str, right: str) -> str:
    """FHIRPath `+` on text."""
    return _held(left + right)


def replace(value: str, pattern: str, substitution: str) -> str:
    """FHIRPath replace(), refused before it grows out of bounds."""
    if (len(value) + 1) * (len(substitution) + 1) > MAX_TEXT:
        _too_long()
    return value.replace(pattern, substitution)


def _held(text: str) -> str:
    return text if len(text) <= MAX_TEXT else _too_long()


def _too_long() -> NoReturn:
    raise Refusal.because("INVALID_RESOURCE", f"the mapping would make a text longer than {MAX_TEXT:,} characters")


def number(value: int | Decimal) -> int | Decimal | None:
    """A result of arithmetic; absent where it leaves the range of a FHIRPath Integer."""
    return None if isinstance(value, int) and value.bit_length() > _INTEGER_BITS else value


def divide(left: int | Decimal, right: int | Decimal) -> Decimal | None:
    """FHIRPath `/`; absent when it divides by nothing."""
    return Decimal(left) / Decimal(right) if right else None


def whole(left: int | Decimal, right: int | Decimal) -> int | Decimal | None:
    """FHIRPath `div`: the quotient without its fraction; absent when it divides by nothing."""
    if not right:
        return None
    return number(int(Decimal(left) / Decimal(right)))


def rest(left: int | Decimal, right: int | Decimal) -> int | Decimal | None:
    """FHIRPath `mod`: what `div` leaves, with the sign of `left`; absent when it divides by nothing."""
    if not right:
        return None
    # Unlike that of int, the remainder of Decimal has the sign of what is divided.
    remainder = Decimal(left) % Decimal(right)
    return int(remainder) if isinstance(left, int) and isinstance(right, int) else remainder


def alike(left: str | None, right: str | None) -> bool:
    """FHIRPath `~` on text: equal but for case and kind of white space; nothing is like nothing."""
    return _plain(left) == _plain(right)


def unlike(left: str | None, right: str | None) -> bool:
    """FHIRPath `!~` on text."""
    return not alike(left, right)


def _plain(value: str | None) -> str | None:
    return None if value is None else _WHITE.sub(" ", value.casefold())


def substring(value: str, start: int, length: int | None = None) -> str | None:
    """FHIRPath substring(); absent when `start` is outside the text."""
    if not 0 <= start < len(value):
        return None
    return value[start:] if length is None else value[start : start + max(length, 0)]


def split(value: str, separator: str) -> list[str]:
    """FHIRPath split(); every character by itself for an empty separator."""
    return value.split(separator) if separator else list(value)


def text(value: Any) -> str:
    """FHIRPath toString()."""
    return "true" if value is True else "false" if value is False else str(value)


def integer(value: Any) -> int | None:
    """FHIRPath toInteger(); absent where the text is not a number in range."""
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value):
            return None
        value = int(value)
    return value if isinstance(value, int) and value.bit_length() <= _INTEGER_BITS else None


def decimal(value: Any) -> Decimal | None:
    """FHIRPath toDecimal(); absent where the text is not a number."""
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        return None
    return Decimal(value)


def boolean(value: Any) -> bool | None:
    """FHIRPath toBoolean(); absent where it stands for neither."""
    return _TRUTH.get(text(value).lower())


def is_instant(value: str) -> bool:
    """Whether it is a FHIR instant: a date and time to the second or finer, with a zone."""
    if not _INSTANT.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_uuid(value: str) -> bool:
    """Whether it is a UUID in its usual form of 36 characters (RFC 9562, section 4)."""
    return _UUID.fullmatch(value) is not None


def uuid5(namespace: str) -> Callable[[str], str]:
    """Makes name-based UUIDs (RFC 9562, section 5.5) in the namespace that a URL names."""
    space = uuid.uuid5(uuid.NAMESPACE_URL, namespace).bytes

    def make(name: str) -> str:
        # uuid.uuid5 takes three times as long, most of it for an object that is only written out.
        digest = bytearray(hashlib.sha1(space + name.encode(), usedforsecurity=False).digest()[:16])
        digest[6] = digest[6] & 0x0F | 0x50
        digest[8] = digest[8] & 0x3F | 0x80
        text = digest.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    return make
