"""The form of an MNS signal: each fault at its place, and the same verdicts as the schema that MNS publishes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from gateway.fhir.signal import signal_faults

CASES = Path(__file__).resolve().parents[2] / "mappings" / "mns" / "cases"
PARAMETER = "Bundle.entry[0].resource.parameter"
FIXED = "not the value that is fixed there"
FORM = "not of the form that is fixed there"
MOMENT = "Expected a date and time with a zone"
DELETE = object()

# (steps to a value, what to put there, location of the fault, what is said of it)
FAULTS: list[tuple[list[str | int], Any, str, str]] = [
    (["resourceType"], "Parameters", "Bundle.resourceType", FIXED),
    (["id"], 7, "Bundle.id", "Expected `str`, got `int`"),
    (["type"], "searchset", "Bundle.type", FIXED),
    (["timestamp"], DELETE, "Bundle", "Object missing required field `timestamp`"),
    (["timestamp"], "2026-03-02", "Bundle.timestamp", MOMENT),
    (["timestamp"], "2026-03-02 09:30:00Z", "Bundle.timestamp", MOMENT),
    (["timestamp"], 20260302, "Bundle.timestamp", MOMENT),
    (["timestamp"], "2026-03-02T09:30:00+58:00", "Bundle.timestamp", "Expected a date of the calendar and a zone of the Earth"),
    (["timestamp"], "2026-02-30T09:30:00Z", "Bundle.timestamp", "Expected a date of the calendar and a zone of the Earth"),
    (["entry"], [], "Bundle.entry", "Expected `array` of at least length 1, got 0"),
    (["entry", 1], "x", "Bundle.entry[1]", "Expected `object`, got `str`"),
    (["entry", 0, "fullUrl"], "urn:uuid:1", "Bundle.entry[0].fullUrl", FORM),
    (["entry", 0, "request", "method"], "POST", "Bundle.entry[0].request.method", FIXED),
    (["entry", 0, "request", "url"], "subscriptions", "Bundle.entry[0].request.url", FORM),
    (["entry", 0, "response", "status"], "201", "Bundle.entry[0].response.status", FIXED),
    (["entry", 0, "response"], DELETE, "Bundle.entry[0]", "Object missing required field `response`"),
    (["entry", 0, "resource", "id"], "1", "Bundle.entry[0].resource.id", FORM),
    (["entry", 0, "resource", "meta", "profile", 0], "urn:x", "Bundle.entry[0].resource.meta.profile[0]", FIXED),
    (["entry", 0, "resource", "parameter", 4], DELETE, PARAMETER, "Expected `array` of length 5, got 4"),
    (["entry", 0, "resource", "parameter", 5], {"name": "x"}, PARAMETER, "Expected `array` of length 5, got 6"),
    (["entry", 0, "resource", "parameter", 0, "name"], "status", f"{PARAMETER}[0].name", FIXED),
    (["entry", 0, "resource", "parameter", 0, "valueReference", "reference"], "a b", f"{PARAMETER}[0].valueReference.reference", FORM),
    (["entry", 0, "resource", "parameter", 1, "valueCode"], "off", f"{PARAMETER}[1].valueCode", FIXED),
    (["entry", 0, "resource", "parameter", 2, "valueCode"], "handshake", f"{PARAMETER}[2].valueCode", FIXED),
    (["entry", 0, "resource", "parameter", 3, "part", 0, "valueString"], "2", f"{PARAMETER}[3].part[0].valueString", FIXED),
    (["entry", 0, "resource", "parameter", 3, "part", 1, "valueInstant"], "x", f"{PARAMETER}[3].part[1].valueInstant", MOMENT),
    (["entry", 0, "resource", "parameter", 3, "part", 3], {}, f"{PARAMETER}[3].part", "Expected `array` of at most length 3, got 4"),
    (["entry", 0, "resource", "parameter", 4, "part", 1, "valueUri"], None, f"{PARAMETER}[4].part[1].valueUri", "Expected `str`, got `null`"),
    (["entry", 0, "resource", "parameter", 4, "part", 2, "name"], "9990000018", f"{PARAMETER}[4].part[2].name", FIXED),
    (["entry", 0, "resource", "parameter", 4, "part", 2, "valueReference", "identifier"], {}, f"{PARAMETER}[4].part[2].valueReference.identifier", "Object missing required field `value`"),
]  # fmt: skip


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    """A signal with all that one can have, as our own mapping module writes it."""
    signal: dict[str, Any] = json.loads((CASES / "mns-signal.full.json").read_text(encoding="utf-8"))["expected"]
    return signal


def changed(signal: Any, steps: list[str | int], value: Any) -> Any:
    """A copy with a value put at a place, or taken from it."""
    signal = copy.deepcopy(signal)
    target = signal
    for step in steps[:-1]:
        target = target[step]
    if value is DELETE:
        del target[steps[-1]]
    elif isinstance(target, list) and steps[-1] == len(target):
        target.append(value)
    else:
        target[steps[-1]] = value
    return signal


def test_what_we_write_is_a_signal(ours: dict[str, Any]) -> None:
    assert signal_faults(ours) == []


@pytest.mark.parametrize(("steps", "value", "location", "said"), FAULTS)
def test_a_fault_is_found_at_its_place(
    ours: dict[str, Any], steps: list[str | int], value: Any, location: str, said: str
) -> None:
    (issue,) = signal_faults(changed(ours, steps, value))
    assert (issue.reason, issue.severity, issue.location) == ("INVALID_RESOURCE", "error", location)
    assert issue.text == f"is not as MNS has it in a signal: {said}"


@pytest.mark.parametrize("value", [None, [], "signal", 1])
def test_what_is_no_object_is_no_signal(value: Any) -> None:
    (issue,) = signal_faults(value)
    assert issue.location == "Bundle"


def test_no_text_repeats_a_value(ours: dict[str, Any]) -> None:
    for steps in places(ours):
        for issue in signal_faults(changed(ours, steps, "9990000018")):
            assert "9990000018" not in issue.text + issue.location


def test_the_parts_of_the_context_after_the_source_may_be_fewer(ours: dict[str, Any]) -> None:
    part: list[str | int] = ["entry", 0, "resource", "parameter", 4, "part", 2]
    without_subject = changed(ours, part, DELETE)
    assert signal_faults(without_subject) == []
    assert signal_faults(changed(without_subject, part, DELETE)) == []


def places(value: Any, *steps: str | int) -> Iterator[list[str | int]]:
    """The steps to every value inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in inner:
        yield [*steps, step]
        yield from places(item, *steps, step)


