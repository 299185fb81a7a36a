"""Structure: every planted fault is found, at its place; what real messages have passes."""

from __future__ import annotations

import copy
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.fhir.json import parse_json
from gateway.fhir.tables import Tables
from gateway.fhir.validate import validate
from gateway.fhir.xml import parse_xml

DELETE = object()
HEADER = "Bundle.entry[0].resource"
PATIENT = "Bundle.entry[1].resource"
PAYLOAD = "Bundle.entry[2].resource.payload[0]"
ROUTING = f"{HEADER}.extension[0]"
BIRTH_DATE = f"{ROUTING}.extension[2]"
NOT_A_CODE = "is not a code of the required value set"
UNEQUAL = "is not as long as the list of values it belongs to"
DIV = '<div xmlns="http://www.w3.org/1999/xhtml"/>'

# (where, what to put there, location of the fault, its text)
PLANTED: list[tuple[str, Any, str, str]] = [
    ("Bundle.type", DELETE, "Bundle.type", "is required"),
    ("Bundle.banana", "x", "Bundle.banana", "there is no such element"),
    ("Bundle.9990123403", "x", "Bundle", "there is no such element"),
    ("Bundle.type", 7, "Bundle.type", "is not a JSON string"),
    ("Bundle.type", None, "Bundle.type", "is null"),
    ("Bundle.type", "", "Bundle.type", "is empty"),
    ("Bundle.type", "two  spaces", "Bundle.type", "is not a valid code"),
    ("Bundle.type", ["message"], "Bundle.type", "is not a JSON string"),
    ("Bundle.id", "x" * 65, "Bundle.id", "is not a valid id"),
    ("Bundle.meta", [], "Bundle.meta", "is not an object"),
    ("Bundle.meta", {}, "Bundle.meta", "is empty"),
    ("Bundle.meta.profile", "https://example.org", "Bundle.meta.profile", "is not a list"),
    ("Bundle.meta.profile", [], "Bundle.meta.profile", "is empty"),
    ("Bundle.meta.profile", ["https://example.org", "a b"], "Bundle.meta.profile[1]", "is not a valid uri"),
    ("Bundle.meta.profile", [None], "Bundle.meta.profile[0]", "is null"),
    ("Bundle.entry", {"a": 1}, "Bundle.entry", "is not a list"),
    ("Bundle.entry[1].link", [], "Bundle.entry[1].link", "is empty"),
    ("Bundle.entry[1]", None, "Bundle.entry[1]", "is not an object"),
    (f"{PATIENT}.resourceType", "Banana", PATIENT, "is not a resource of this FHIR version"),
    (f"{PATIENT}.resourceType", DELETE, PATIENT, "is not a resource of this FHIR version"),
    (f"{HEADER}.event", DELETE, f"{HEADER}.event", "is required"),
    (f"{HEADER}.event.resourceType", "Coding", f"{HEADER}.event.resourceType", "there is no such element"),
    (f"{HEADER}.timestamp", "2026-03-02T09:30:00", f"{HEADER}.timestamp", "is not a valid instant"),
    (f"{HEADER}.timestamp", "2026-02-30", f"{HEADER}.timestamp", "is not a valid instant"),
    (f"{HEADER}.source.endpoint", DELETE, f"{HEADER}.source.endpoint", "is required"),
    (f"{ROUTING}.url", DELETE, f"{ROUTING}.url", "is required"),
    (f"{ROUTING}.extension", DELETE, ROUTING, "has neither a value nor extensions (ext-1)"),
    (f"{ROUTING}.valueString", "x", ROUTING, "has both a value and extensions (ext-1)"),
    (f"{BIRTH_DATE}.valueDate", "1970", f"{BIRTH_DATE}.value", "more than one of value[x] is there"),
    (f"{BIRTH_DATE}._url", {"id": "x"}, f"{BIRTH_DATE}._url", "there is no such element"),
    (f"{PAYLOAD}.contentReference", DELETE, PAYLOAD, "is empty"),
    (f"{PAYLOAD}.contentString", "x", f"{PAYLOAD}.content", "more than one of content[x] is there"),
    (PAYLOAD, {"id": "x"}, f"{PAYLOAD}.content", "one of content[x] is required"),
    ("Bundle.entry[2].resource.sent", "2026-13", "Bundle.entry[2].resource.sent", "is not a valid dateTime"),
    ("Bundle._type", {}, "Bundle._type", "is empty"),
    ("Bundle._meta", {"id": "x"}, "Bundle._meta", "there is no such element"),
    ("Bundle.meta._profile", [None, None], "Bundle.meta._profile", UNEQUAL),
    ("Bundle.meta._profile", [{"id": 3}], "Bundle.meta._profile[0].id", "is not a JSON string"),
    ("Bundle.meta._tag", [{"id": "x"}], "Bundle.meta._tag", "there is no such element"),
    ("Bundle.meta._profile", {"id": "x"}, "Bundle.meta._profile", "is not a list"),
    ("Bundle.type", "banana", "Bundle.type", NOT_A_CODE),
    ("Bundle.type", "Message", "Bundle.type", NOT_A_CODE),
    (f"{HEADER}.response", {"identifier": "1", "code": "good"}, f"{HEADER}.response.code", NOT_A_CODE),
    (f"{HEADER}.text", {"status": "some", "div": DIV}, f"{HEADER}.text.status", NOT_A_CODE),
    ("Bundle.entry[2].resource.status", "not-done", "Bundle.entry[2].resource.status", NOT_A_CODE),
    (f"{HEADER}.text", {"status": "empty", "div": "x"}, f"{HEADER}.text.div", "is not one well-formed XHTML div"),
]  # fmt: skip


