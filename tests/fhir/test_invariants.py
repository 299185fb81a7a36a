"""What must hold between the parts of a resource: each rule broken, at its place, and kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fhir.tables import Version, load
from gateway.fhir.validate import validate

PATIENT = {"resourceType": "Patient"}
SOURCE = {"endpoint": "urn:nhs:addressing:asid:200000000001"}
HEADERS: dict[str, dict[str, Any]] = {
    "STU3": {
        "resourceType": "MessageHeader", "event": {"code": "x"}, "timestamp": "2026-03-02T09:30:00Z", "source": SOURCE,
    },
    "R4": {
        "resourceType": "MessageHeader", "eventUri": "urn:x", "source": SOURCE,
    },
}  # fmt: skip
REQUEST = {"request": {"method": "GET", "url": "Patient"}}
RESPONSE = {"response": {"status": "200"}}
TYPES = [
    "document", "message", "transaction", "transaction-response", "batch", "batch-response", "history", "searchset",
    "collection",
]  # fmt: skip
VERSIONS: tuple[Version, ...] = ("STU3", "R4")

both = pytest.mark.parametrize("version", VERSIONS)


def bundle(kind: str, *entries: Any, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, **({"entry": list(entries)} if entries else {}), **more}


def entry(resource: dict[str, Any] = PATIENT, **more: Any) -> dict[str, Any]:
    return {"resource": resource, **more}


def found(resource: Any, version: Version) -> set[tuple[str, str]]:
    issues = validate(resource, load(version))
    assert all(issue.severity == "error" and issue.reason == "INVALID_RESOURCE" for issue in issues)
    return {(issue.location, issue.text) for issue in issues}


@both
@pytest.mark.parametrize("kind", TYPES)
def test_a_total_is_for_searches_and_histories(kind: str, version: Version) -> None:
    broken = ("Bundle.total", "is for a searchset or history only (bdl-1)")
    assert (broken in found(bundle(kind, total=0), version)) == (kind not in {"searchset", "history"})


@both
@pytest.mark.parametrize("kind", TYPES)
def test_a_search_is_for_searches(kind: str, version: Version) -> None:
    broken = ("Bundle.entry[1].search", "is for a searchset only (bdl-2)")
    searched = bundle(kind, entry(), entry(search={"mode": "match"}))
    assert (broken in found(searched, version)) == (kind != "searchset")


@both
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    ("part", "kinds", "rule"),
    [
        (REQUEST, {"batch", "transaction", "history"}, "bdl-3"),
        (RESPONSE, {"batch-response", "transaction-response", "history"}, "bdl-4"),
    ],
)
def test_requests_and_responses_are_where_the_type_has_them(
    part: dict[str, Any], kinds: set[str], rule: str, kind: str, version: Version
) -> None:
    location = f"Bundle.entry[0].{next(iter(part))}"
    with_part = found(bundle(kind, entry(**part)), version)
    assert ((location, f"is not for a Bundle of this type ({rule})") in with_part) == (kind not in kinds)
    without_part = found(bundle(kind, entry()), version)
    needed = version == "R4" and kind in kinds
    assert ((location, f"is required in a Bundle of this type ({rule})") in without_part) == needed


@both
def test_an_entry_without_content(version: Version) -> None:
    expected = {("Bundle.entry[1]", "has no resource, request or response (bdl-5)")}
    assert found(bundle("collection", entry(), {"fullUrl": "urn:x"}), version) == expected


@both
def test_a_deleted_resource_in_a_history_has_no_resource(version: Version) -> None:
    assert found(bundle("history", {"fullUrl": "urn:x", **REQUEST, **RESPONSE}), version) == set()


@both
def test_two_entries_with_one_full_url(version: Version) -> None:
    twice = [entry(fullUrl="urn:x"), entry(fullUrl="urn:y"), entry(fullUrl="urn:x")]
    expected = {("Bundle.entry[2].fullUrl", "is that of another entry (bdl-7)")}
    assert found(bundle("collection", *twice), version) == expected
    assert found(bundle("history", *({**each, **REQUEST, **RESPONSE} for each in twice)), version) == set()


@both
def test_versions_of_one_resource_share_its_full_url(version: Version) -> None:
    one, two = ({**PATIENT, "meta": {"versionId": number}} for number in ("1", "2"))
    apart = bundle("collection", entry(one, fullUrl="urn:x"), entry(two, fullUrl="urn:x"))
    assert found(apart, version) == set()
    same = bundle("collection", entry(one, fullUrl="urn:x"), entry(one, fullUrl="urn:x"))
    assert found(same, version) == {("Bundle.entry[1].fullUrl", "is that of another entry (bdl-7)")}


@both
def test_a_full_url_is_not_that_of_a_version(version: Version) -> None:
    url = "https://fhir.example/Patient/1/_history/2"
    expected = {("Bundle.entry[0].fullUrl", "is of one version of a resource (bdl-8)")}
    assert found(bundle("collection", entry(fullUrl=url)), version) == expected


@both
@pytest.mark.parametrize(
    ("kind", "entries", "text"),
    [
        ("message", [], "is not a MessageHeader (bdl-12)"),
        ("message", [entry()], "is not a MessageHeader (bdl-12)"),
        ("message", [entry(), "header"], "is not a MessageHeader (bdl-12)"),
        ("message", ["header", entry()], ""),
        ("document", [entry()], "is not a Composition (bdl-11)"),
    ],
)
def test_the_first_resource(kind: str, entries: list[Any], text: str, version: Version) -> None:
    entries = [entry(HEADERS[version]) if each == "header" else each for each in entries]
    whole: dict[str, Any] = {"identifier": {"system": "urn:x", "value": "1"}}
    if version == "R4":
        whole["timestamp"] = "2026-03-02T09:30:00Z"
    expected = {("Bundle.entry[0].resource", text)} if text else set()
    assert found(bundle(kind, *entries, **whole), version) == expected


@both
@pytest.mark.parametrize("identifier", [None, {"system": "urn:x"}, {"value": "1"}])
def test_a_document_has_an_identifier(identifier: dict[str, str] | None, version: Version) -> None:
    document = bundle("document", **({"identifier": identifier} if identifier else {}))
    broken = ("Bundle.identifier", "is required of a document, with a system and a value (bdl-9)")
    assert broken in found(document, version)


def test_a_document_of_r4_has_a_date() -> None:
    document = bundle("document", identifier={"system": "urn:x", "value": "1"})
    first = ("Bundle.entry[0].resource", "is not a Composition (bdl-11)")
    assert found(document, "R4") == {first, ("Bundle.timestamp", "is required of a document (bdl-10)")}
    assert found(document, "STU3") == {first}


@both
def test_a_bundle_within_a_bundle_keeps_the_rules_too(version: Version) -> None:
    outer = bundle("collection", entry(bundle("collection", total=1)))
    expected = {("Bundle.entry[0].resource.total", "is for a searchset or history only (bdl-1)")}
    assert found(outer, version) == expected


@both
def test_a_contained_resource_contains_none_and_has_no_version(version: Version) -> None:
    inner = {
        **PATIENT,
        "contained": [PATIENT],
        "meta": {"versionId": "1", "lastUpdated": "2026-03-02T09:30:00Z", "profile": ["urn:x"]},
    }
    assert found({**PATIENT, "contained": [PATIENT, inner]}, version) == {
        ("Patient.contained[1].contained", "is within a contained resource (dom-2)"),
        ("Patient.contained[1].meta.versionId", "is within a contained resource (dom-4)"),
        ("Patient.contained[1].meta.lastUpdated", "is within a contained resource (dom-4)"),
    }


@both
@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({}, "one of value[x], resource and part (inv-1) is required"),
        ({"valueString": "x", "part": [{"name": "y", "valueString": "x"}]}, "more than one of"),
        ({"valueString": "x", "resource": PATIENT}, "more than one of"),
        ({"valueString": "x", "valueCode": "y"}, "more than one of"),
        ({"part": [{"name": "y", "valueString": "x"}]}, ""),
        ({"resource": PATIENT}, ""),
        ({"_valueString": {"id": "x"}}, ""),
    ],
)
def test_a_parameter_has_one_content(content: dict[str, Any], text: str, version: Version) -> None:
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "x", **content}]}
    issues = found(parameters, version)
    assert {location for location, _ in issues} == ({"Parameters.parameter[0]"} if text else set())
    assert all(words.startswith(text) for _, words in issues)


@given(
    kind=st.sampled_from(TYPES) | st.integers() | st.none(),
    entries=st.lists(
        st.none()
        | st.dictionaries(
            st.sampled_from(["fullUrl", "resource", "request", "response", "search"]),
            st.none() | st.integers() | st.just("urn:x") | st.just({}) | st.just([]),
        )
    )
    | st.none()
    | st.just({}),
)
def test_rules_stand_any_structure(kind: Any, entries: Any) -> None:
    for version in VERSIONS:
        assert validate({"resourceType": "Bundle", "type": kind, "entry": entries}, load(version))
