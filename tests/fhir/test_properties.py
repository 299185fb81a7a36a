"""Whatever comes in, the answer is a resource or a Refusal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.errors import Refusal
from gateway.fhir.json import parse_json, render_json
from gateway.fhir.tables import Field, Tables, load
from gateway.fhir.validate import validate
from gateway.fhir.xml import parse_xml, render_xml
from tests.upset import restructured

FIXTURES = Path(__file__).parent / "fixtures"
STU3 = load("STU3")
R4 = load("R4")
XML_FIXTURES = [file.read_bytes() for file in sorted(FIXTURES.glob("*.xml"))]
JSON_FIXTURES = [file.read_bytes() for file in sorted(FIXTURES.glob("*.json"))]

# Names that the tables know in many places, so that arbitrary values get past the first look.
NAMES = st.sampled_from(
    [
        *("resourceType", "id", "_id", "extension", "url", "valueString", "_valueString", "name", "given", "_given"),
        *("contained", "text", "div", "birthDate", "entry", "resource", "meta", "profile", "banana"),
    ]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.decimals(), st.text(), st.sampled_from(["Patient", "Bundle"])
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(NAMES | st.text(), inner), max_leaves=40)

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def mutations(draw: st.DrawFn, texts: list[bytes]) -> bytes:
    """A text with a few of its bytes replaced, removed, repeated or moved."""
    text = bytearray(draw(st.sampled_from(texts)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 60)))
        match draw(st.integers(0, 3)):
            case 0:
                text[start:end] = draw(st.binary(max_size=8))
            case 1:
                del text[start:end]
            case 2:
                text[start:start] = text[start:end]
            case _:
                target = draw(st.integers(0, len(text)))
                text[target:target] = text[start:end]
    return bytes(text)


def read_and_write(resource: dict[str, Any], tables: Tables) -> None:
    """What validates can be written in both forms, and is the same when it is read again."""
    errors = [issue for issue in validate(resource, tables) if issue.severity == "error"]
    if errors:
        assert all(issue.text for issue in errors)
        return
    rendered = render_xml(resource, tables)
    again = parse_xml(rendered, tables).resource
    assert render_xml(again, tables) == rendered
    assert validate(again, tables) == validate(resource, tables)
    assert parse_json(render_json(resource), tables).resource == resource


@quick
@given(mutations(XML_FIXTURES))
def test_mutated_xml(body: bytes) -> None:
    try:
        resource = parse_xml(body, STU3).resource
    except Refusal:
        return
    read_and_write(resource, STU3)


@settings(quick, max_examples=500)
@given(restructured())
def test_restructured_messages(body: bytes) -> None:
    try:
        resource = parse_xml(body, STU3).resource
    except Refusal:
        return
    read_and_write(resource, STU3)


@quick
@given(mutations(JSON_FIXTURES))
def test_mutated_json(body: bytes) -> None:
    try:
        resource = parse_json(body, R4).resource
    except Refusal:
        return
    read_and_write(resource, R4)


@quick
@given(st.data())
def test_mutated_published_messages(examples: Path, data: st.DataObject) -> None:
    bodies = [file.read_bytes() for file in sorted((examples / "nems" / "events").glob("*.xml"))[:8]]
    try:
        resource = parse_xml(data.draw(mutations(bodies)), STU3).resource
    except Refusal:
        return
    read_and_write(resource, STU3)


@quick
@given(VALUES)
@example({"resourceType": "Patient", "name": [{"given": [None], "_given": None}]})
def test_validate_answers_for_any_json_value(value: Any) -> None:
    for issue in validate(value, STU3):
        assert re.fullmatch(r"([A-Za-z]+([._A-Za-z0-9]|\[\d+\])*)?", issue.location)


@quick
@given(VALUES)
def test_validate_answers_for_any_content_of_a_resource(value: Any) -> None:
    resource = {
        "resourceType": "Patient",
        "name": value,
        "extension": [value],
        "contained": [value],
        "birthDate": value,
    }
    assert validate(resource, STU3)


@quick
@given(VALUES)
def test_rendering_answers_for_any_json_value(value: Any) -> None:
    with pytest.raises(Refusal):
        render_xml({"resourceType": "Patient", "name": value, "banana": value}, STU3)


@quick
@given(st.text(min_size=1), st.text(min_size=1))
def test_any_text_that_validates_survives_both_forms(first: str, second: str) -> None:
    read_and_write({"resourceType": "Patient", "name": [{"family": first, "given": [second, first]}]}, STU3)


# Elements of a resource itself, with a required binding; the rest of the resource need not be right.
BOUND = [
    (tables, name, field)
    for tables in (STU3, R4)
    for name in sorted(tables.resources)
    for field in tables.fields(name).values()
    if field.codes
]


@quick
@given(st.sampled_from(BOUND), st.text(alphabet="abcdeginortuv-", min_size=1, max_size=12))
def test_a_code_is_right_if_it_is_of_the_value_set(bound: tuple[Tables, str, Field], other: str) -> None:
    tables, name, field = bound
    for code in (*sorted(field.codes or ()), other):
        value = [code] if field.is_list else code
        faults = [i for i in validate({"resourceType": name, field.name: value}, tables) if "value set" in i.text]
        location = f"{name}.{field.name}[0]" if field.is_list else f"{name}.{field.name}"
        assert [i.location for i in faults] == ([] if code in (field.codes or ()) else [location])
