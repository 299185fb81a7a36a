"""The published NEMS messages through every mapping that concerns them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.errors import Refusal
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from gateway.fhir.xml_render import render_xml
from tests.mappings.conftest import CONTEXT, Shipped, errors, nems_messages

# What only the file can say: its event type, and what to filter by. 1112223330, the mother of the first, fails its check.
EVENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "BirthNotificationWithMother.xml": ("pds-birth-notification-1", {}),
    "BirthNotificationWithoutMother.xml": ("pds-birth-notification-1", {}),
    "PDS-Change-Of-Address-ems-example.xml": ("pds-change-of-address-1", {}),
    "PDS-Change-Of-GP-ems-example.xml": ("pds-change-of-gp-1", {"generalpractitioner": "B86056"}),
    "PDS-Death-Notification-formal-ems-example.xml": ("pds-death-notification-1", {"deathnotificationstatus": "2"}),
    "PDS-Death-Notification-informal-ems-example.xml": ("pds-death-notification-1", {"deathnotificationstatus": "1"}),
    "PDS-Death-Notification-removed-ems-example.xml": ("pds-death-notification-1", {"deathnotificationstatus": "U"}),
    "PDS-Record-Change-Citizen.xml": ("pds-record-change-1", {"nhsnumber": "9912003888"}),
    "PDS-Record-Change.xml": ("pds-record-change-1", {"nhsnumber": "9912003888"}),
    "Professional-Contacts-1-delete.xml": (
        "professional-contacts-1", {"action": "DELETE", "sourceorganisation": "A83627"},
    ),
    "Professional-Contacts-1-new.xml": (
        "professional-contacts-1", {"action": "CREATE", "sourceorganisation": "A83627"},
    ),
    "Professional-Contacts-1-update.xml": (
        "professional-contacts-1", {"action": "UPDATE", "sourceorganisation": "A83627"},
    ),
    "blood-spot-test-outcome-1-delete.xml": (
        "blood-spot-test-outcome-1", {"action": "DELETE", "sourceorganisation": "RR8"},
    ),
    "blood-spot-test-outcome-1-new.xml": (
        "blood-spot-test-outcome-1", {"action": "CREATE", "sourceorganisation": "RR8"},
    ),
    # The three updates of screening are sent as new, as the specification has it.
    "blood-spot-test-outcome-1-update.xml": (
        "blood-spot-test-outcome-1", {"action": "CREATE", "sourceorganisation": "RR8"},
    ),
    "newborn-hearing-1-delete.xml": ("newborn-hearing-1", {"action": "DELETE", "sourceorganisation": "A83627"}),
    "newborn-hearing-1-new.xml": ("newborn-hearing-1", {"action": "CREATE", "sourceorganisation": "A83627"}),
    "newborn-hearing-1-update.xml": ("newborn-hearing-1", {"action": "CREATE", "sourceorganisation": "A83627"}),
    "nipe-outcome-1-delete.xml": ("nipe-outcome-1", {"action": "DELETE", "sourceorganisation": "RX3EP"}),
    "nipe-outcome-1-new.xml": ("nipe-outcome-1", {"action": "CREATE", "sourceorganisation": "RX3EP"}),
    "nipe-outcome-1-update.xml": ("nipe-outcome-1", {"action": "CREATE", "sourceorganisation": "RX3EP"}),
    "vaccinations-1-delete.xml": ("vaccinations-1", {"action": "DELETE", "sourceorganisation": "A83627"}),
    "vaccinations-1-new.xml": ("vaccinations-1", {"action": "CREATE", "sourceorganisation": "A83627"}),
    "vaccinations-1-notgiven-new.xml": ("vaccinations-1", {"action": "CREATE", "sourceorganisation": "A83627"}),
    "vaccinations-1-update.xml": ("vaccinations-1", {"action": "UPDATE", "sourceorganisation": "A83627"}),
}  # fmt: skip
PDS = "https://api.service.nhs.uk/personal-demographics/FHIR/R4/Patient/9912003888"
DATAREFS = {"pds-change-of-gp-1": PDS, "pds-death-notification-1": PDS, "pds-record-change-1": None}


def event_of(shipped: Shipped, examples: Path, name: str) -> dict[str, Any]:
    message = nems_messages(examples)[name]
    return shipped.event(message, "nems-message", shipped.named(message["entry"][0]["resource"]["event"]["code"]))


def test_every_published_message_is_here(examples: Path) -> None:
    assert nems_messages(examples).keys() == EVENTS.keys()


@pytest.mark.parametrize("name", EVENTS)
def test_a_published_message_becomes_an_event(shipped: Shipped, examples: Path, name: str) -> None:
    event_type, filtering = EVENTS[name]
    header = nems_messages(examples)[name]["entry"][0]["resource"]
    event = event_of(shipped, examples, name)
    assert (event["id"], event["type"]) == (header["id"], event_type)
    assert event.get("filtering", {}) == filtering
    assert filtering.keys() <= shipped.catalogue[event_type].filters.keys()
    assert event.get("subject") == (None if name.startswith("Birth") else "9912003888")
    assert event.get("dataref") == DATAREFS.get(event_type, CONTEXT.claim_check)
    demographics = event.get("demographics", {})
    assert bool(demographics.get("birthDate")) is (name != "blood-spot-test-outcome-1-delete.xml")
    # The delete of a screening outcome holds no Patient.
    screened = event_type in {"blood-spot-test-outcome-1", "newborn-hearing-1", "nipe-outcome-1"}
    homeless = event_type == "pds-record-change-1" or (screened and name.endswith("-delete.xml"))
    assert bool(demographics.get("postcodes")) is not homeless
    assert bool(demographics.get("practice")) is (event_type in {"pds-change-of-gp-1", "pds-birth-notification-1"})
    broken = name == "nipe-outcome-1-update.xml"
    assert event["time"] == (header["meta"]["lastUpdated"] if broken else header["timestamp"])


@pytest.mark.parametrize("name", EVENTS)
def test_a_published_message_is_told_in_the_forms_of_mns(
    shipped: Shipped, examples: Path, signal_schema: Draft202012Validator, name: str
) -> None:
    event = event_of(shipped, examples, name)
    signal = shipped.written(event, "mns-signal")
    assert errors(signal, "R4") == []
    signal_schema.validate(signal)
    told = {key: value for key, value in event.items() if key not in ("filtering", "demographics")}
    mns = shipped.catalogue[event["type"]].mns
    assert mns is not None
    # Not even a renderer that were given what the event is matched by would tell it.
    assert shipped.written(event, "cloudevent") == {"specversion": "1.0", **told, "type": mns.type}


@pytest.mark.parametrize("name", EVENTS)
def test_the_event_of_a_published_message_can_be_told_to_nems_anew(shipped: Shipped, examples: Path, name: str) -> None:
    """The gateway never does so: it has the message itself. It shows that an event holds what its message needs."""
    event = event_of(shipped, examples, name)
    message = shipped.written(event, "nems-message")
    assert errors(message, "STU3") == []
    assert parse_xml(render_xml(message, load("STU3")), load("STU3")).resource == message
    again = shipped.event(message, "nems-message", shipped.named(event["type"]))
    kept = {key: value for key, value in event.items() if key not in ("dataref", "filtering", "demographics")}
    assert {key: value for key, value in again.items() if key in kept} == kept
    assert again.get("filtering") == event.get("filtering")


@pytest.mark.parametrize("event_type", ["pds-change-of-gp-1", "pds-death-notification-1", "vaccinations-1"])
def test_what_would_be_news_by_its_absence_is_not_left_out(shipped: Shipped, event_type: str) -> None:
    event = {"id": "1", "source": "uk.nhs.example", "type": event_type, "time": "2031-05-06T07:08:09Z"}
    with pytest.raises(Refusal) as caught:
        shipped.written(event | {"subject": "9990000018", "dataref": "https://example.org/1"}, "nems-message")
    assert [issue.reason for issue in caught.value.issues] == ["NO_RECORD_FOUND"]