def beyond_the_schema(steps: list[str | int]) -> bool:
    """Whether it is of the request or response of the first entry: the schema has these inside the resource."""
    return len(steps) > 2 and steps[:2] == ["entry", 0] and steps[2] in {"request", "response"}


# Lower-case "t" and "z", which RFC 3339 allows and FHIR does not, are not among the times.
VALUES = st.one_of(
    st.sampled_from(
        [
            *(DELETE, None, True, 0, 1, "", "1", "2", "200", "active", "GET", [], {}, [{}], [1], {"name": "focus"}),
            *("subject", "version-id", "focus", "source", "history", "Bundle", "Parameters", "event-notification"),
            *("2026-03-02T09:30:00Z", "2026-03-02T09:30:00.1234567+14:00", "2026-03-02", "2026-02-30T00:00:00Z"),
            *("2026-03-02T09:30:00", "2026-03-02T24:00:00Z", "2026-03-02T09:30:60Z", "2026-03-02T09:30:00+58:00"),
            *("urn:x", "https://a.example/b?c=d#e", "https://[::1]:8080/x", "relative/1", "https://a b", "http://é"),
            *("http://a/%20", "http://a/%zz", "urn:uuid:0d7b2a90-55ff-4c0a-8a41-9d1f6f5a7c02", "urn:uuid:0d7b2a90"),
            *("0d7b2a90-55ff-4c0a-8a41-9d1f6f5a7c02", "0d7b2a90-55ff-4c0a-8a41-9d1f6f5a7c0g"),
            {"name": "version-id", "valueString": "1"},
            {"name": "subject", "valueReference": {"identifier": {"value": "9990000018"}}},
            {"name": "focus", "valueReference": {"reference": "urn:x"}},
        ]
    ),
    st.text(max_size=5),
)


@pytest.fixture(scope="module")
def published(examples: Path) -> list[Any]:
    files = [
        *(examples / "mns" / "signal-schemas" / "examples").glob("*/*.json"),
        *(examples / "mns").glob("*.fhir.json"),
    ]
    assert len(files) == 15
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(files)]


@pytest.fixture(scope="module")
def schema(examples: Path) -> Draft202012Validator:
    """The schema that MNS publishes."""
    text = (examples / "mns" / "signal-schemas" / "fhirsignal.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text), format_checker=FormatChecker())


def test_the_published_signals_are_signals(published: list[Any], schema: Draft202012Validator) -> None:
    for signal in published:
        assert schema.is_valid(signal)
        assert signal_faults(signal) == []


@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_the_published_schema_says_the_same_of_changed_signals(
    published: list[Any], schema: Draft202012Validator, data: st.DataObject
) -> None:
    signal = data.draw(st.sampled_from(published))
    for _ in range(data.draw(st.integers(1, 2))):
        steps: list[str | int] = data.draw(st.sampled_from([*places(signal)]))
        assume(not beyond_the_schema(steps))
        match data.draw(st.integers(0, 3)):
            case 0 | 1:
                signal = changed(signal, steps, data.draw(VALUES))
            case 2 if isinstance(steps[-1], int):
                signal = inserted(signal, steps, data.draw(VALUES.filter(lambda value: value is not DELETE)))
            case _:
                signal = renamed(signal, steps)
    assert (signal_faults(signal) == []) == schema.is_valid(signal)


def inserted(signal: Any, steps: list[str | int], value: Any) -> Any:
    """A copy with one item more in a list."""
    signal = copy.deepcopy(signal)
    target = signal
    for step in steps[:-1]:
        target = target[step]
    target.insert(steps[-1], value)
    return signal


def renamed(signal: Any, steps: list[str | int]) -> Any:
    """A copy in which an element has another name, or two items of a list have changed places."""
    signal = copy.deepcopy(signal)
    target = signal
    for step in steps[:-1]:
        target = target[step]
    if isinstance(target, list):
        target.append(target.pop(steps[-1]))
    else:
        target["banana"] = target.pop(steps[-1])
    return signal
