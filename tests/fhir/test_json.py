"""FHIR JSON to dicts and back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.errors import Refusal
from gateway.fhir.json import parse_json, render_json
from gateway.fhir.tables import Tables
from gateway.fhir.validate import validate
from gateway.fhir.xml import parse_xml, render_xml


def test_decimals_keep_their_digits_both_ways(signal: bytes, r4: Tables) -> None:
    resource = parse_json(signal, r4).resource
    assert validate(resource, r4) == []
    parts = resource["entry"][0]["resource"]["parameter"][2]["part"]
    assert parts[1]["valueDecimal"].as_tuple() == Decimal("1.00").as_tuple()
    rendered = render_json(resource)
    assert b'"valueDecimal":1.00}' in rendered
    assert b'"valueDecimal":0.00000000120}' in rendered
    assert parse_json(rendered, r4).resource == resource


def test_json_becomes_the_same_xml_and_back(signal: bytes, r4: Tables) -> None:
    resource = parse_json(signal, r4).resource
    assert parse_xml(render_xml(resource, r4), r4).resource == resource


@pytest.mark.parametrize(
    ("body", "location"),
    [
        (b"", "byte 0"),
        (b"{", "byte 1"),
        (b'{"resourceType":"Patient",}', "byte 26"),
        (b'{"resourceType":"Patient","a":NaN}', "byte 30"),
        (b'{"resourceType":"Patient","a":Infinity}', "byte 30"),
        (b'{"resourceType":"Patient"} x', "byte 28"),
        (b'{"resourceType":"\xff"}', None),
        (b'{"resourceType":"\\ud800"}', None),
        (b'{"resourceType":"a\0b"}', "byte 18"),
        ('{"resourceType":"Patient"}'.encode("utf-16"), "byte 0"),
        (b"[]", "byte 0"),
        (b'"Patient"', "byte 0"),
        (b"null", "byte 0"),
        (b'{"resourceType":"Patient","id":"a","id":"b"}', ""),
        (b'{"resourceType":"Patient","contact":[{"id":"a","\\u0069d":"b"}]}', ""),
        (b'{"resourceType":"Patient","a":' + b"[" * 250 + b"]" * 250 + b"}", ""),
        (b"[" * 100_000, ""),
        (b'{"a":' * 100_000, ""),
    ],
)
def test_text_that_is_not_one_json_object_is_refused(body: bytes, location: str | None, r4: Tables) -> None:
    with pytest.raises(Refusal) as refused:
        parse_json(body, r4)
    [issue] = refused.value.issues
    assert issue.reason == "MESSAGE_NOT_WELL_FORMED"
    assert location is None or issue.location == location


@pytest.mark.parametrize("body", [b"{}", b'{"resourceType":"Banana"}', b'{"resourceType":["Patient"]}'])
def test_an_object_that_is_no_resource_is_refused(body: bytes, r4: Tables) -> None:
    with pytest.raises(Refusal) as refused:
        parse_json(body, r4)
    assert [issue.reason for issue in refused.value.issues] == ["INVALID_RESOURCE"]


def test_many_objects_are_not_depth(r4: Tables) -> None:
    body = b'{"resourceType":"Patient","name":[' + b",".join([b'{"family":"a\\"b"}'] * 500) + b"]}"
    assert len(parse_json(body, r4).resource["name"]) == 500


@pytest.mark.parametrize("number", ["1e999999999999999999999", "1e400", "-1E-400", "1" * 5000])
def test_numbers_out_of_all_proportion_are_refused_by_one_or_the_other(number: str, r4: Tables) -> None:
    body = f'{{"resourceType":"Observation","valueQuantity":{{"value":{number}}}}}'.encode()
    with pytest.raises(Refusal):
        raise Refusal(validate(parse_json(body, r4).resource, r4)[:1])
