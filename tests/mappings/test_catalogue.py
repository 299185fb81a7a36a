"""Every event type has the mappings it needs."""

from __future__ import annotations

import pytest

from gateway import catalogue
from gateway.resources import folder
from tests.mappings.conftest import Shipped

EVENT_TYPES = sorted(event_type.id for event_type in catalogue.load(folder("config") / "event-types"))
# NEMS, "Supported events", and the code system EMS-EventType-1 of 2018.
NEMS = {
    "BIRTHNOTIFICATION_1", "BLOODSPOTTESTOUTCOME_1", "CHANGEOFADDRESS_1", "CHANGEOFGP_1", "DEATHNOTIFICATION_1",
    "NEWBORNHEARING_1", "NIPEOUTCOME_1", "PDSRECORDCHANGE_1", "PROFESSIONALCONTACTS_1", "VACCINATIONS_1",
}  # fmt: skip


def test_the_ten_released_events_of_nems_are_here(shipped: Shipped) -> None:
    assert {one.nems.workflow for one in shipped.catalogue if one.nems} == NEMS


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_an_event_type_is_read_and_written_in_each_form_it_has(shipped: Shipped, name: str) -> None:
    event_type = shipped.catalogue[name]
    for form in ("cloudevent", "mns-signal", "r4-status", "mns-v1"):
        assert shipped.module(form, "event", event_type)
    for form in ("cloudevent", "mns-signal"):
        assert shipped.module("event", form, event_type)
    for source, target in (("nems-message", "event"), ("event", "nems-message")):
        assert (shipped.modules.find(source, target, name) is not None) == (event_type.nems is not None)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_an_event_type_has_an_mns_name_and_a_topic_of_the_one_scheme(shipped: Shipped, name: str) -> None:
    event_type = shipped.catalogue[name]
    assert event_type.mns is not None
    assert event_type.topic == f"http://fhir.nhs.uk/R5/SubscriptionTopic/{event_type.id}"
    assert event_type.id == (event_type.nems.code if event_type.nems else event_type.mns.type)


@pytest.mark.parametrize("name", [name for name in EVENT_TYPES if name.startswith("pds-")])
def test_a_nems_message_says_the_name_of_its_event(shipped: Shipped, name: str) -> None:
    event_type = shipped.catalogue[name]
    filtering = {"generalpractitioner": "A99991", "deathnotificationstatus": "1"}
    event = {
        "id": "1",
        "source": "uk.nhs.example",
        "type": name,
        "time": "2031-05-06T07:08:09Z",
        "filtering": filtering,
    }
    message = shipped.written(event | {"subject": "9990000018"}, "nems-message")
    assert message["entry"][0]["resource"]["event"]["display"] == event_type.name
