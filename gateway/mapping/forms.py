"""The forms a mapping module turns into one another, with the types that hold in each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, Protocol

from gateway.fhir import tables
from gateway.fhir.tables import Field

Kind = Literal["string", "boolean", "integer", "decimal", "any", "empty", "object"]

ANY: Final = "any"
"""The type of a value in an open object: text, number or boolean."""

TEXT: Final = "text"
"""The type of text that an expression makes: of no FHIR type, before it is looked at, and maybe empty."""

_OPEN: Final = "attributes"
_KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("boolean",), "boolean"),
    **dict.fromkeys(("integer", "unsignedInt", "positiveInt"), "integer"),
    "decimal": "decimal",
    ANY: "any",
    "empty": "empty",
}
_TEXTS: Final = frozenset(
    (TEXT, "string", "code", "uri", "url", "canonical", "id", "oid", "uuid", "markdown", "base64Binary", "xhtml")
)
MOMENTS: Final = frozenset(("date", "dateTime", "instant", "time"))
"""Text that stands for a time: it compares as text only by chance."""

_RESOURCE: Final = ("id", "meta", "implicitRules", "language")
"""The elements of the abstract type Resource (FHIR, Resource)."""


class Types(Protocol):
    """The structure of the types of a form; `gateway.fhir.tables.Tables` is one."""

    @property
    def resources(self) -> frozenset[str]: ...
    def fields(self, type_name: str) -> Mapping[str, Field]: ...


class OwnTypes:
    """Types that are not FHIR's: `{type: {element: "string 1..1"}}`; an open type is not listed."""

    resources: Final[frozenset[str]] = frozenset()

    def __init__(self, specs: Mapping[str, Mapping[str, str]]) -> None:
        self._fields = {name: {key: _field(key, spec) for key, spec in own.items()} for name, own in specs.items()}

    def fields(self, type_name: str) -> Mapping[str, Field]:
        """The elements of a type by name."""
        return self._fields[type_name]


@dataclass(frozen=True, slots=True)
class Form:
    """A form of data: the type of its root and of all below it."""

    name: str
    root: str
    types: Types

    def is_open(self, type_name: str) -> bool:
        """Whether the type takes any attribute, each one value or a list of values."""
        return type_name == _OPEN

    def fields(self, type_name: str) -> Mapping[str, Field]:
        """The elements of a type; none for a primitive or an open type."""
        if type_name == "Resource":
            shared = self.types.fields(self.root)
            return {name: shared[name] for name in _RESOURCE}
        return self.types.fields(type_name) if kind(type_name) == "object" and not self.is_open(type_name) else {}


def kind(type_name: str) -> Kind:
    """What JSON writes for a type, as far as this language tells values apart."""
    return "string" if type_name in _TEXTS or type_name in MOMENTS else _KINDS.get(type_name, "object")


def suggestion(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'family'?`, or "" where nothing known is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


_EVENT: Final = {
    "id": "string 1..1",
    "source": "uri 1..1",
    "type": "string 1..1",
    "time": "instant 1..1",
    "subject": "string 0..1",
    "dataref": "uri 0..1",
    "versionid": "string 0..1",
    "filtering": f"{_OPEN} 0..1",
}

# What an event is matched by besides; no module that renders an event is given it.
_DEMOGRAPHICS: Final = {
    "birthDate": "string 0..*",
    "postcodes": "string 0..*",
    "practice": "string 0..*",
    "formerPractice": "string 0..*",
    "commissioner": "string 0..*",
    "registered": "boolean 0..1",
}
_MATCHED: Final = _EVENT | {"demographics": "Demographics 0..1"}

# MNS OpenAPI description, POST /events as application/json: the body before CloudEvents, deprecated.
_MNS_V1: Final = {
    "Event": {
        "id": "string 1..1",
        "type": "string 1..1",
        "time": "instant 1..1",
        "subject": "Subject 1..1",
        "source": "Source 1..1",
        "data": "Data 0..1",
    },
    "Subject": {"nhsNumber": "string 1..1", "familyName": "string 1..1", "dob": "string 1..1"},
    "Source": {"name": "string 1..1", "identifier": "Identifier 1..1"},
    "Identifier": {"system": "uri 1..1", "value": "string 1..1"},
    "Data": {
        "versionId": "string 1..1",
        "fullUrl": "uri 1..1",
        "provenance": "Source 1..1",
        "registrationEncounterCode": "string 0..1",
        "deathNotificationStatus": "string 0..1",
        "nhsNumberStatus": "string 0..1",
    },
}


@cache
def forms() -> Mapping[str, Form]:
    """Every form by name."""
    found = (
        Form("nems-message", "Bundle", tables.load("STU3")),
        Form("mns-signal", "Bundle", tables.load("R4")),
        # FHIR R4, Subscriptions R5 Backport: the notification Bundle, of which the signal of MNS is a dialect.
        Form("r4-status", "Bundle", tables.load("R4")),
        Form("r4-patient", "Patient", tables.load("R4")),
        Form(
            "event",
            "Event",
            OwnTypes({"Event": _MATCHED, "Demographics": _DEMOGRAPHICS}),
        ),
        Form("mns-v1", "Event", OwnTypes(_MNS_V1)),
        # CloudEvents 1.0.2, and the attributes that the MNS OpenAPI description adds.
        Form("cloudevent", "CloudEvent", OwnTypes({"CloudEvent": {"specversion": "string 1..1"} | _EVENT})),
    )
    return {form.name: form for form in found}


def _field(name: str, spec: str) -> Field:
    type_name, cardinality = spec.split(" ")
    return Field(name, type_name, cardinality.endswith("*"), cardinality.startswith("1"), None)
