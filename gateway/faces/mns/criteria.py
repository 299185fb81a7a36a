"""The criteria of an MNS subscription: `eventType='pds-change-of-gp-2' AND generalpractitioner='A20047'`.

The grammar is that of the OpenAPI description of MNS (POST /subscriptions), its values quoted or bare. MNS itself knows
`=` and `AND`; the rest of what `gateway.subscriptions.criteria` compares is an extension of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.catalogue import Catalogue, EventType
from gateway.errors import Refusal
from gateway.faces.mns.attributes import issue
from gateway.nhs_number import is_nhs_number
from gateway.subscriptions.criteria import ORDERS, AllOf, Comparison, Criterion, comparisons, render
from gateway.subscriptions.criteria_parser import parse
from gateway.subscriptions.facts import MANUFACTURER

EVENT_TYPE: Final = "eventType"
NHS_NUMBER: Final = "nhsnumber"
"""The filter that names the patient: it makes the subscription explicit."""
_WHOLE: Final = re.compile(r"[+-]?\d+")
_IS: Final[Mapping[str, Callable[[str], object]]] = {
    "string": lambda _: True,
    "boolean": {"true", "false"}.__contains__,
    "integer": _WHOLE.fullmatch,
}


@dataclass(frozen=True, slots=True)
class Extensions:
    """Which of our extensions of MNS are switched on: operators beyond = and AND, webhooks, and the filters that are
    worked out from reference data.
    """

    operators: bool = True
    rest_hook: bool = True
    enrichment: bool = True


@dataclass(frozen=True, slots=True)
class MnsCriteria:
    """What an MNS subscription asks for; `subject` is the NHS number it names, `filter` what an event must meet
    besides, as `gateway.subscriptions.criteria` writes it.
    """

    event_type: EventType
    subject: str | None
    filter: str


def read(text: str, catalogue: Catalogue, extensions: Extensions, present: Collection[str] = ()) -> MnsCriteria:
    """Read `text`. Of the event types `present`, by their ids, a subscription has one already: it may keep it when
    nobody new may have it.

    Raises:
        Refusal: an Issue at `criteria` that names what MNS, or this gateway, does not know.
    """
    if not text.startswith(f"{EVENT_TYPE}="):
        raise _wrong(f"must begin with {EVENT_TYPE}=")
    try:
        criterion = parse(text)
    except Refusal as refusal:
        raise _wrong(refusal.issues[0].text) from None
    parts = criterion.parts if isinstance(criterion, AllOf) else (criterion,)
    event_type = _event_type(parts, catalogue, present)
    rest = parts[1:]
    for one in (one for part in rest for one in comparisons(part)):
        _check(one, event_type, extensions)
    if not extensions.operators and not all(isinstance(part, Comparison) for part in rest):
        raise _wrong("must join comparisons with AND alone")
    return _read(event_type, rest)


def _read(event_type: EventType, rest: Iterable[Criterion]) -> MnsCriteria:
    named = [part for part in rest if isinstance(part, Comparison) and (part.key, part.operator) == (NHS_NUMBER, "=")]
    numbers = {part.values[0] for part in named}
    if len(numbers) > 1:
        raise _wrong(f"{NHS_NUMBER} may be one number only")
    if not all(map(is_nhs_number, numbers)):
        raise _wrong(f"{NHS_NUMBER} must be an NHS number")
    left = tuple(part for part in rest if part not in named)
    text = render(AllOf(left)) if len(left) != 1 else render(left[0])
    return MnsCriteria(event_type, next(iter(numbers), None), text)


def _event_type(parts: tuple[Criterion, ...], catalogue: Catalogue, present: Collection[str]) -> EventType:
    first = parts[0]
    if not isinstance(first, Comparison) or first.key != EVENT_TYPE:
        raise _wrong(f"{EVENT_TYPE} must be asked for alone, not with OR")
    event_type = catalogue.named(first.values[0])
    if event_type is None or event_type.mns is None or event_type.state == "withdrawn":
        raise _wrong(f"{EVENT_TYPE} is not an event type of this gateway")
    if not event_type.takes_subscribers and event_type.id not in present:
        raise _wrong(f"{EVENT_TYPE} is no longer supported: nobody may subscribe to it any more")
    return event_type


def _check(one: Comparison, event_type: EventType, extensions: Extensions) -> None:
    kinds = dict(_filters(event_type, extensions))
    if one.key == EVENT_TYPE:
        raise _wrong(f"{EVENT_TYPE} may stand only once")
    if one.key not in kinds:
        named = event_type.mns.type if event_type.mns else event_type.id
        there_are = f"; there are: {', '.join(kinds)}" if kinds else ", which has none"
        raise _wrong(f"'{one.key}' is not a filter of {named}{there_are}")
    if one.operator != "=" and not extensions.operators:
        raise _wrong(f"'{one.key}' may be compared with = only")
    kind = kinds[one.key]
    if not all(map(_IS[kind], one.values)):
        raise _wrong(f"'{one.key}' must be compared with {'true or false' if kind == 'boolean' else 'a whole number'}")
    if kind == "boolean" and one.operator in ORDERS:
        raise _wrong(f"'{one.key}' has no order")


def _filters(event_type: EventType, extensions: Extensions) -> Iterator[tuple[str, str]]:
    for name, kind in event_type.filters.items():
        if extensions.enrichment or not name.endswith(MANUFACTURER):
            yield name, kind


def _wrong(text: str) -> Refusal:
    return Refusal([issue("criteria", f"Please provide valid criteria: {text}")])
