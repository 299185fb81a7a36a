"""The criteria of a NEMS subscription: `/Bundle?type=message&Patient.identifier=…&MessageHeader.event=…`.

The grammar is that of NEMS ("Create subscription"). Components may stand in any order, as they do in the
specification's own examples, and may be percent-encoded or not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from gateway.catalogue import Catalogue, EventType
from gateway.errors import Refusal
from gateway.nhs_number import is_nhs_number
from gateway.subscriptions.criteria import AllOf, Comparison, render
from gateway.subscriptions.subscription import Kind

LOCATION = "Subscription.criteria"
NHS_NUMBER_SYSTEMS = frozenset({"https://fhir.nhs.uk/Id/nhs-number", "http://fhir.nhs.net/Id/nhs-number"})
SERVICE_TYPES = frozenset({"GP", "CHO", "UHV", "EPCHR", "HSS"})
COUNTRIES = frozenset({"E92000001", "W92000004", "S92000003", "N92000002", "L93000001", "M83000003"})
RULES = {
    "GP_GP_GP": "patient.practice",
    "UHV_POSTCODE_LACODE": "patient.local_authority",
    "CHO_GP_CCG": "patient.practice_sub_icb",
    "CHO_POSTCODE_CCG": "patient.sub_icb",
    "COUNTRYCODE": "patient.country",
}
"""The rules of generic subscriptions, and the fact that each compares with Organization.identifier."""
_OF_ORGANISATIONS = frozenset({"GP_GP_GP", "CHO_GP_CCG", "CHO_POSTCODE_CCG"})

_PREFIX = "/Bundle?type=message"
_AT_MOST = {
    "serviceType": 1,
    "Patient.identifier": 1,
    "MessageHeader.event": None,
    "Patient.age": 2,
    "GPRegistration": 1,
    "subscriptionRuleType": 1,
    "Organization.identifier": 1,
    "tag": 1,
}
_REGISTERED = {"RegisteredOnly": "true", "UnregisteredOnly": "false"}
_ORDERS = {"lt": "<", "gt": ">"}
_AGE = re.compile(r"(lt|gt)([0-9]{1,3})")
_CODE = re.compile(r"[A-Za-z0-9]{1,12}")
_TAG = re.compile(r"[A-Za-z0-9,|_-]{0,100}")
_Values = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class NemsCriteria:
    """What a NEMS subscription asks for; `filter` is a criterion of `criteria.py` for all but events and patient."""

    event_types: tuple[EventType, ...]
    nhs_number: str | None
    filter: str
    tag: str

    @property
    def kind(self) -> Kind:
        """Explicit when it names a patient."""
        return "generic" if self.nhs_number is None else "explicit"


def parse(criteria: str, catalogue: Catalogue, subscriber: str, *, every_patient: bool = False) -> NemsCriteria:
    """Read `criteria`, of the organisation whose ODS code is `subscriber`: a rule that compares a practice or a sub-ICB
    location, and names none, is about the organisation itself. `every_patient` lets a generic subscription have no
    rule, though NEMS wants one.

    Raises:
        Refusal: INVALID_REQUEST_MESSAGE, INVALID_NHS_NUMBER, INVALID_IDENTIFIER_SYSTEM or INVALID_CODE_VALUE.
    """
    values = _components(criteria)
    _check_kind(values, explicit=bool(values["Patient.identifier"]), every_patient=every_patient)
    if values["serviceType"] and values["serviceType"][0] not in SERVICE_TYPES:
        raise _wrong("serviceType must be GP, CHO, UHV or EPCHR")
    conditions = (*_ages(values["Patient.age"]), *_registration(values), *_rule(values, subscriber))
    return NemsCriteria(
        event_types=_events(values["MessageHeader.event"], catalogue),
        nhs_number=_nhs_number(values["Patient.identifier"]),
        # In one order, so that the same criteria are seen to be the same.
        filter=render(AllOf(tuple(sorted(conditions, key=render)))),
        tag=_tag(values["tag"]),
    )


def _components(criteria: str) -> _Values:
    text = criteria if criteria.startswith(f"{_PREFIX}&") else unquote(criteria)
    if not text.startswith(_PREFIX):
        raise _wrong(f"must begin with {_PREFIX}")
    rest = text.removeprefix(_PREFIX)
    if not rest.startswith("&"):
        raise _wrong(f"{_PREFIX} must be followed by & and a component")
    values: _Values = {name: [] for name in _AT_MOST}
    for component in rest[1:].split("&"):
        name, equals, value = component.partition("=")
        if name not in values:
            raise _wrong(f"a component must be one of {', '.join(_AT_MOST)}")
        if not equals or (not value and name != "tag"):
            raise _wrong(f"{name} has no value")
        values[name].append(unquote(value).replace("\u200b", "").strip())
    for name, at_most in _AT_MOST.items():
        if at_most and len(values[name]) > at_most:
            raise _wrong(f"{name} may stand {'only once' if at_most == 1 else 'twice at most'}")
    return values


def _check_kind(values: _Values, *, explicit: bool, every_patient: bool) -> None:
    """Which components go together."""
    if not values["MessageHeader.event"]:
        raise _wrong("MessageHeader.event is missing")
    if explicit:
        for name in ("subscriptionRuleType", "Organization.identifier"):
            if values[name]:
                raise _wrong(f"with Patient.identifier there may be no {name}")
    elif len(set(values["MessageHeader.event"])) > 1:
        raise _wrong("without Patient.identifier there may be only one MessageHeader.event")
    elif values["Organization.identifier"] and not values["subscriptionRuleType"]:
        raise _wrong("Organization.identifier needs a subscriptionRuleType")
    elif not values["subscriptionRuleType"] and not every_patient:
        raise _wrong("without Patient.identifier there must be a subscriptionRuleType")


def _ages(values: Sequence[str]) -> list[Comparison]:
    found = [_AGE.fullmatch(value) for value in values]
    if None in found:
        raise _wrong("Patient.age must be lt or gt and whole years")
    return [Comparison("patient.age", _ORDERS[one[1]], (str(int(one[2])),)) for one in found if one]


def _registration(values: _Values) -> list[Comparison]:
    given = values["GPRegistration"]
    if given and given[0] not in _REGISTERED:
        raise _wrong("GPRegistration must be RegisteredOnly or UnregisteredOnly")
    if given and values["subscriptionRuleType"] and values["subscriptionRuleType"][0] in {"CHO_GP_CCG", "GP_GP_GP"}:
        raise _wrong("GPRegistration may not stand with CHO_GP_CCG or GP_GP_GP, which mean the registered already")
    return [Comparison("patient.registered", "=", (_REGISTERED[one],)) for one in given]


def _rule(values: _Values, subscriber: str) -> list[Comparison]:
    if not values["subscriptionRuleType"]:
        return []
    rule, named = values["subscriptionRuleType"][0], values["Organization.identifier"]
    if rule not in RULES:
        raise _wrong(f"subscriptionRuleType must be one of {', '.join(RULES)}")
    if not named and rule not in _OF_ORGANISATIONS:
        raise _wrong(f"{rule} needs an Organization.identifier")
    code = (named[0] if named else subscriber).upper()
    if not _CODE.fullmatch(code):
        raise _wrong("Organization.identifier must be a code of letters and digits")
    if rule == "COUNTRYCODE" and code not in COUNTRIES:
        raise _wrong(f"with COUNTRYCODE, Organization.identifier must be one of {', '.join(sorted(COUNTRIES))}")
    return [Comparison(RULES[rule], "=", (code,))]


def _events(codes: Sequence[str], catalogue: Catalogue) -> tuple[EventType, ...]:
    found: dict[str, EventType] = {}
    for code in codes:
        event_type = catalogue.named(code)
        if event_type is None or event_type.nems is None or code not in event_type.nems.codes:
            raise Refusal.because(
                "INVALID_CODE_VALUE", "MessageHeader.event is not an event that this gateway takes", LOCATION
            )
        found[event_type.id] = event_type
    return tuple(found.values())


def _nhs_number(identifiers: Sequence[str]) -> str | None:
    if not identifiers:
        return None
    system, _, number = identifiers[0].partition("|")
    if system.strip() not in NHS_NUMBER_SYSTEMS:
        raise Refusal.because("INVALID_IDENTIFIER_SYSTEM", "Patient.identifier must be an NHS number", LOCATION)
    if not is_nhs_number(number):
        raise Refusal.because(
            "INVALID_NHS_NUMBER", "Patient.identifier does not conform to the NHS Number format", LOCATION
        )
    return number


def _tag(values: Sequence[str]) -> str:
    if values and not _TAG.fullmatch(values[0]):
        raise _wrong("tag may hold 100 letters, digits and , | _ -")
    return values[0] if values else ""


def _wrong(text: str) -> Refusal:
    return Refusal.because(
        "INVALID_REQUEST_MESSAGE", f"The subscription criteria did not meet business rules: {text}", LOCATION
    )
