"""The structure of every FHIR type, read from the generated tables; the only reader of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import msgspec

FOLDER: Final = Path(__file__).parent / "tables"

Version = Literal["STU3", "R4"]


@dataclass(frozen=True, slots=True)
class Field:
    """One element of a type.

    `name` is the JSON name ("valueString"); `type` a FHIR type ("string", "HumanName", "Bundle.entry"), or "Resource"
    for a slot that takes any resource; `choice` the name of its choice group ("value" for value[x]), None outside one.
    `required` on a member of a choice group says that one member of the group must be there. `codes` are those that its
    required binding allows, None if it has no such binding.
    """

    name: str
    type: str
    is_list: bool
    required: bool
    choice: str | None
    codes: frozenset[str] | None = None


class _File(msgspec.Struct):
    primitives: frozenset[str]
    resources: dict[str, dict[str, str]]
    elements: dict[str, dict[str, str]]
    codes: dict[str, dict[str, str]]


class Tables:
    """The types of one FHIR version. "Resource", "DomainResource" and "BackboneElement" are abstract and not in it."""

    def __init__(self, version: Version, content: bytes) -> None:
        """Read the content of a generated table file."""
        file = msgspec.json.decode(content, type=_File)
        self.version: Final = version
        self.resources: Final = frozenset(file.resources)
        self._primitives = file.primitives
        self._specs = file.resources | file.elements
        self._codes = file.codes
        self.type_names: Final = tuple(self._specs)
        self._fields: dict[str, Mapping[str, Field]] = {}

    def fields(self, type_name: str) -> Mapping[str, Field]:
        """The elements of a type by JSON name, in the order of the schema; KeyError for a type that there is not."""
        known = self._fields.get(type_name)
        if known is None:
            codes = self._codes.get(type_name, {})
            known = MappingProxyType(
                {name: _field(name, spec, codes.get(name)) for name, spec in self._specs[type_name].items()}
            )
            self._fields[type_name] = known
        return known

    def has(self, type_name: str) -> bool:
        """Whether there is such a type, primitive or not."""
        return type_name in self._specs or type_name in self._primitives

    def is_primitive(self, type_name: str) -> bool:
        """Whether the type is a primitive: its value is a JSON string, number or boolean."""
        return type_name in self._primitives

    def is_resource(self, type_name: str) -> bool:
        """Whether the type is a resource, one that `resourceType` may name."""
        return type_name in self.resources

    def attributes(self, type_name: str) -> frozenset[str]:
        """The elements that XML writes as attributes, and that have no extensions: Element.id and Extension.url."""
        if self.is_resource(type_name):
            return frozenset()
        return frozenset(("id", "url") if type_name == "Extension" else ("id",))

    def choices(self, type_name: str, base: str) -> Mapping[str, Field]:
        """The members of a choice group by FHIR type: `choices("Extension", "value")["Meta"].name` is "valueMeta".

        Empty if the type has no such group; KeyError for a type that there is not.
        """
        return {field.type: field for field in self.fields(type_name).values() if field.choice == base}


@cache
def load(version: Version) -> Tables:
    """The tables of a FHIR version, read once."""
    return Tables(version, (FOLDER / f"{version.lower()}.json").read_bytes())


def _field(name: str, spec: str, codes: str | None) -> Field:
    type_name, cardinality, *choice = spec.split(" ")
    return Field(
        name,
        type_name,
        is_list=cardinality.endswith("*"),
        required=cardinality.startswith("1"),
        choice=choice[0] if choice else None,
        codes=frozenset(codes.split(" ")) if codes else None,
    )
