"""The published messages, read and written again, are the same XML; only comments and the order of elements may differ.

Comments are no part of a FHIR resource, and FHIR JSON has no place for them: they are dropped.
"""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from gateway.fhir.tables import Tables
from gateway.fhir.xml import parse_xml
from gateway.fhir.xml_render import render_xml
from tests.fhir.test_xml import OUT_OF_ORDER

FHIR = "http://hl7.org/fhir"
SCHEMA_LOCATION = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"


def canonical(body: bytes, *, in_order: bool = True) -> bytes:
    """Canonical XML (W3C, C14N 1.0) without comments, white space between elements, and where the schema is."""
    root = etree.fromstring(body, etree.XMLParser(remove_comments=True, resolve_entities=False))
    root.attrib.pop(SCHEMA_LOCATION, None)
    for element in root.iter(f"{{{FHIR}}}*"):
        element.text = (element.text or "").strip()
        for child in element:
            child.tail = (child.tail or "").strip()
    for element in list(root.iter()) if not in_order else ():
        element[:] = sorted(element, key=lambda child: str(child.tag))
    etree.cleanup_namespaces(root)
    return etree.tostring(root, method="c14n")


def test_the_published_messages_are_the_same_xml_again(examples: Path, stu3: Tables) -> None:
    for message in sorted((examples / "nems" / "events").glob("*.xml")):
        body = message.read_bytes()
        again = render_xml(parse_xml(body, stu3).resource, stu3)
        in_order = message.name not in OUT_OF_ORDER
        assert canonical(again, in_order=in_order) == canonical(body, in_order=in_order), message.name


def test_comments_alone_are_lost(stu3: Tables) -> None:
    body = b'<Patient xmlns="http://hl7.org/fhir"><!-- said --><id value="a"/><!-- twice --></Patient>'
    assert b"<!--" not in render_xml(parse_xml(body, stu3).resource, stu3)
    assert canonical(render_xml(parse_xml(body, stu3).resource, stu3)) == canonical(body)


def test_what_a_message_may_hold_is_the_same_xml_again(every_feature: bytes, stu3: Tables) -> None:
    """Element ids, extensions of primitives, decimals, times to nine digits, and narrative; prefixes apart."""
    again = render_xml(parse_xml(every_feature, stu3).resource, stu3)
    assert unprefixed(again) == unprefixed(every_feature)


def unprefixed(body: bytes) -> list[tuple[str, dict[str, str], str, str]]:
    root = etree.fromstring(body, etree.XMLParser(remove_comments=True, remove_pis=True, remove_blank_text=True))
    root.attrib.pop(SCHEMA_LOCATION, None)
    return [
        (str(each.tag), {str(key): str(value) for key, value in each.attrib.items()}, each.text or "", each.tail or "")
        for each in root.iter()
    ]
