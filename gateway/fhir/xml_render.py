"""FHIR XML written from plain dicts of the FHIR JSON form."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from itertools import zip_longest
from typing import Any, Final

from gateway.errors import Refusal
from gateway.fhir.narrative import read_div, write_div
from gateway.fhir.tables import Field, Tables
from gateway.fhir.wire import INVALID, decimal_text

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE: Final = ' xmlns="http://hl7.org/fhir"'
_SPECIAL = re.compile('[&<>"\x00-\x1f\ud800-\udfff\ufffe\uffff]')
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}


def render_xml(resource: dict[str, Any], tables: Tables) -> bytes:
    """Write a resource that `validate` has passed as UTF-8 XML, elements in the order of the schema.

    Raises Refusal (INVALID_RESOURCE) for what cannot be written: an element the tables do not have, a value of the
    wrong shape, a character that XML does not allow.
    """
    writer = _Writer(tables)
    try:
        writer.resource(resource, _NAMESPACE)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Refusal.because(INVALID, "the resource does not have the structure of its type") from None
    return "".join(writer.out).encode()


class _Slot:
    """An element of a type, as a writer needs it; `order` is -1 for one that XML writes as an attribute."""

    __slots__ = ("inner", "name", "order", "write")

    def __init__(self, field: Field, order: int, write: Callable[[_Writer, Any, Any, _Slot], None]) -> None:
        self.name, self.order, self.write = field.name, order, write
        self.inner: dict[str, _Slot] = {}


@cache
def _plans(tables: Tables) -> dict[str, dict[str, _Slot]]:
    """For every type its slots by JSON name; the sibling of a primitive (`_birthDate`) has the slot of its value."""
    plans: dict[str, dict[str, _Slot]] = {name: {} for name in tables.type_names}
    for name, slots in plans.items():
        attributes = tables.attributes(name)
        for order, field in enumerate(tables.fields(name).values()):
            slot = slots[field.name] = _Slot(
                field, -1 if field.name in attributes else order, _writer_of(field, tables)
            )
            slot.inner = plans.get(field.type, plans["Element"])
            if tables.is_primitive(field.type) and slot.order >= 0:
                slots[f"_{field.name}"] = slot
    return plans


def _writer_of(field: Field, tables: Tables) -> Callable[[_Writer, Any, Any, _Slot], None]:
    if field.type == "Resource":
        return _write_contained
    if field.type == "xhtml":
        return _write_narrative
    return _write_primitive if tables.is_primitive(field.type) else _write_element


class _Writer:
    """A message being written."""

    def __init__(self, tables: Tables) -> None:
        self.plans = _plans(tables)
        self.out: list[str] = [_HEAD]

    def resource(self, resource: dict[str, Any], namespace: str = "") -> None:
        """A resource as an element of its own name."""
        name = resource["resourceType"]
        content = {key: value for key, value in resource.items() if key != "resourceType"}
        self.object(name, content, self.plans[name], namespace)

    def object(self, tag: str, content: dict[str, Any], slots: dict[str, _Slot], attributes: str = "") -> None:
        """An element with its children, ordered as in the schema."""
        ordered = sorted([(slots[name].order, name) for name in content])
        while ordered and ordered[0][0] < 0:
            name = ordered.pop(0)[1]
            attributes += f' {name}="{_text(content[name])}"'
        if not ordered:
            self.out.append(f"<{tag}{attributes}/>")
            return
        self.out.append(f"<{tag}{attributes}>")
        for _, name in ordered:
            slot = slots[name]
            if name[0] == "_" or f"_{name}" in content:
                self._extended(name, content, slot)
            elif type(content[name]) is list:
                for item in content[name]:
                    slot.write(self, item, None, slot)
            else:
                slot.write(self, content[name], None, slot)
        self.out.append(f"</{tag}>")

    def _extended(self, name: str, content: dict[str, Any], slot: _Slot) -> None:
        """A value beside its id and extensions; called for each of the two, it writes them once."""
        value, sibling = content.get(slot.name), content.get(f"_{slot.name}")
        if name != slot.name and value is not None:
            return
        if type(value) is list or type(sibling) is list:
            for item, item_sibling in zip_longest(value or (), sibling or ()):
                slot.write(self, item, item_sibling, slot)
        else:
            slot.write(self, value, sibling, slot)


def _write_primitive(writer: _Writer, value: Any, sibling: Any, slot: _Slot) -> None:
    attributes = "" if value is None else f' value="{_text(value)}"'
    if sibling:
        writer.object(slot.name, sibling, slot.inner, attributes)
    else:
        writer.out.append(f"<{slot.name}{attributes}/>")


def _write_element(writer: _Writer, value: Any, sibling: Any, slot: _Slot) -> None:
    writer.object(slot.name, value, slot.inner)


def _write_contained(writer: _Writer, value: Any, sibling: Any, slot: _Slot) -> None:
    writer.out.append(f"<{slot.name}>")
    writer.resource(value)
    writer.out.append(f"</{slot.name}>")


def _write_narrative(writer: _Writer, value: Any, sibling: Any, slot: _Slot) -> None:
    div = read_div(value)
    if div is None:
        raise TypeError
    writer.out.append(write_div(div))


def _text(value: Any) -> str:
    """A primitive as the text of an attribute."""
    if type(value) is str:
        return _SPECIAL.sub(_escape, value) if _SPECIAL.search(value) else value
    if type(value) is bool:
        return "true" if value else "false"
    return decimal_text(value) if type(value) is Decimal else format(value, "d")


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES[match[0]]
