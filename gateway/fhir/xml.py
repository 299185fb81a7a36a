"""FHIR XML read into plain dicts of the FHIR JSON form; `render_xml` is the way back.

Every string stays as it was written: timestamps and decimals keep their digits. Comments, processing instructions and
`xsi:schemaLocation` are no part of a resource (FHIR, "XML Representation of Resources") and are dropped. Elements out
of the order of the schema are read, with a warning: NHS England's own published examples have some.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any, Final

from lxml import etree

from gateway.errors import Issue, Refusal, Severity
from gateway.fhir.narrative import XHTML, write_div
from gateway.fhir.tables import Field, Tables
from gateway.fhir.wire import MAX_DEPTH, MAX_ISSUES, Parsed, below, invalid, speakable
from gateway.fhir.xml_render import render_xml
from gateway.fhir.xml_tree import XML_SPACE, read_tree, without_namespace

__all__ = ["parse_xml", "render_xml"]

_FHIR: Final = "{http://hl7.org/fhir}"
_SCHEMA_LOCATION: Final = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}").fullmatch
_DECIMAL = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?").fullmatch
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]").match


def parse_xml(body: bytes, tables: Tables) -> Parsed:
    """Read a resource from FHIR XML in any encoding that its declaration or byte order mark names.

    Raises Refusal: MESSAGE_NOT_WELL_FORMED with line and column, also for any DOCTYPE; INVALID_RESOURCE with every
    fault of structure (at most 100), each with its FHIRPath and line. Values are not looked at: `validate` does that.
    """
    plain = without_namespace(body)
    root = read_tree(plain or body)
    reader = _Reader(tables, "" if plain else _FHIR)
    resource = reader.read(root)
    if etree.tostring(root, method="text", encoding="unicode").strip(XML_SPACE):
        reader.find_stray_text(root)
    if reader.faults:
        raise Refusal(reader.faults[:MAX_ISSUES])
    return Parsed(resource, tuple(reader.warnings))


_Read = Callable[["_Reader", etree._Element, Any, int], Any]
"""Reads an element at a depth into its JSON form."""


class _Slot:
    """An element of a type, as a reader needs it."""

    __slots__ = ("convert", "inner", "is_list", "is_text", "name", "of", "order", "read")

    def __init__(self, field: Field, order: int) -> None:
        self.name, self.order, self.is_list = field.name, order, field.is_list
        self.convert = _CONVERTERS.get(field.type)
        self.inner: _Plan | None = None
        self.is_text = False
        self.read: _Read = _read_primitive
        self.of: Any = self  # what `read` is to know of the element


class _Plan:
    """A type: its elements by qualified tag, and the names of those that XML writes as attributes."""

    __slots__ = ("attributes", "is_resource", "slots", "type_name")

    def __init__(self, type_name: str, tables: Tables) -> None:
        self.type_name = type_name
        self.attributes, self.is_resource = tables.attributes(type_name), tables.is_resource(type_name)
        self.slots: dict[str, _Slot] = {}


@cache
def _plans(tables: Tables, namespace: str) -> dict[str, _Plan]:
    """A plan for every type of a FHIR version, for elements whose tags begin with `namespace`."""
    plans = {name: _Plan(name, tables) for name in tables.type_names}
    for name, plan in plans.items():
        for order, field in enumerate(tables.fields(name).values()):
            if field.name not in plan.attributes:
                slot = plan.slots[namespace + field.name] = _Slot(field, order)
                slot.inner = plans.get(field.type)
                slot.read = _reader_of(field, tables)
                slot.of = slot.inner if slot.read is _Reader.object else slot
                slot.is_text = slot.read is _read_primitive and slot.convert is None
                if field.type == "xhtml":
                    plan.slots[XHTML + field.name] = plan.slots.pop(namespace + field.name)
    return plans


def _reader_of(field: Field, tables: Tables) -> _Read:
    if field.type == "Resource":
        return _Reader.resource
    if field.type == "xhtml":
        return _read_narrative
    return _read_primitive if tables.is_primitive(field.type) else _Reader.object


class _Extended:
    """A primitive with an id or extensions, which the JSON form holds in a sibling property."""

    __slots__ = ("sibling", "value")

    def __init__(self, value: Any, sibling: dict[str, Any]) -> None:
        self.value, self.sibling = value, sibling


class _EnoughFaults(Exception):
    """So many faults were found that looking for more serves nobody."""


class _Reader:
    """One message being read, and the faults found in it so far."""

    def __init__(self, tables: Tables, namespace: str) -> None:
        self.tables, self.plans, self.namespace = tables, _plans(tables, namespace), namespace
        self.faults: list[Issue] = []
        self.warnings: list[Issue] = []

    def read(self, root: etree._Element) -> dict[str, Any]:
        """The resource that the document is; what is wrong with it is in `faults`."""
        plan = self._resource_plan(root)
        if plan is None:
            text = "the root element is not a resource of this FHIR version in the namespace of FHIR"
            self.faults.append(invalid("", f"line {root.sourceline}: {text}"))
            return {}
        root.attrib.pop(_SCHEMA_LOCATION, None)
        try:
            return self.object(root, plan, 1)
        except _EnoughFaults:
            return {}

    def object(self, element: etree._Element, plan: _Plan, depth: int) -> dict[str, Any]:
        """The content of an element whose type has elements of its own."""
        out: dict[str, Any] = self._begun(element, plan) if plan.is_resource or element.items() else {}
        if depth > MAX_DEPTH:
            self.fault(element, f"is nested deeper than {MAX_DEPTH} elements")
            return out
        slots = plan.slots
        last = 0
        extended = False
        for child in element[:]:  # a third quicker than to go through the element itself
            slot = slots.get(child.tag)  # type: ignore[arg-type]  # no comments or instructions: a tag is a string
            if slot is None:
                self._unknown(child)
                continue
            order = slot.order
            if order < last:
                self.fault(child, "is out of the order of the schema", "warning")
            else:
                last = order
            items = child.items() if slot.is_text else ()
            if len(items) == 1 and items[0][0] == "value" and not len(child):
                value: Any = items[0][1]  # nearly every element of a message: not worth a call
            else:
                value = slot.read(self, child, slot.of, depth + 1)
                if type(value) is _Extended:
                    extended = self._place_extended(child, slot, value, out)
                    continue
            if slot.is_list:
                out.setdefault(slot.name, []).append(value)
            elif slot.name in out:
                self.fault(child, "is there more than once")
            else:
                out[slot.name] = value
        if extended:
            _pad(out)
        return out

    def resource(self, slot_element: etree._Element, slot: _Slot, depth: int) -> dict[str, Any]:
        """The one resource in `Bundle.entry.resource`, `contained` and the like."""
        if slot_element.items():
            self.fault(slot_element, "has an attribute that does not belong there")
        found: dict[str, Any] = {}
        for count, child in enumerate(slot_element[:]):
            plan = self._resource_plan(child)
            if count:
                self.fault(child, "holds more than one resource")
            elif plan is None:
                self.fault(child, "holds an element that is not a resource of this FHIR version")
            else:
                found = self.object(child, plan, depth)
        if not len(slot_element):
            self.fault(slot_element, "holds no resource")
        return found

    def extended(self, element: etree._Element, slot: _Slot, depth: int) -> Any:
        """A primitive that is more than one `value` attribute."""
        attributes = dict(element.items())
        text = attributes.pop("value", None)
        value = slot.convert(text) if slot.convert and text is not None else text
        sibling = self.object(element, self.plans["Element"], depth) if len(element) else {}
        for name, attribute in attributes.items():
            if name == "id":
                sibling = {"id": attribute, **sibling}
            else:
                self._unknown_attribute(element, name)
        if text is None and not sibling:
            self.fault(element, "has neither a value nor extensions")
        return _Extended(value, sibling) if sibling else value

    def find_stray_text(self, root: etree._Element) -> None:
        """Text outside attributes and narratives is in no place that FHIR has."""
        try:
            for element in root.iter(f"{self.namespace}*"):
                texts = [element.text, *(child.tail for child in element)]
                if any(text and text.strip(XML_SPACE) for text in texts):
                    self.fault(element, "holds text outside its value")
        except _EnoughFaults:
            return

    def fault(self, element: etree._Element, text: str, severity: Severity = "error") -> None:
        """Note what is wrong with an element."""
        if severity == "warning":
            if len(self.warnings) < MAX_ISSUES:
                self.warnings.append(invalid(self._location(element), f"line {element.sourceline}: {text}", severity))
            return
        self.faults.append(invalid(self._location(element), f"line {element.sourceline}: {text}"))
        if len(self.faults) >= MAX_ISSUES:
            raise _EnoughFaults

    def _begun(self, element: etree._Element, plan: _Plan) -> dict[str, Any]:
        """What stands before the first child: the type of a resource, and attributes."""
        out: dict[str, Any] = {"resourceType": plan.type_name} if plan.is_resource else {}
        for name, value in element.items():
            if name in plan.attributes:
                out[name] = value
            elif plan.type_name != "Element":  # the attributes of a primitive are dealt with where it is read
                self._unknown_attribute(element, name)
        return out

    def _place_extended(self, child: etree._Element, slot: _Slot, value: _Extended, out: dict[str, Any]) -> bool:
        sibling_name = f"_{slot.name}"
        if slot.is_list:
            values, siblings = out.setdefault(slot.name, []), out.setdefault(sibling_name, [])
            siblings.extend([None] * (len(values) - len(siblings)))
            values.append(value.value)
            siblings.append(value.sibling)
        elif slot.name in out or sibling_name in out:
            self.fault(child, "is there more than once")
        else:
            out |= {} if value.value is None else {slot.name: value.value}
            out[sibling_name] = value.sibling
        return True

    def _resource_plan(self, element: etree._Element) -> _Plan | None:
        tag = _tag(element)
        name = tag[len(self.namespace) :]
        return self.plans[name] if tag.startswith(self.namespace) and self.tables.is_resource(name) else None

    def _unknown(self, child: etree._Element) -> None:
        is_ours = _tag(child).startswith(self.namespace)
        self.fault(child, "there is no such element" if is_ours else "is not in the namespace of FHIR")

    def _unknown_attribute(self, element: etree._Element, name: str) -> None:
        called = f" {name!r}" if speakable(name) else ""
        self.fault(element, f"has an attribute{called} that does not belong there")

    def _location(self, element: etree._Element) -> str:
        """The FHIRPath of an element; an unknown one is named only if its name may be repeated."""
        root, *steps = [element, *element.iterancestors()][::-1]
        plan = self._resource_plan(root)
        location = plan.type_name if plan else ""
        in_resource_slot = False
        for step in steps:
            if in_resource_slot:
                plan, in_resource_slot = self._resource_plan(step), False
                continue
            slot = plan.slots.get(_tag(step)) if plan else None
            if slot is None:
                return below(location, _tag(step).rpartition("}")[2])
            location += f".{slot.name}[{_index(step)}]" if slot.is_list else f".{slot.name}"
            in_resource_slot = slot.read is _Reader.resource
            plan = slot.inner or self.plans["Element"]
        return location


def _tag(element: etree._Element) -> str:
    return str(element.tag)


def _index(element: etree._Element) -> int:
    """The place of an element among those before it that have its name."""
    return len(list(element.itersiblings(_tag(element), preceding=True)))


def _read_primitive(reader: _Reader, element: etree._Element, slot: _Slot, depth: int) -> Any:
    items = element.items()
    if len(items) != 1 or items[0][0] != "value" or len(element):
        return reader.extended(element, slot, depth)
    return items[0][1] if slot.convert is None else slot.convert(items[0][1])


def _read_narrative(reader: _Reader, element: etree._Element, slot: _Slot, depth: int) -> str:
    return write_div(element)


def _pad(out: dict[str, Any]) -> None:
    """Make each list of siblings as long as its values, and leave out values of which there are none."""
    for name in [name for name, value in out.items() if name[0] == "_" and type(value) is list]:
        values = out[name[1:]]
        out[name].extend([None] * (len(values) - len(out[name])))
        if all(value is None for value in values):
            del out[name[1:]]


def _boolean(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text, text)


def _integer(text: str) -> int | str:
    return int(text) if _INTEGER(text) and not _LEADING_ZERO(text) else text


def _decimal(text: str) -> Decimal | str:
    return Decimal(text) if _DECIMAL(text) and not _LEADING_ZERO(text) else text


_CONVERTERS: Final[dict[str, Callable[[str], Any]]] = {
    "boolean": _boolean,
    "decimal": _decimal,
    "integer": _integer,
    "positiveInt": _integer,
    "unsignedInt": _integer,
}
