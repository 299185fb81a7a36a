"""Filters: `backport-filter-criteria`, a search on what a topic offers (Subscriptions R5 Backport IG 1.1.0).

    generalpractitioner=A20047,B86056&action:not=DELETE
    Patient?subject=https://fhir.nhs.uk/Id/nhs-number|9990001006
    subjectage=lt5

Parameters, and extensions, all have to be met; of values joined by a comma, one. A type before the `?` is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import unquote

from gateway.catalogue import EventType
from gateway.errors import Refusal
from gateway.faces.r4.channel import unsupported
from gateway.nhs_number import is_nhs_number
from gateway.subscriptions.criteria import AllOf, Comparison, render
from gateway.subscriptions.criteria_parser import parse

SUBJECT: Final = "subject"
"""The filter that every topic offers: whom the event is about, by NHS number."""
_SYSTEM: Final = "https://fhir.nhs.uk/Id/nhs-number"
_NAME: Final = re.compile(r"([A-Za-z_][\w.-]*)(:[a-z]+)?", re.ASCII)
_ORDER: Final = re.compile(r"(eq|ne|gt|lt|ge|le)?(-?[0-9]{1,18})")
_OPERATORS: Final = {"": "=", "eq": "=", "ne": "!=", "gt": ">", "lt": "<", "ge": ">=", "le": "<="}


def read_filters(searches: Sequence[str], event_type: EventType) -> tuple[str, str | None]:
    """The criterion that the searches ask for, "" for none, and the NHS number of the one patient that they name.

    Raises:
        Refusal: NOT_SUPPORTED; a filter that the topic does not offer, or a value that it cannot have.
    """
    comparisons: list[Comparison] = []
    subject = None
    for name, modifier, values in (one for search in searches for one in _parameters(search)):
        if name == SUBJECT:
            if subject is not None or modifier or len(values) != 1:
                raise _wrong(f"{SUBJECT} may be one NHS number only")
            subject = _nhs_number(values[0])
        else:
            comparisons += _compared(name, modifier, values, event_type)
    text = render(AllOf(tuple(comparisons))) if comparisons else ""
    parse(text, "Subscription.criteria")  # as long and as deep as a criterion may be
    return text, subject


def _parameters(search: str) -> Iterator[tuple[str, str, list[str]]]:
    """The name, modifier and values of each parameter."""
    for parameter in search.rpartition("?")[2].split("&"):
        name, _, value = parameter.strip().partition("=")
        match = _NAME.fullmatch(unquote(name))
        if match is None or not value:
            raise _wrong("backport-filter-criteria must be name=value, joined by &")
        # FHIR R4, Search, "Escaping Search Parameters": a comma of the value itself has a backslash before it; one that
        # is percent-encoded is a comma like any other.
        values = [one.replace("\\,", ",") for one in re.split(r"(?<!\\),", unquote(value))]
        yield match[1], match[2] or "", values


def _compared(name: str, modifier: str, values: list[str], event_type: EventType) -> list[Comparison]:
    kind = event_type.filters.get(name)
    if kind is None:
        offered = ", ".join([SUBJECT, *event_type.filters])
        raise _wrong(f"{name} is not a filter of this topic; there are: {offered}")
    if modifier not in {"", ":not"}:
        raise _wrong(f"{modifier} is not supported on {name}; there is: not")
    if kind == "integer":
        return _ordered(name, modifier, values)
    if kind == "boolean" and not {"true", "false"}.issuperset(values):
        raise _wrong(f"{name} is true or false")
    if modifier:
        return [Comparison(name, "!=", (value,)) for value in values]
    return [_one_of(name, values)]


def _ordered(name: str, modifier: str, values: list[str]) -> list[Comparison]:
    matches = [_ORDER.fullmatch(value) for value in values]
    found = [(_OPERATORS[match[1] or ""], match[2]) for match in matches if match]
    if len(found) < len(values):
        raise _wrong(f"{name} is a whole number, with eq, ne, gt, lt, ge or le before it or not")
    operators = {operator for operator, _ in found}
    numbers = [number for _, number in found]
    if operators == {"="}:
        return [Comparison(name, "!=", (one,)) for one in numbers] if modifier else [_one_of(name, numbers)]
    if len(found) > 1 or modifier:
        raise _wrong(f"{name} with ne, gt, lt, ge or le takes one number, and no modifier")
    return [Comparison(name, found[0][0], (found[0][1],))]


def _one_of(name: str, values: list[str]) -> Comparison:
    different = tuple(dict.fromkeys(values))
    return Comparison(name, "IN" if len(different) > 1 else "=", different)


def _nhs_number(value: str) -> str:
    system, bar, number = value.rpartition("|")
    if (bar and system != _SYSTEM) or not is_nhs_number(number):
        raise _wrong(f"{SUBJECT} must be an NHS number, with {_SYSTEM}| before it or not")
    return number


def _wrong(text: str) -> Refusal:
    return unsupported("criteria", text)
