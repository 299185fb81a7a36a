"""The committed tables are what the generator makes, and read as the specification has them."""

from __future__ import annotations

import pytest

from gateway.fhir import build_tables
from gateway.fhir.tables import Field, Tables, Version, load

VERSIONS: tuple[Version, ...] = ("STU3", "R4")


@pytest.fixture(params=VERSIONS)
def tables(request: pytest.FixtureRequest) -> Tables:
    return load(request.param)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_committed_file_is_what_the_generator_makes(version: str) -> None:
    assert build_tables.table_file(version).read_text(encoding="utf-8") == build_tables.generate(version)


def test_every_type_that_an_element_names_is_known(tables: Tables) -> None:
    for type_name in types_in_use(tables):
        for field in tables.fields(type_name).values():
            assert field.type == "Resource" or tables.has(field.type), f"{type_name}.{field.name}"


def types_in_use(tables: Tables) -> set[str]:
    """Every type that can be reached from a resource."""
    reached, queue = set(tables.resources), list(tables.resources)
    for name in queue:
        inner = {field.type for field in tables.fields(name).values() if field.type != "Resource"}
        new = {type_name for type_name in inner - reached if not tables.is_primitive(type_name)}
        reached |= new
        queue.extend(sorted(new))
    return reached


def test_elements_are_in_the_order_of_the_schema() -> None:
    assert list(load("STU3").fields("MessageHeader"))[8:14] == [
        "event",
        "destination",
        "receiver",
        "sender",
        "timestamp",
        "enterer",
    ]


def test_an_element_says_its_type_cardinality_and_group() -> None:
    stu3 = load("STU3")
    assert stu3.fields("Bundle")["id"] == Field("id", "id", is_list=False, required=False, choice=None)
    assert stu3.fields("Bundle")["entry"] == Field("entry", "Bundle.entry", is_list=True, required=False, choice=None)
    assert stu3.fields("Bundle.entry")["link"].type == "Bundle.link"
    assert stu3.fields("Bundle.entry.request")["url"].required
    assert stu3.fields("Bundle.entry")["resource"].type == "Resource"


# (element, its codes in STU3, its codes in R4), from the pages of the two specifications
REQUIRED_CODES = [
    ("Bundle", "type", "document message transaction transaction-response batch batch-response history searchset collection", ...),
    ("Bundle.entry.request", "method", "GET POST PUT DELETE", "GET HEAD POST PUT DELETE PATCH"),
    ("Patient", "gender", "male female other unknown", ...),
    ("HumanName", "use", "usual official temp nickname anonymous old maiden", ...),
    ("ContactPoint", "system", "phone fax email pager url sms other", ...),
    ("ContactPoint", "use", "home work temp old mobile", ...),
    ("Address", "use", "home work temp old", "home work temp old billing"),
    ("Address", "type", "postal physical both", ...),
    ("Identifier", "use", "usual official temp secondary", "usual official temp secondary old"),
    ("Narrative", "status", "generated extensions additional empty", ...),
    ("Quantity", "comparator", "< <= >= >", ...),
    ("Encounter", "status", "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown", ...),
    ("Immunization", "status", "completed entered-in-error", "completed entered-in-error not-done"),
    ("EpisodeOfCare", "status", "planned waitlist active onhold finished cancelled entered-in-error", ...),
    (
        "Communication",
        "status",
        "preparation in-progress suspended aborted completed entered-in-error unknown",
        "preparation in-progress not-done on-hold stopped completed entered-in-error unknown",
    ),
    ("Observation", "status", "registered preliminary final amended corrected cancelled entered-in-error unknown", ...),
    (
        "DiagnosticReport",
        "status",
        "registered partial preliminary final amended corrected appended cancelled entered-in-error unknown",
        ...,
    ),
    (
        "Procedure",
        "status",
        "preparation in-progress suspended aborted completed entered-in-error unknown",
        "preparation in-progress not-done on-hold stopped completed entered-in-error unknown",
    ),
    ("MessageHeader.response", "code", "ok transient-error fatal-error", ...),
    ("OperationOutcome.issue", "severity", "fatal error warning information", ...),
    ("Subscription", "status", "requested active error off", ...),
    ("Subscription.channel", "type", "rest-hook websocket email sms message", ...),
]  # fmt: skip


@pytest.mark.parametrize(("type_name", "element", "in_stu3", "in_r4"), REQUIRED_CODES)
def test_a_required_binding_has_the_codes_of_the_specification(
    type_name: str, element: str, in_stu3: str, in_r4: object
) -> None:
    expected = {"STU3": in_stu3, "R4": in_stu3 if in_r4 is ... else str(in_r4)}
    for version in VERSIONS:
        assert load(version).fields(type_name)[element].codes == frozenset(expected[version].split(" ")), version


def test_the_codes_of_issues_are_those_of_issue_type() -> None:
    stu3, r4 = (load(version).fields("OperationOutcome.issue")["code"].codes or frozenset() for version in VERSIONS)
    assert len(stu3) == 29
    assert {"structure", "business-rule", "incomplete", "informational"} < stu3
    assert r4 - stu3 == {"multiple-matches", "deleted"}


def test_what_a_short_text_leaves_open_is_no_code(tables: Tables) -> None:
    bound = [
        field
        for type_name in tables.type_names
        for field in tables.fields(type_name).values()
        if field.codes is not None
    ]
    assert len(bound) > 250
    assert all(field.type == "code" for field in bound)
    assert not {code for field in bound for code in field.codes or () if code in {"", "etc."} or code.endswith("+")}
    assert tables.fields("CapabilityStatement")["format"].codes is None
    assert tables.fields("Attachment")["contentType"].codes is None
    assert tables.fields("Coding")["code"].codes is None


def test_a_required_choice_group_is_required_on_each_member() -> None:
    members = load("STU3").choices("Communication.payload", "content")
    assert {type_name: field.name for type_name, field in members.items()} == {
        "string": "contentString",
        "Attachment": "contentAttachment",
        "Reference": "contentReference",
    }
    assert all(field.required for field in members.values())


def test_extension_values_are_those_of_r4_and_not_of_r4b() -> None:
    members = load("R4").choices("Extension", "value")
    assert members["Meta"].name == "valueMeta"
    assert members["uuid"].name == "valueUuid"
    assert not {"CodeableReference", "RatioRange"} & members.keys()
    assert "Meta" in load("R4").choices("ElementDefinition", "defaultValue")
    assert len(members) == 50


def test_what_a_name_stands_for(tables: Tables) -> None:
    assert tables.is_primitive("dateTime")
    assert not tables.is_primitive("Patient")
    assert tables.is_resource("Patient")
    assert not tables.is_resource("HumanName")
    assert tables.has("HumanName")
    assert not tables.has("Banana")
    assert tables.choices("Patient", "value") == {}
    with pytest.raises(KeyError):
        tables.fields("Banana")


def test_elements_within_elements_have_names_of_their_own() -> None:
    r4 = load("R4")
    assert r4.fields("Parameters.parameter")["part"].type == "Parameters.parameter"
    assert r4.fields("Questionnaire.item")["item"].type == "Questionnaire.item"
    assert r4.fields("Timing")["repeat"].type == "Timing.repeat"
    assert r4.fields("ClaimResponse")["adjudication"].type == "ClaimResponse.item.adjudication"
