"""The catalogue and the modules as they are shipped, and one way through them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from gateway import catalogue
from gateway.catalogue import Catalogue, EventType
from gateway.fhir.tables import Version, load
from gateway.fhir.validate import validate
from gateway.fhir.xml import parse_xml
from gateway.mapping.context import Context
from gateway.mapping.module import Module
from gateway.mapping.modules import Modules
from gateway.resources import folder

CONTEXT = Context(
    claim_check="https://gateway.example/claim-check/1",
    public_url="https://api.service.nhs.uk",
    notification="e961aa27-adbd-4a89-b406-1cc3759cf774",
)


@dataclass(frozen=True)
class Shipped:
    """What is shipped, and what the gateway does with it."""

    modules: Modules
    catalogue: Catalogue

    def module(self, source: str, target: str, event_type: EventType) -> Module:
        found = self.modules.find(source, target, event_type.id)
        assert found is not None, f"{source} to {target} for {event_type.id}"
        return found

    def named(self, name: str) -> EventType:
        found = self.catalogue.named(name)
        assert found is not None, name
        return found

    def event(self, message: dict[str, Any], form: str, event_type: EventType) -> dict[str, Any]:
        """The event as the gateway keeps it: of the type that the catalogue says."""
        event = self.module(form, "event", event_type).apply(message, CONTEXT)
        return {**event, "type": event_type.id}

    def written(
        self, event: dict[str, Any], target: str, *, inputs: dict[str, Any] | None = None, **context: str
    ) -> dict[str, Any]:
        event_type = self.catalogue[event["type"]]
        names = {
            "mns_type": event_type.mns.type if event_type.mns else None,
            "nems_code": event_type.nems.code if event_type.nems else None,
        }
        facts = CONTEXT._replace(**names)._replace(**context)
        return self.module("event", target, event_type).apply(event, facts, inputs or {})


@pytest.fixture(scope="session")
def shipped() -> Shipped:
    return Shipped(Modules.load(folder("mappings")), catalogue.load(folder("config") / "event-types"))


@pytest.fixture(scope="session")
def signal_schema(examples: Path) -> Draft202012Validator:
    """The JSON Schema of a FHIR signal that MNS publishes."""
    schema = examples / "mns" / "signal-schemas" / "fhirsignal.schema.json"
    return Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")), format_checker=FormatChecker())


def nems_messages(examples: Path) -> dict[str, dict[str, Any]]:
    """Every published NEMS message by the name of its file."""
    files = sorted((examples / "nems" / "events").glob("*.xml"))
    return {file.name: parse_xml(file.read_bytes(), load("STU3")).resource for file in files}


def read_json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def errors(resource: dict[str, Any], version: Version) -> list[str]:
    return [f"{one.location}: {one.text}" for one in validate(resource, load(version)) if one.severity == "error"]
