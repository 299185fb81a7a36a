"""The published events and signals of MNS through every mapping that concerns them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.errors import Refusal
from tests.mappings.conftest import Shipped, errors, read_json

EVENTS = (
    "gpreg-change-gp-req-1", "imms-vaccination-record-change-1", "nhs-number-change-2", "nhshco-hc-complete-1",
    "pathology-laboratory-reporting-test-result-stored-1", "patientflags-change-1", "pds-change-of-gp-2",
    "pds-death-notification-2", "pds-record-change-2", "vrs-proxy-role-changed-1", "vrs-proxy-role-created-1",
    "vrs-proxy-role-deleted-1",
)  # fmt: skip
SIGNALS = (*EVENTS, "pdm-resource-change-1")


def published(examples: Path, name: str) -> dict[str, Any]:
    return read_json(examples / "mns" / "publish" / f"{name}.json")


def signal_of(examples: Path, name: str, file: str = "signal") -> dict[str, Any]:
    return read_json(examples / "mns" / "signal-schemas" / "examples" / name / f"{file}.json")


def test_every_published_event_and_signal_is_here(examples: Path) -> None:
    assert {file.stem for file in (examples / "mns" / "publish").glob("[!_]*.json")} == set(EVENTS)
    assert {file.name for file in (examples / "mns" / "signal-schemas" / "examples").iterdir()} == set(SIGNALS)


@pytest.mark.parametrize("name", EVENTS)
def test_a_published_event_is_delivered_as_it_came_without_its_filtering(
    shipped: Shipped, examples: Path, signal_schema: Draft202012Validator, name: str
) -> None:
    cloudevent = published(examples, name)
    event_type = shipped.named(name)
    event = shipped.event(cloudevent, "cloudevent", event_type)
    assert event.get("filtering", {}).keys() <= event_type.filters.keys()
    expected = {key: value for key, value in cloudevent.items() if key != "filtering"}
    assert shipped.written(event, "cloudevent") == expected
    signal = shipped.written(event, "mns-signal")
    assert errors(signal, "R4") == []
    signal_schema.validate(signal)


@pytest.mark.parametrize("form", ["mns-signal", "r4-status"])
@pytest.mark.parametrize("name", SIGNALS)
def test_a_published_signal_goes_out_as_it_came(shipped: Shipped, examples: Path, name: str, form: str) -> None:
    signal = signal_of(examples, name)
    event = shipped.event(signal, form, shipped.named(name))
    parameters = signal["entry"][0]["resource"]
    base = signal["entry"][0]["request"]["url"].removesuffix("/multicast-notification-service/subscriptions")
    assert shipped.written(event, "mns-signal", notification=parameters["id"], public_url=base) == signal


def test_the_published_test_signal_is_its_event(shipped: Shipped, examples: Path) -> None:
    cloudevent = read_json(examples / "mns" / "mns-test-signal-1.cloudevent.json")
    signal = read_json(examples / "mns" / "mns-test-signal-1.fhir.json")
    event_type = shipped.named("mns-test-signal-1")
    # The page gives the Bundle an id of its own, against the schema, which says "Event ID".
    signal["id"] = cloudevent["id"]
    event = shipped.event(signal, "mns-signal", event_type)
    assert event == shipped.event(cloudevent, "cloudevent", event_type)


def test_hydration_does_not_change_what_a_signal_says(shipped: Shipped, examples: Path) -> None:
    name = "gpreg-change-gp-req-1"
    event_type = shipped.named(name)
    hydrated = signal_of(examples, name, "hydrated-signal")
    assert errors(hydrated, "R4") == []
    assert shipped.event(hydrated, "mns-signal", event_type) == shipped.event(
        signal_of(examples, name), "mns-signal", event_type
    )


@pytest.mark.parametrize("name", ["pdsChangeOfGpEvent", "pdsDeathEvent", "nhsNumberChangeEvent"])
def test_an_event_of_before_cloudevents_is_read(shipped: Shipped, examples: Path, name: str) -> None:
    body = read_json(examples / "mns" / "publish-v1-legacy" / f"{name}.json")
    event_type = shipped.named(body["type"])
    event = shipped.event(body, "mns-v1", event_type)
    assert (event["subject"], event["versionid"]) == (body["subject"]["nhsNumber"], body["data"]["versionId"])
    assert event["source"] == "https://fhir.nhs.uk/Id/nhsSpineASID/477121000324"
    assert errors(shipped.written(event, "mns-signal"), "R4") == []


# What a subscriber of NEMS is told of a published event, with nothing retrieved.
TOLD = {
    "imms-vaccination-record-change-1": ["MessageHeader", "Immunization", "Patient"],
    "pds-record-change-2": ["MessageHeader", "Patient"],
}
PERSON: dict[str, Any] = {
    "resourceType": "Patient",
    "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9912003888"}],
    "extension": [
        {
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-DeathNotificationStatus",
            "extension": [{"url": "deathNotificationStatus", "valueCodeableConcept": {"coding": [{"code": "2"}]}}],
        }
    ],
}


@pytest.mark.parametrize("name", TOLD)
def test_a_published_event_becomes_a_nems_message(shipped: Shipped, examples: Path, name: str) -> None:
    event = shipped.event(published(examples, name), "cloudevent", shipped.named(name))
    message = shipped.written(event, "nems-message")
    assert errors(message, "STU3") == []
    assert [entry["resource"]["resourceType"] for entry in message["entry"]] == TOLD[name]
    assert message["entry"][0]["resource"]["event"]["code"] == event["type"]


@pytest.mark.parametrize("name", ["pds-change-of-gp-2", "pds-death-notification-2"])
def test_a_published_event_becomes_a_nems_message_with_the_record(shipped: Shipped, examples: Path, name: str) -> None:
    event = shipped.event(published(examples, name), "cloudevent", shipped.named(name))
    with pytest.raises(Refusal):
        shipped.written(event, "nems-message")
    message = shipped.written(event, "nems-message", inputs={"retrieved": PERSON})
    assert errors(message, "STU3") == []
    again = shipped.event(message, "nems-message", shipped.named(name))
    assert {key: again[key] for key in event} == event


@pytest.mark.parametrize("name", [name for name in SIGNALS if name not in ("imms-vaccination-record-change-1",)])
def test_an_event_that_nems_does_not_have_has_no_module(shipped: Shipped, name: str) -> None:
    event_type = shipped.named(name)
    assert (shipped.modules.find("event", "nems-message", event_type.id) is None) == (event_type.nems is None)


def broken(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    cloudevent = {"specversion": "1.0", "id": "1", "source": "b", "type": "c", "time": "2031-05-06T07:08:09Z"}
    change(cloudevent)
    return cloudevent


@pytest.mark.parametrize("name", ["id", "source", "type", "time"])
def test_a_cloudevent_without_what_it_needs_is_refused(shipped: Shipped, name: str) -> None:
    with pytest.raises(Refusal):
        shipped.event(broken(lambda body: body.pop(name)), "cloudevent", shipped.named("mns-test-signal-1"))