def planted(resource: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of the resource with a value put at, or taken from, a FHIRPath."""
    changed = copy.deepcopy(resource)
    *steps, last = [int(step) if step.isdigit() and len(step) < 3 else step for step in re.findall(r"\w+", path)[1:]]
    target: Any = changed
    for step in steps:
        target = target[step]
    if value is DELETE:
        del target[last]
    else:
        target[last] = value
    return changed


def found(resource: Any, tables: Tables) -> list[tuple[str, str, str]]:
    return [(issue.severity, issue.location, issue.text) for issue in validate(resource, tables)]


@pytest.fixture
def message(change_of_gp: bytes, stu3: Tables) -> dict[str, Any]:
    return parse_xml(change_of_gp, stu3).resource


def test_a_right_message_has_no_faults(message: dict[str, Any], stu3: Tables) -> None:
    assert found(message, stu3) == []


@pytest.mark.parametrize(("path", "value", "location", "text"), PLANTED)
def test_a_planted_fault_is_found_at_its_place(
    message: dict[str, Any], stu3: Tables, path: str, value: Any, location: str, text: str
) -> None:
    assert found(planted(message, path, value), stu3) == [("error", location, text)]


def test_all_planted_faults_of_one_message_are_found(message: dict[str, Any], stu3: Tables) -> None:
    for path in ("Bundle.type", f"{HEADER}.event", f"{PAYLOAD}.contentReference"):
        message = planted(message, path, DELETE)
    message = planted(message, f"{HEADER}.banana", 1)
    assert {location for _, location, _ in found(message, stu3)} == {
        "Bundle.type",
        f"{HEADER}.event",
        f"{HEADER}.banana",
        PAYLOAD,
    }


def test_a_primitive_may_have_extensions_in_place_of_its_value(message: dict[str, Any], stu3: Tables) -> None:
    reason = {"extension": [{"url": "https://example.org/why", "valueCode": "masked"}]}
    message = planted(planted(message, "Bundle._type", reason), "Bundle.type", DELETE)
    message = planted(message, f"{PAYLOAD}._contentString", reason)
    message = planted(message, f"{PAYLOAD}.contentReference", DELETE)
    message = planted(message, "Bundle.meta.profile", [None, "https://example.org"])
    message = planted(message, "Bundle.meta._profile", [reason, None])
    assert found(message, stu3) == []


@pytest.mark.parametrize(
    ("total", "text"),
    [
        (-1, "is not a valid unsignedInt"),
        ("1", "is not a JSON number"),
        (True, "is not a JSON number"),
        (Decimal("1.0"), "is not a valid unsignedInt"),
    ],
)
def test_a_number_of_the_wrong_kind(total: Any, text: str, stu3: Tables) -> None:
    results = {"resourceType": "Bundle", "type": "searchset", "total": total}
    assert found(results, stu3) == [("error", "Bundle.total", text)]


@pytest.mark.parametrize(
    ("codes", "location", "text"),
    [
        (["mon", "someday"], "[1]", NOT_A_CODE),
        (["mon", 7], "[1]", "is not a JSON string"),
        (["mon", []], "[1]", "is not a JSON string"),
        (["mon", None], "[1]", "is null"),
        ([], "", "is empty"),
        ("mon", "", "is not a list"),
    ],
)
def test_each_code_of_a_list_is_one_of_the_value_set(codes: Any, location: str, text: str, stu3: Tables) -> None:
    role = {"resourceType": "PractitionerRole", "availableTime": [{"daysOfWeek": codes}]}
    assert found(role, stu3) == [("error", f"PractitionerRole.availableTime[0].daysOfWeek{location}", text)]


def test_a_code_of_one_version_only(stu3: Tables, r4: Tables) -> None:
    patient = {"resourceType": "Patient", "identifier": [{"use": "old"}]}
    assert found(patient, r4) == []
    assert found(patient, stu3) == [("error", "Patient.identifier[0].use", NOT_A_CODE)]


def test_a_strange_time_zone_is_a_warning(message: dict[str, Any], stu3: Tables) -> None:
    message = planted(message, f"{HEADER}.timestamp", "2026-03-02T09:30:00+58:00")
    assert found(message, stu3) == [("warning", f"{HEADER}.timestamp", "is not a valid instant")]


def test_a_string_of_white_space_is_a_warning(message: dict[str, Any], stu3: Tables) -> None:
    message = planted(message, f"{HEADER}.source.name", " ")
    assert found(message, stu3) == [("warning", f"{HEADER}.source.name", "is not a valid string")]


def test_among_very_many_faults_errors_come_before_warnings(stu3: Tables) -> None:
    names: list[Any] = [{"text": " "} for _ in range(300)]
    names.append({"text": ""})
    issues = validate({"resourceType": "Patient", "name": names}, stu3)
    assert len(issues) == 100
    assert (issues[0].severity, issues[0].location) == ("error", "Patient.name[300].text")


@pytest.mark.parametrize(
    "value", [None, [], {}, "Patient", 1, {"resourceType": ["Patient"]}, {"resourceType": "Banana"}]
)
def test_what_is_no_resource_at_all(value: Any, stu3: Tables) -> None:
    assert found(value, stu3) == [("error", "", "is not a resource of this FHIR version")]


def test_the_published_messages_pass_with_one_warning(examples: Path, stu3: Tables) -> None:
    messages = sorted((examples / "nems" / "events").glob("*.xml"))
    assert len(messages) == 25
    warned = {message.name: found(parse_xml(message.read_bytes(), stu3).resource, stu3) for message in messages}
    assert {name: issues for name, issues in warned.items() if issues} == {
        "nipe-outcome-1-update.xml": [("warning", f"{HEADER}.timestamp", "is not a valid instant")]
    }


def test_a_fault_far_down_is_found_once_on_the_way(stu3: Tables) -> None:
    """To look at each level twice would take for ever: 2 to the power of 90 times."""
    extension: dict[str, Any] = {"url": "x", "valueBoolean": "no"}
    for _ in range(90):
        extension = {"url": "x", "extension": [extension]}
    [(severity, location, text)] = found({"resourceType": "Patient", "extension": [extension]}, stu3)
    assert (severity, text) == ("error", "is not a JSON boolean")
    assert location == "Patient" + ".extension[0]" * 91 + ".valueBoolean"


def test_what_an_api_says_of_an_event_need_be_no_resource(r4: Tables) -> None:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"fullUrl": "urn:a", "resource": {"said": 1}}]}
    assert found(bundle, r4) == [("warning", "Bundle.entry[0].resource", "is not a FHIR resource")]
    bundle["entry"] = [{"fullUrl": "urn:a", "resource": {"resourceType": "Banana"}}]
    assert found(bundle, r4) == [("error", "Bundle.entry[0].resource", "is not a resource of this FHIR version")]


def test_a_published_signal_has_a_resource_that_is_none(examples: Path, r4: Tables) -> None:
    hydrated = examples / "mns" / "signal-schemas" / "examples" / "gpreg-change-gp-req-1" / "hydrated-signal.json"
    assert found(parse_json(hydrated.read_bytes(), r4).resource, r4) == [
        ("warning", "Bundle.entry[1].resource", "is not a FHIR resource")
    ]


def test_the_published_r4_resources_pass(examples: Path, r4: Tables) -> None:
    signals = (examples / "mns" / "signal-schemas" / "examples").glob("*/signal.json")
    files = [*(examples / "backport-ig").glob("*.json"), *(examples / "mns").glob("*.fhir.json"), *signals]
    assert len(files) > 34
    for file in files:
        assert found(parse_json(file.read_bytes(), r4).resource, r4) == [], file.name
