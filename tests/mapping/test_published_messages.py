"""The modules on the messages that the services themselves publish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from gateway.fhir import tables
from gateway.fhir.xml import parse_xml
from gateway.mapping.context import Context
from gateway.mapping.module import Module
from gateway.mapping.modules import Modules

MESSAGES = {
    "PDS-Change-Of-GP-ems-example.xml": {"generalpractitioner": "B86056"},
    "PDS-Record-Change.xml": {"nhsnumber": "9912003888"},
    "PDS-Record-Change-Citizen.xml": {"nhsnumber": "9912003888"},
    "vaccinations-1-new.xml": {"action": "CREATE", "sourceorganisation": "A83627"},
    "vaccinations-1-notgiven-new.xml": {"action": "CREATE", "sourceorganisation": "A83627"},
    "vaccinations-1-update.xml": {"action": "UPDATE", "sourceorganisation": "A83627"},
    "vaccinations-1-delete.xml": {"action": "DELETE", "sourceorganisation": "A83627"},
}
CONTEXT = Context(
    claim_check="https://gateway.example/claim-check/1",
    public_url="https://gateway.example",
    notification="e961aa27-adbd-4a89-b406-1cc3759cf774",
    mns_type="pds-change-of-gp-2",
)


def module_for(modules: Modules, source: str, target: str, event: str = "") -> Module:
    module = modules.find(source, target, event)
    assert module is not None
    return module


def event_of(modules: Modules, path: Path) -> dict[str, Any]:
    message = parse_xml(path.read_bytes(), tables.load("STU3")).resource
    code = message["entry"][0]["resource"]["event"]["code"]
    return module_for(modules, "nems-message", "event", code).apply(message, CONTEXT)


@pytest.mark.parametrize(("name", "filtering"), MESSAGES.items())
def test_a_published_message_becomes_an_event(
    modules: Modules, examples: Path, name: str, filtering: dict[str, str]
) -> None:
    event = event_of(modules, examples / "nems" / "events" / name)
    assert event["filtering"] == filtering
    assert event["subject"] == "9912003888"
    assert event["source"].startswith("https://fhir.nhs.uk/Id/nhsSpineASID/")


@pytest.mark.parametrize("name", MESSAGES)
def test_a_published_message_becomes_a_signal_by_the_published_schema(
    modules: Modules, examples: Path, name: str
) -> None:
    schema = json.loads((examples / "mns" / "signal-schemas" / "fhirsignal.schema.json").read_text(encoding="utf-8"))
    event = event_of(modules, examples / "nems" / "events" / name)
    signal = module_for(modules, "event", "mns-signal").apply(event, CONTEXT)
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(signal)


def signals(examples: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each published signal with the event that it was published as."""
    pairs = []
    for path in sorted((examples / "mns" / "signal-schemas" / "examples").glob("*/signal.json")):
        event = examples / "mns" / "publish" / f"{path.parent.name}.json"
        if event.is_file():
            texts = (each.read_text(encoding="utf-8") for each in (event, path))
            pairs.append(tuple(map(json.loads, texts)))
    return pairs


def test_signals_have_the_shape_of_those_that_mns_publishes(modules: Modules, examples: Path) -> None:
    module = module_for(modules, "event", "mns-signal")
    for published_event, published in signals(examples):
        event = {name: value for name, value in published_event.items() if name not in ("specversion", "filtering")}
        written = module.apply(event, CONTEXT._replace(public_url="https://api.service.nhs.uk", mns_type=event["type"]))
        assert shape(written) == shape(published)


def shape(value: Any) -> Any:
    """A document without its values, its keys in order of the alphabet."""
    if isinstance(value, dict):
        return {key: shape(value[key]) for key in sorted(value)}
    return [shape(item) for item in value] if isinstance(value, list) else type(value).__name__


def test_the_published_test_event_becomes_its_published_signal(modules: Modules, examples: Path) -> None:
    event = json.loads((examples / "mns" / "mns-test-signal-1.cloudevent.json").read_text(encoding="utf-8"))
    published = json.loads((examples / "mns" / "mns-test-signal-1.fhir.json").read_text(encoding="utf-8"))
    context = CONTEXT._replace(
        notification=published["entry"][0]["resource"]["id"],
        mns_type=event["type"],
        public_url=published["entry"][0]["request"]["url"].partition("/multicast")[0],
    )
    event.pop("specversion")
    # The page gives the Bundle an id of its own, against the schema, which says "Event ID".
    event["id"] = published["id"]
    assert module_for(modules, "event", "mns-signal").apply(event, context) == published


def test_a_cloudevent_is_the_published_one_without_what_it_is_filtered_by(modules: Modules, examples: Path) -> None:
    module = module_for(modules, "event", "cloudevent")
    for path in sorted((examples / "mns" / "publish").glob("*-[0-9].json")):
        event = json.loads(path.read_text(encoding="utf-8"))
        context = CONTEXT._replace(mns_type=event["type"])
        expected = {name: value for name, value in event.items() if name != "filtering"}
        event.pop("specversion")
        assert module.apply(event, context) == expected
