"""Criteria: what a subscription asks of an event beyond its type and its patient, whichever face it came through.

A criterion is kept with its subscription as text, and compiled when the subscription is loaded:

    patient.age < '14' AND patient.practice = 'A20047'
    generalpractitioner IN ('A20047', 'B86056') OR (flagtype = 'S' AND origin != 'X26')

A key is a filtering attribute of the event type, or one of the facts about the patient that `facts.py` lists, which
begin with `patient.`. A fact has any number of values: `=`, `IN`, `<`, `<=`, `>` and `>=` ask whether one of them is
so, `!=` whether none of them is that. What is not known of an event makes a comparison neither true nor false, and an
event whose criterion is not true does not match.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any

from gateway.nhs_number import is_nhs_number

Facts = Callable[[str], "Sequence[str] | None"]
"""The values of a fact; None when it is not known."""
Predicate = Callable[[Facts], "bool | None"]
Anchor = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One fact compared: `operator` is =, !=, <, <=, >, >= or IN, which alone has several `values`."""

    key: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """True if every part is; without parts, always."""

    parts: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True if one part is."""

    parts: tuple[Criterion, ...]


Criterion = Comparison | AllOf | AnyOf
EVERYTHING = AllOf(())

_PATIENTS = frozenset({"nhsnumber", "nhs_number"})
"""The filtering attributes that are a patient's NHS number."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
ORDERS: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


def render(criterion: Criterion) -> str:
    """The text of a criterion, as `parse` reads it."""
    if isinstance(criterion, Comparison):
        literals = ["'" + value.replace("'", "''") + "'" for value in criterion.values]
        said = f"({', '.join(literals)})" if criterion.operator == "IN" else literals[0]
        return f"{criterion.key} {criterion.operator} {said}"
    word = " AND " if isinstance(criterion, AllOf) else " OR "
    return word.join(
        f"({render(part)})" if isinstance(part, (AllOf, AnyOf)) else render(part) for part in criterion.parts
    )


def discreet(criterion: Criterion) -> Criterion:
    """The criterion to be shown to an operator: without the NHS numbers in it."""
    if isinstance(criterion, Comparison):
        is_patient = criterion.key in _PATIENTS
        values = tuple("…" if is_patient or is_nhs_number(value) else value for value in criterion.values)
        return Comparison(criterion.key, criterion.operator, values)
    return type(criterion)(tuple(map(discreet, criterion.parts)))


def predicate(criterion: Criterion) -> Predicate:
    """The criterion as a function of the facts: True, False, or None when what it needs is not known."""
    if isinstance(criterion, Comparison):
        return _comparison(criterion)
    parts = [predicate(part) for part in criterion.parts]
    decides = isinstance(criterion, AnyOf)  # the verdict that one part alone can give

    def joined(facts: Facts) -> bool | None:
        verdict: bool | None = not decides
        for part in parts:
            found = part(facts)
            if found is decides:
                return decides
            if found is None:
                verdict = None
        return verdict

    return joined


def anchors(criterion: Criterion, crowd: Callable[[Anchor], int]) -> list[Anchor] | None:
    """Facts of which an event must have one to meet the criterion, those with the smallest `crowd` of their own that it
    offers; None where it offers none.
    """
    if isinstance(criterion, Comparison):
        return [(criterion.key, value) for value in criterion.values] if criterion.operator in {"=", "IN"} else None
    offers = [anchors(part, crowd) for part in criterion.parts]
    if isinstance(criterion, AnyOf):
        return None if None in offers else [anchor for offer in offers for anchor in offer or ()]
    return min((offer for offer in offers if offer), key=lambda offer: sum(map(crowd, offer)), default=None)


def comparisons(criterion: Criterion) -> Iterator[Comparison]:
    """The comparisons that a criterion is made of, in order."""
    if isinstance(criterion, Comparison):
        yield criterion
    else:
        for part in criterion.parts:
            yield from comparisons(part)


def _comparison(one: Comparison) -> Predicate:
    key, wanted = one.key, frozenset(one.values)
    if one.operator in {"=", "IN"}:
        return lambda facts: None if (values := facts(key)) is None else not wanted.isdisjoint(values)
    if one.operator == "!=":
        return lambda facts: None if (values := facts(key)) is None else wanted.isdisjoint(values)
    order, bound = ORDERS[one.operator], one.values[0]
    number = float(bound) if _NUMBER.fullmatch(bound) else None

    def ordered(facts: Facts) -> bool | None:
        values = facts(key)
        if values is None:
            return None
        if number is None:
            return any(order(value, bound) for value in values)
        return any(order(float(value), number) for value in values if _NUMBER.fullmatch(value))

    return ordered
