"""The committed tables are what the generator makes, and read as the specification has them."""

from __future__ import annotations

import pytest

from gateway.fhir import build_tables
from gateway.fhir.tables import Field, Tables, load


@pytest.fixture(params=["STU3", "R4"])
def tables(request: pytest.FixtureRequest) -> Tables:
    return load(request.param)


@pytest.mark.parametrize("version", ["STU3", "R4"])
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
    assert stu3.fields("Bundle")["type"] == Field("type", "code", is_list=False, required=True, choice=None)
    assert stu3.fields("Bundle")["entry"] == Field("entry", "Bundle.entry", is_list=True, required=False, choice=None)
    assert stu3.fields("Bundle.entry")["link"].type == "Bundle.link"
    assert stu3.fields("Bundle.entry.request")["url"].required
    assert stu3.fields("Bundle.entry")["resource"].type == "Resource"


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
