"""The XHTML of Narrative.div: well-formed, one div, and only what FHIR allows in it."""

from __future__ import annotations

from copy import deepcopy
from typing import Final

from lxml import etree

XHTML: Final = "{http://www.w3.org/1999/xhtml}"

# FHIR, Narrative, invariant txt-1: what HTML 4.0 chapters 7-11 (without 9.4) and 15 have, links and images.
_ELEMENT_NAMES: Final = """
    a abbr acronym address area b bdo big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2
    h3 h4 h5 h6 hr i img kbd li map ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt
    ul var
"""
_ATTRIBUTE_NAMES: Final = """
    abbr accesskey align alt axis border cellpadding cellspacing char charoff cite class colspan coords dir frame
    headers height href hreflang id idref ismap lang longdesc name nohref rel rev rowspan rules scope shape span
    src style summary tabindex title type usemap valign width
"""
_ELEMENTS: Final = frozenset(XHTML + name for name in _ELEMENT_NAMES.split())
_ATTRIBUTES: Final = frozenset((*_ATTRIBUTE_NAMES.split(), "{http://www.w3.org/XML/1998/namespace}lang"))
_SCRIPT_SCHEMES: Final = ("javascript:", "vbscript:")

_PARSER: Final = etree.XMLParser(
    resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True, collect_ids=False
)


def read_div(text: str) -> etree._Element | None:
    """The div, or None if the text is not one well-formed XHTML div without a DOCTYPE."""
    try:
        root = etree.fromstring(text.encode(), _PARSER)
    except (etree.XMLSyntaxError, UnicodeEncodeError):
        return None
    has_doctype = root.getroottree().docinfo.internalDTD is not None
    return root if root.tag == f"{XHTML}div" and not has_doctype else None


def write_div(div: etree._Element) -> str:
    """The text of a div, as Narrative.div holds it, without namespaces that only its surroundings use."""
    alone = deepcopy(div)
    etree.cleanup_namespaces(alone)
    return etree.tostring(alone, encoding="unicode", with_tail=False)


def fault(text: str) -> str | None:
    """What is wrong with the content of Narrative.div; None if nothing is."""
    div = read_div(text)
    if div is None:
        return "is not one well-formed XHTML div"
    return None if all(_is_allowed(element) for element in div.iter()) else "holds XHTML that FHIR does not allow"


def _is_allowed(element: etree._Element) -> bool:
    return element.tag in _ELEMENTS and all(_is_allowed_attribute(name, value) for name, value in element.items())


def _is_allowed_attribute(name: str, value: str) -> bool:
    squeezed = "".join(character for character in value if character > " ").lower()
    return name in _ATTRIBUTES and not squeezed.startswith(_SCRIPT_SCHEMES)
