"""XML text to a tree, and no more than that: no DOCTYPE, no entities, no network, bounded depth."""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from gateway.errors import Refusal
from gateway.fhir.narrative import XHTML
from gateway.fhir.wire import INVALID, NOT_WELL_FORMED

XML_SPACE: Final = " \t\r\n"


def _parser(*, remove_blank_text: bool) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
        remove_blank_text=remove_blank_text,
    )


_QUICK_PARSER: Final = _parser(remove_blank_text=True)
_CROWDED: Final = etree.XPath("(//*[@*[51]])[1]")
_SMALL_BODY: Final = 16_384  # bytes; one holds too few attributes to take long
_EXACT_PARSER: Final = _parser(remove_blank_text=False)
_DECLARED: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:<\?xml[^<>]*\?>)?(?:[ \t\r\n]|<!--[^-]*+(?:-[^-]++)*+-->)*+"
    rb'<[A-Za-z]+[ \t\r\n]+(xmlns="http://hl7\.org/fhir")'
)


def without_namespace(body: bytes) -> bytes | None:
    """`body` with blanks where its root declares the namespace of FHIR, if that is the only namespace; else None.

    lxml writes the namespace before each tag that it is asked for, which is a tenth of the time of reading a message.
    """
    declared = _DECLARED.match(body)
    if declared is None or body.rfind(b"xmlns") != declared.start(1):
        return None
    start, end = declared.span(1)
    return b"%b%b%b" % (body[:start], b" " * (end - start), body[end:])


def read_tree(body: bytes) -> etree._Element:
    """The root element, without comments and processing instructions, nor blank text unless there is a narrative.

    Raises Refusal (MESSAGE_NOT_WELL_FORMED, with line and column) for what is not well-formed XML and for any DOCTYPE;
    libxml2 bounds the depth (256) and the length of names and values.
    """
    if b"<!" in body and b"<!DOCTYPE" in body:  # before anything it declares is looked at
        raise Refusal.because(NOT_WELL_FORMED, "a DOCTYPE is not allowed")
    try:
        root = etree.fromstring(body, _QUICK_PARSER)
        if next(root.iter(f"{XHTML}div"), None) is not None:
            root = etree.fromstring(body, _EXACT_PARSER)
    except etree.XMLSyntaxError as error:
        raise _not_well_formed(error) from None
    if root.getroottree().docinfo.internalDTD is not None:  # one in an encoding that is not a superset of ASCII
        raise Refusal.because(NOT_WELL_FORMED, "a DOCTYPE is not allowed")
    if len(body) > _SMALL_BODY:
        _refuse_many_attributes(root)
    return root


def _refuse_many_attributes(root: etree._Element) -> None:
    """lxml reads the attributes of an element in a time that grows with the square of their number."""
    crowded = _CROWDED(root)
    if isinstance(crowded, list) and crowded and isinstance(crowded[0], etree._Element):
        raise Refusal.because(INVALID, "an element has more than 50 attributes", f"line {crowded[0].sourceline}")


def _not_well_formed(error: etree.XMLSyntaxError) -> Refusal:
    """The words of libxml2 may quote the message, so only the name of the error is kept."""
    line, column = error.position
    kind = _ERROR_NAMES.get(error.code or 0, "unknown error")
    return Refusal.because(NOT_WELL_FORMED, f"the XML is not well-formed: {kind}", f"line {line}, column {column}")


_ERROR_NAMES: Final = {
    number: name.removeprefix("ERR_").replace("_", " ").lower()
    for name, number in vars(etree.ErrorTypes).items()
    if name.startswith("ERR_")
}
