"""The criteria of a NEMS subscription: `/Bundle?type=message&Patient.identifier=…&MessageHeader.event=…`.

The grammar is that of NEMS ("Create subscription"). Components may stand in any order, as they do in the
specification's own examples, and may be percent-encoded or not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from gateway.catalogue import Catalogue
from gateway.errors import Refusal
from gateway.nhs_number import is_nhs_number
from gateway.subscriptions.subscription import Kind

LOCATION = "Subscription.criteria"
NHS_NUMBER_SYSTEMS = frozenset({"https://fhir.nhs.uk/Id/nhs-number", "http://fhir.nhs.net/Id/nhs-number"})
SERVICE_TYPES = frozenset({"GP", "CHO", "UHV", "EPCHR", "HSS"})
_PREFIX = "/Bundle?type=message"
_TAG = re.compile(r"[A-Za-z0-9,|_-]{0,100}")
_COMPONENTS = ("serviceType", "Patient.identifier", "MessageHeader.event", "tag")
# NEMS knows these too; they need to know more of a patient than an event says, which this release cannot look up.
_LATER = ("Patient.age", "GPRegistration", "subscriptionRuleType", "Organization.identifier")


@dataclass(frozen=True, slots=True)
class NemsCriteria:
    """What a NEMS subscription asks for; `event_types` are ids of EventTypes."""

    event_types: tuple[str, ...]
    nhs_number: str | None
    service_type: str
    tag: str

    @property
    def kind(self) -> Kind:
        """Explicit when it names a patient."""
        return "generic" if self.nhs_number is None else "explicit"


def parse(criteria: str, catalogue: Catalogue) -> NemsCriteria:
    """Read `criteria`.

    Raises:
        Refusal: INVALID_REQUEST_MESSAGE, INVALID_NHS_NUMBER, INVALID_IDENTIFIER_SYSTEM or INVALID_CODE_VALUE.
    """
    values = _components(criteria)
    for name, at_most in (("serviceType", 1), ("Patient.identifier", 1), ("tag", 1)):
        if len(values[name]) > at_most:
            raise _wrong(f"{name} may stand only once")
    return NemsCriteria(
        event_types=_events(values["MessageHeader.event"], catalogue, explicit=bool(values["Patient.identifier"])),
        nhs_number=_nhs_number(values["Patient.identifier"]),
        service_type=_service_type(values["serviceType"]),
        tag=_tag(values["tag"]),
    )


def _components(criteria: str) -> dict[str, list[str]]:
    if not criteria.startswith(_PREFIX):
        raise _wrong(f"must begin with {_PREFIX}")
    rest = criteria.removeprefix(_PREFIX)
    values: dict[str, list[str]] = {name: [] for name in _COMPONENTS}
    if not rest.startswith("&"):
        raise _wrong(f"{_PREFIX} must be followed by & and a component")
    for component in rest[1:].split("&"):
        name, equals, value = component.partition("=")
        if name in _LATER:
            raise _wrong(f"{name} needs reference data that this gateway does not hold yet")
        if name not in values:
            raise _wrong(f"a component must be one of {', '.join(_COMPONENTS)}")
        if not equals or (not value and name != "tag"):
            raise _wrong(f"{name} has no value")
        values[name].append(unquote(value).strip())
    return values


def _events(codes: Sequence[str], catalogue: Catalogue, *, explicit: bool) -> tuple[str, ...]:
    if not codes:
        raise _wrong("MessageHeader.event is missing")
    if not explicit and len(codes) > 1:
        raise _wrong("without Patient.identifier there may be only one MessageHeader.event")
    found = []
    for code in dict.fromkeys(codes):
        event_type = catalogue.named(code)
        if event_type is None or event_type.nems is None or event_type.nems.code != code:
            raise Refusal.because(
                "INVALID_CODE_VALUE", "MessageHeader.event is not an event that this gateway takes", LOCATION
            )
        if event_type.state in {"withdrawn", "no-longer-supported"}:
            raise Refusal.because("INVALID_CODE_VALUE", "MessageHeader.event is no longer supported", LOCATION)
        found.append(event_type.id)
    return tuple(found)


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


def _service_type(values: Sequence[str]) -> str:
    if values and values[0] not in SERVICE_TYPES:
        raise _wrong("serviceType must be GP, CHO, UHV or EPCHR")
    return values[0] if values else ""


def _tag(values: Sequence[str]) -> str:
    if values and not _TAG.fullmatch(values[0]):
        raise _wrong("tag may hold 100 letters, digits and , | _ -")
    return values[0] if values else ""


def _wrong(text: str) -> Refusal:
    return Refusal.because(
        "INVALID_REQUEST_MESSAGE", f"The subscription criteria did not meet business rules: {text}", LOCATION
    )
