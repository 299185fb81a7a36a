"""FHIR XML to dicts and back."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from gateway.errors import Refusal
from gateway.fhir.tables import Tables
from gateway.fhir.validate import validate
from gateway.fhir.xml import parse_xml, render_xml

OUT_OF_ORDER = {
    "PDS-Death-Notification-formal-ems-example.xml",
    "PDS-Death-Notification-informal-ems-example.xml",
    "PDS-Death-Notification-removed-ems-example.xml",
}

ATTRIBUTE = "has an attribute{} that does not belong there"
NO_RESOURCE = "holds an element that is not a resource of this FHIR version"


def patient(inner: str) -> bytes:
    return f'<Patient xmlns="http://hl7.org/fhir">\n{inner}</Patient>'.encode()


def faults_of(body: bytes, tables: Tables) -> list[tuple[str, str]]:
    with pytest.raises(Refusal) as refused:
        parse_xml(body, tables)
    assert {issue.reason for issue in refused.value.issues} == {"INVALID_RESOURCE"}
    return [(issue.location, issue.text) for issue in refused.value.issues]


def test_every_feature_reads_as_fhir_json(every_feature: bytes, stu3: Tables) -> None:
    parsed = parse_xml(every_feature, stu3)
    assert parsed.warnings == ()
    div = parsed.resource["text"].pop("div")
    assert div == (
        '<h:div xmlns:h="http://www.w3.org/1999/xhtml">'
        '<h:p title="a &lt; b"><h:b>Two</h:b> <h:i>words</h:i> &amp; a tail</h:p></h:div>'
    )
    assert parsed.resource == {
        "resourceType": "Observation",
        "id": "observation-1",
        "text": {"id": "narrative", "status": "generated"},
        "contained": [
            {
                "resourceType": "Patient",
                "id": "subject",
                "active": False,
                "name": [
                    {
                        "id": "first",
                        "given": ["Ada", None, "Augusta"],
                        "_given": [
                            None,
                            {
                                "id": "second-name",
                                "extension": [{"url": "https://example.org/unknown", "valueCode": "masked"}],
                            },
                            None,
                        ],
                    },
                    {"given": ["Ada"], "_given": [{"id": "given-id"}]},
                ],
                "birthDate": "1970-03",
                "_birthDate": {
                    "extension": [
                        {"url": "https://example.org/accuracy", "valueDecimal": Decimal("0.0000001000")},
                    ]
                },
                "multipleBirthInteger": 2,
            }
        ],
        "status": "final",
        "code": {"text": "line one\nline two\ttab"},
        "subject": {"reference": "#subject"},
        "effectiveDateTime": "2026-03-02T09:30:00.123456789+00:00",
        "valueQuantity": {"value": Decimal("1.00"), "unit": "µmol/L"},
    }


def test_every_feature_survives_the_way_there_and_back(every_feature: bytes, stu3: Tables) -> None:
    resource = parse_xml(every_feature, stu3).resource
    assert validate(resource, stu3) == []
    rendered = render_xml(resource, stu3)
    again = parse_xml(rendered, stu3).resource
    assert again == resource
    assert render_xml(again, stu3) == rendered
    assert b'value="0.0000001000"' in rendered
    assert b'value="1.00"' in rendered


def test_values_are_as_they_were_written(change_of_gp: bytes, stu3: Tables) -> None:
    header = parse_xml(change_of_gp, stu3).resource["entry"][0]["resource"]
    assert header["meta"]["lastUpdated"] == "2026-03-02T09:30:15.120+00:00"
    name = header["extension"][0]["extension"][1]["valueHumanName"]
    assert name == {"use": "official", "family": "O'Testcase & Sons", "given": ["Zoë", '"Zed"']}


def test_what_is_not_a_number_or_boolean_stays_text_for_the_validator(stu3: Tables) -> None:
    inner = '<active value="TRUE"/><multipleBirthInteger value="007"/>'
    resource = parse_xml(patient(inner), stu3).resource
    assert resource == {"resourceType": "Patient", "active": "TRUE", "multipleBirthInteger": "007"}
    assert [issue.location for issue in validate(resource, stu3)] == ["Patient.active", "Patient.multipleBirthInteger"]


def test_a_list_without_any_value_has_only_siblings(stu3: Tables) -> None:
    name = parse_xml(patient('<name><given id="a"/><given id="b"/></name>'), stu3).resource["name"][0]
    assert name == {"_given": [{"id": "a"}, {"id": "b"}]}
    resource = {"resourceType": "Patient", "name": [name]}
    assert parse_xml(render_xml(resource, stu3), stu3).resource == resource


def test_siblings_are_padded_to_the_values_that_follow(stu3: Tables) -> None:
    name = parse_xml(patient('<name><given id="a" value="A"/><given value="B"/></name>'), stu3).resource["name"][0]
    assert name == {"given": ["A", "B"], "_given": [{"id": "a"}, None]}


@pytest.mark.parametrize(
    ("inner", "faults"),
    [
        ("<banana/>", [("Patient.banana", "line 2: there is no such element")]),
        ("<x9999000017/>", [("Patient", "line 2: there is no such element")]),
        ("<name/>\n<name><first value='x'/></name>", [("Patient.name[1].first", "line 3: there is no such element")]),
        ("<birthDate value='1'/><birthDate value='2'/>", [("Patient.birthDate", "line 2: is there more than once")]),
        ("<birthDate value='1970'/><birthDate id='b'/>", [("Patient.birthDate", "line 2: is there more than once")]),
        ("<birthDate/>", [("Patient.birthDate", "line 2: has neither a value nor extensions")]),
        ("<name value='x'/>", [("Patient.name[0]", "line 2: " + ATTRIBUTE.format(" 'value'"))]),
        ("<name x1='x'/>", [("Patient.name[0]", "line 2: " + ATTRIBUTE.format(""))]),
        ("<birthDate value='1970' lang='x'/>", [("Patient.birthDate", "line 2: " + ATTRIBUTE.format(" 'lang'"))]),
        ("<name>\nsecret</name>", [("Patient.name[0]", "line 2: holds text outside its value")]),
        ("<name/>secret", [("Patient", "line 1: holds text outside its value")]),
        ("<birthDate value='1970'>secret</birthDate>", [("Patient.birthDate", "line 2: holds text outside its value")]),
        ("<contained/>", [("Patient.contained[0]", "line 2: holds no resource")]),
        ("<contained><Banana/></contained>", [("Patient.contained[0]", "line 2: " + NO_RESOURCE)]),
        ("<contained><Basic/><Basic/></contained>", [("Patient.contained[0]", "line 2: holds more than one resource")]),
        ("<contained id='a'><Basic/></contained>", [("Patient.contained[0]", "line 2: " + ATTRIBUTE.format(""))]),
        ("<name xmlns='urn:other'/>", [("Patient.name", "line 2: is not in the namespace of FHIR")]),
        ("<name xmlns=''/>", [("Patient.name", "line 2: is not in the namespace of FHIR")]),
    ],
)
def test_a_fault_says_where_and_in_which_line(inner: str, faults: list[tuple[str, str]], stu3: Tables) -> None:
    assert faults_of(patient(inner), stu3) == faults


def test_all_faults_are_listed(stu3: Tables) -> None:
    faults = faults_of(patient("<banana/>\n<name><cherry/></name>\ntext<photo><Date/></photo>"), stu3)
    assert [location for location, _ in faults] == [
        "Patient.banana",
        "Patient.name[0].cherry",
        "Patient.photo[0].Date",
        "Patient",
    ]


def test_a_hundred_faults_are_enough(stu3: Tables) -> None:
    assert len(faults_of(patient("<banana/>" * 500), stu3)) == 100
    assert len(faults_of(patient("text<banana/>" * 500), stu3)) == 100
    assert len(faults_of(patient("text<name/>" * 500 + "<name>text</name>" * 500), stu3)) == 100


def test_faults_inside_bundles_are_located_in_the_resource(change_of_gp: bytes, stu3: Tables) -> None:
    body = change_of_gp.replace(b"<sent ", b"<scent ")
    assert faults_of(body, stu3) == [("Bundle.entry[2].resource.scent", "line 75: there is no such element")]


@pytest.mark.parametrize(
    "body",
    [
        b"<Patient/>",
        b'<Patient xmlns="http://hl7.org/fhir/"/>',
        b'<Banana xmlns="http://hl7.org/fhir"/>',
        b'<HumanName xmlns="http://hl7.org/fhir"/>',
        b'<Bundle.entry xmlns="http://hl7.org/fhir"/>',
    ],
)
def test_a_root_that_is_no_resource_is_refused(body: bytes, stu3: Tables) -> None:
    [(location, text)] = faults_of(body, stu3)
    assert location == ""
    assert "root element" in text


def test_depth_is_bounded(stu3: Tables) -> None:
    def nested(levels: int) -> bytes:
        start, end = '<extension url="https://example.org/a">', "</extension>"
        return patient(start * levels + '<valueString value="x"/>' + end * levels)

    assert parse_xml(nested(90), stu3).resource
    [(location, text)] = faults_of(nested(150), stu3)
    assert location.count("extension") == 100
    assert "nested deeper" in text


def test_elements_out_of_order_are_a_warning(stu3: Tables) -> None:
    parsed = parse_xml(patient('<birthDate value="1970"/>\n<active value="true"/>'), stu3)
    assert [(issue.severity, issue.location, issue.text) for issue in parsed.warnings] == [
        ("warning", "Patient.active", "line 3: is out of the order of the schema")
    ]
    assert render_xml(parsed.resource, stu3).index(b"active") < render_xml(parsed.resource, stu3).index(b"birthDate")


def test_no_issue_repeats_a_value(stu3: Tables) -> None:
    canary = "9990123403"
    body = patient(f'<n{canary}/><name v{canary}="{canary}">{canary}<given value="{canary}"/><given value="a"/></name>')
    assert canary not in repr(faults_of(body, stu3))


def test_the_examples_read_the_same_again(examples: Path, stu3: Tables) -> None:
    messages = sorted((examples / "nems" / "events").glob("*.xml"))
    assert len(messages) == 25
    for message in messages:
        parsed = parse_xml(message.read_bytes(), stu3)
        assert bool(parsed.warnings) == (message.name in OUT_OF_ORDER), message.name
        rendered = render_xml(parsed.resource, stu3)
        again = parse_xml(rendered, stu3)
        assert again.resource == parsed.resource, message.name
        assert again.warnings == ()
        assert render_xml(again.resource, stu3) == rendered
