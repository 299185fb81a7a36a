"""Hostile XML is refused, quickly and with nothing fetched or expanded."""

from __future__ import annotations

import time

import pytest

from gateway.errors import Refusal
from gateway.fhir.tables import Tables
from gateway.fhir.xml import parse_xml

PATIENT = '<Patient xmlns="http://hl7.org/fhir"><id value="{}"/></Patient>'
DOCTYPE = '<!DOCTYPE Patient [<!ENTITY a "aaaaaaaaaa">]>'
LAUGHS = (
    "<!DOCTYPE Patient [<!ENTITY l0 'lol'>"
    + "".join(f"<!ENTITY l{i} '{f'&l{i - 1};' * 10}'>" for i in range(1, 10))
    + "]>"
)
EXTERNAL = '<!DOCTYPE Patient [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
EXTERNAL_DTD = '<!DOCTYPE Patient SYSTEM "http://127.0.0.1:9/patient.dtd">'
INVALID_XML = "a &#0; b"


def refusal_of(body: bytes, tables: Tables) -> Refusal:
    started = time.process_time()
    with pytest.raises(Refusal) as refused:
        parse_xml(body, tables)
    assert time.process_time() - started < 2
    return refused.value


HOSTILE = {
    "empty": b"",
    "text": b"hello",
    "json": b'{"resourceType":"Patient"}',
    "doctype": (DOCTYPE + PATIENT.format("&a;")).encode(),
    "doctype in UTF-16": (DOCTYPE + PATIENT.format("&a;")).encode("utf-16"),
    "billion laughs": (LAUGHS + PATIENT.format("&l9;")).encode(),
    "billion laughs in UTF-16": (LAUGHS + PATIENT.format("&l9;")).encode("utf-16"),
    "external entity": (EXTERNAL + PATIENT.format("x").replace("<id", "&a;<id")).encode(),
    "external entity in UTF-16": (EXTERNAL + PATIENT.format("x").replace("<id", "&a;<id")).encode("utf-16"),
    "external DTD": (EXTERNAL_DTD + PATIENT.format("x")).encode(),
    "undeclared entity": PATIENT.format("&nbsp;").encode(),
    "depth": b"<a>" * 10_000 + b"</a>" * 10_000,
    "depth in FHIR": b'<Patient xmlns="http://hl7.org/fhir">' + b"<extension>" * 10_000 + b"</extension>" * 10_000,
    "null byte": PATIENT.format("a\0b").encode(),
    "null character": PATIENT.format(INVALID_XML).encode(),
    "invalid UTF-8": PATIENT.format("x").encode().replace(b"x\"/", b"\xff\xfe\"/"),
    "unknown encoding": b'<?xml version="1.0" encoding="banana"?>' + PATIENT.format("x").encode(),
    "encoding that it is not in": b'<?xml version="1.0" encoding="UTF-16"?>' + PATIENT.format("x").encode(),
    "cut off": PATIENT.format("x").encode()[:-5],
    "two roots": PATIENT.format("x").encode() * 2,
    "an attribute twice": b'<Patient xmlns="http://hl7.org/fhir"><id value="a" value="b"/></Patient>',
    "undeclared prefix": b"<f:Patient/>",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused_as_not_well_formed(name: str, stu3: Tables) -> None:
    refused = refusal_of(HOSTILE[name], stu3)
    assert [issue.reason for issue in refused.issues] == ["MESSAGE_NOT_WELL_FORMED"]


def test_text_that_is_not_well_formed_has_its_line_and_column(stu3: Tables) -> None:
    body = b'<Patient xmlns="http://hl7.org/fhir">\n  <name></nome>\n</Patient>'
    [issue] = refusal_of(body, stu3).issues
    assert issue.location == "line 2, column 16"
    assert issue.text == "the XML is not well-formed: tag name mismatch"


def test_four_megabytes_of_attributes_are_refused(stu3: Tables) -> None:
    attributes = " ".join(f'a{number}="1"' for number in range(400_000))
    body = f'<Patient xmlns="http://hl7.org/fhir" {attributes}/>'.encode()
    assert len(body) > 4_000_000
    [issue] = refusal_of(body, stu3).issues
    assert (issue.reason, issue.location) == ("INVALID_RESOURCE", "line 1")


def test_a_small_message_of_many_attributes_is_refused(stu3: Tables) -> None:
    attributes = " ".join(f'a{number}="1"' for number in range(1500))
    assert len(refusal_of(f'<Patient xmlns="http://hl7.org/fhir" {attributes}/>'.encode(), stu3).issues) == 100


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_the_declared_encoding_is_honoured(encoding: str, stu3: Tables) -> None:
    body = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?><Patient xmlns="http://hl7.org/fhir">'
    body += '<name><family value="Müller"/></name></Patient>'
    assert parse_xml(body.encode(encoding), stu3).resource["name"] == [{"family": "Müller"}]


def test_utf_7_hides_no_doctype(stu3: Tables) -> None:
    body = b'<?xml version="1.0" encoding="UTF-7"?>' + (DOCTYPE + PATIENT.format("&a;")).encode("utf-7")
    assert refusal_of(body, stu3).issues[0].reason == "MESSAGE_NOT_WELL_FORMED"


def test_a_processing_instruction_is_dropped(stu3: Tables) -> None:
    body = b'<?xml-stylesheet href="http://127.0.0.1:9/a.xsl"?>' + PATIENT.format("x").encode()
    assert parse_xml(body, stu3).resource == {"resourceType": "Patient", "id": "x"}


PROLOGUES = {
    "nothing": "",
    "a declaration": '<?xml version="1.0" encoding="UTF-8"?>\n',
    "a byte order mark": "\ufeff",
    "comments": "<!-- one - with a dash --> <!---->\n",
    "an instruction": "<?banana?>",
}


@pytest.mark.parametrize("prologue", PROLOGUES)
@pytest.mark.parametrize("gap", ["", '<!-- xmlns="http://hl7.org/fhir" -->'])
def test_what_stands_before_the_root_makes_no_difference(prologue: str, gap: str, stu3: Tables) -> None:
    body = (PROLOGUES[prologue] + gap + PATIENT.format("x")).encode()
    assert parse_xml(body, stu3).resource == {"resourceType": "Patient", "id": "x"}


def test_a_declaration_within_a_comment_is_none(stu3: Tables) -> None:
    body = b'<!-- <Patient xmlns="http://hl7.org/fhir"> --><Patient><id value="x"/></Patient>'
    assert "in the namespace of FHIR" in refusal_of(body, stu3).issues[0].text


def test_lines_and_columns_are_those_of_the_message(stu3: Tables) -> None:
    issue = refusal_of(b'<Patient xmlns="http://hl7.org/fhir"><id value="x"</Patient>', stu3).issues[0]
    assert issue.location == "line 1, column 51"


def test_a_long_comment_takes_no_long_time(stu3: Tables) -> None:
    body = b"<!-- " + b"- a" * 1_000_000 + b" -->" + PATIENT.format("x").encode()
    started = time.process_time()
    assert parse_xml(body, stu3).resource["id"] == "x"
    assert time.process_time() - started < 2
