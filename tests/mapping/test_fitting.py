"""What comes out is of the type that the target wants, whatever the message says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.errors import ModuleError, Refusal
from gateway.mapping.module import Module
from tests.mapping.conftest import HEAD, OUTPUT, Load

FHIR = HEAD.replace("target: event", "target: nems-message") + "output: {resourceType: Bundle, type: message, "


def made(load: Load, entry: str) -> Module:
    return load(FHIR + "entry: [{resource: {resourceType: Patient, active: true, " + entry + "}}]}\n")


@pytest.mark.parametrize(
    ("entry", "source", "wanted"),
    [
        ("birthDate: '{{ Bundle.entry.fullUrl }}'", "x", "date"),
        ("birthDate: '{{ Bundle.entry.fullUrl.substring(0, 4) }}'", "2x20", "date"),
        ("gender: '{{ Bundle.entry.fullUrl.trim() }}'", " ", "code"),
        ("language: '{{ Bundle.entry.fullUrl.trim() }}'", " ", "code"),
        ("id: 'a{{ Bundle.entry.fullUrl }}'", "a b", "id"),
        ("implicitRules: 'urn:{{ Bundle.entry.fullUrl.trim() }}'", "a b", "uri"),
        ("name: [{text: '{{ Bundle.entry.fullUrl.trim() }}'}]", " ", "string"),
        ("name: [{given: '{{ Bundle.entry.fullUrl.select(trim()) }}'}]", " ", "string"),
        ("multipleBirthInteger: 1, telecom: [{rank: '{{ Bundle.entry.fullUrl.toInteger() }}'}]", "0", "positiveInt"),
    ],
)
def test_a_value_that_is_none_of_its_type_is_refused(load: Load, entry: str, source: str, wanted: str) -> None:
    with pytest.raises(Refusal) as caught:
        made(load, entry).apply({"entry": [{"fullUrl": source}]})
    (issue,) = caught.value.issues
    assert (issue.reason, issue.location) == ("INVALID_RESOURCE", "Bundle.entry.fullUrl")
    assert issue.text == f"this does not give a valid {wanted}"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("birthDate: '{{ Bundle.entry.fullUrl }}'", {"birthDate": "2020"}),
        ("id: 'a{{ Bundle.entry.fullUrl }}'", {"id": "a2020"}),
        ("name: [{given: '{{ Bundle.entry.fullUrl.select(trim()) }}'}]", {"name": [{"given": ["2020"]}]}),
        ("telecom: [{rank: '{{ Bundle.entry.fullUrl.toInteger() }}'}]", {"telecom": [{"rank": 2020}]}),
        ("multipleBirthInteger: '{{ Bundle.total }}'", {"multipleBirthInteger": 3}),
        ("extension: [{url: a, valueDecimal: '{{ Bundle.total / 2 }}'}]", {"extension": [{"url": "a", "valueDecimal": Decimal("1.5")}]}),
    ],
)  # fmt: skip
def test_a_value_of_its_type_goes_out(load: Load, entry: str, expected: dict[str, Any]) -> None:
    output = made(load, entry).apply({"total": 3, "entry": [{"fullUrl": "2020"}]})
    assert output["entry"][0]["resource"] == {"resourceType": "Patient", "active": True, **expected}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("birthDate: soon", "this is not a valid date"),
        ("birthDate: \"{{ 'soon' }}\"", "this is not a valid date"),
        ("id: a b", "this is not a valid id"),
        ("telecom: [{rank: 0}]", "this is not a valid positiveInt"),
        ("extension: [{url: a b, valueCode: x}]", "this is not a valid uri"),
    ],
)
def test_a_literal_that_is_none_of_its_type_is_a_mistake(load: Load, entry: str, message: str) -> None:
    with pytest.raises(ModuleError, match=message):
        made(load, entry)


@pytest.mark.parametrize(
    "line",
    [
        "subject: '{{ Bundle.id }}'",
        "subject: '{{ Bundle.entry.fullUrl }}'",
        "subject: 'x {{ Bundle.id.trim() }}'",
        "dataref: 'https://a/{{ Bundle.id }}'",
        "dataref: '{{ %claimCheck }}'",
        "versionid: \"{{ Bundle.id.uuid5('https://a') }}\"",
        "subject: '{{ iif(Bundle.total > 1, Bundle.id, Bundle.id) }}'",
    ],
)
def test_what_is_sure_is_not_looked_at(load: Load, line: str) -> None:
    assert not _holders(load(HEAD + OUTPUT + f"  {line}\n"))


@pytest.mark.parametrize("line", ["subject: '{{ Bundle.id.trim() }}'", "dataref: 'https://a/{{ Bundle.id.trim() }}'"])
def test_what_is_not_sure_is_looked_at(load: Load, line: str) -> None:
    assert _holders(load(HEAD + OUTPUT + f"  {line}\n"))


R4 = FHIR.replace("source: nems-message", "source: mns-signal")


@pytest.mark.parametrize("element", ["name", "address", "communication", "maritalStatus"])
def test_an_object_that_is_the_same_in_both_versions_is_copied(load: Load, element: str) -> None:
    one = "" if element == "maritalStatus" else "s"
    text = R4 + "entry: [{resource: {resourceType: Patient, active: true, " + element
    module = load(text + ": '{{ Bundle.entry.resource.ofType(Patient)." + element + " }}'}}]}\n")
    value: Any = {"text": "x"} if not one else [{"id": "x"}]
    message = {"entry": [{"resource": {"resourceType": "Patient", element: value}}]}
    assert module.apply(message)["entry"][0]["resource"][element] == value


@pytest.mark.parametrize("element", ["managingOrganization", "identifier", "contained", "link"])
def test_an_object_that_is_another_in_the_other_version_is_not_copied(load: Load, element: str) -> None:
    text = R4 + "entry: [{resource: {resourceType: Patient, " + element
    with pytest.raises(ModuleError, match="is not the same in both FHIR versions: write its elements"):
        load(text + ": '{{ Bundle.entry.resource.ofType(Patient)." + element + " }}'}}]}\n")


def _holders(module: Module) -> list[str]:
    objects = module.made.module().objects.values()
    return [one.__qualname__ for one in objects if getattr(one, "__qualname__", "").startswith("holder.")]
