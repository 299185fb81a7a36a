"""Messages of forms that are not FHIR's, and of those that are."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.mapping.forms import forms
from gateway.mapping.validity import faults

EVENT: dict[str, Any] = {"id": "1", "source": "urn:a", "type": "t", "time": "2020-01-31T10:00:00Z"}


@pytest.mark.parametrize(
    "more",
    [{}, {"subject": "s", "filtering": {"a": 1, "b": [True, "x"], "c": False, "d": None}}, {"dataref": "https://a/b"}],
)
def test_an_event_is_valid(more: dict[str, Any]) -> None:
    assert faults(EVENT | more, forms()["event"]) == []


@pytest.mark.parametrize(
    ("message", "location"),
    [
        (EVENT | {"time": "2020"}, "Event.time"),
        (EVENT | {"id": 1}, "Event.id"),
        (EVENT | {"source": "a b"}, "Event.source"),
        (EVENT | {"subject": ""}, "Event.subject"),
        (EVENT | {"sbject": "a"}, "Event.sbject"),
        (EVENT | {"a name with spaces": "a"}, "Event"),
        (EVENT | {"filtering": {}}, "Event.filtering"),
        (EVENT | {"filtering": {"a": [None]}}, "Event.filtering.a"),
        (EVENT | {"filtering": {"a": []}}, "Event.filtering.a"),
        (EVENT | {"filtering": {"a": [{}]}}, "Event.filtering.a"),
        (EVENT | {"filtering": "a"}, "Event.filtering"),
        ({name: value for name, value in EVENT.items() if name != "time"}, "Event.time"),
        ([], "Event"),
        ({}, "Event"),
        (None, "Event"),
    ],
)
def test_an_event_that_is_none_is_told_where(message: Any, location: str) -> None:
    (issue,) = faults(message, forms()["event"])
    assert (issue.reason, issue.location, issue.severity) == ("INVALID_RESOURCE", location, "error")


def test_faults_are_told_by_the_hundred() -> None:
    assert len(faults(EVENT | {f"x{n}": 1 for n in range(1_000)}, forms()["event"])) == 100


def test_a_resource_of_another_type_is_not_of_the_form() -> None:
    patient = {"resourceType": "Patient", "id": "a"}
    assert faults(patient, forms()["r4-patient"]) == []
    assert [issue.location for issue in faults(patient, forms()["mns-signal"])] == ["Bundle"]
    assert faults({"resourceType": "Bundle"}, forms()["nems-message"]) != []
