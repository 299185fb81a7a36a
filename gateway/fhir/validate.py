"""Whether a resource has the structure that the type tables give it: every fault, each with its FHIRPath.

The tables are compiled once into a check for every type. A check answers something true if the value is right: this is
what costs next to nothing. Otherwise it answers `Wrong`, or nothing at all if it is a mere pattern; only then is it
worked out what is wrong and where, each caller putting its own step before the locations of the answer.

Of terminology bindings the required ones of elements of type code are looked at; of invariants ext-1, inv-1 and those
of `invariants`. Profiles are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from gateway.errors import Issue, Severity
from gateway.fhir import invariants, primitives
from gateway.fhir.invariants import Rule
from gateway.fhir.primitives import Check
from gateway.fhir.tables import Field, Tables
from gateway.fhir.wire import MAX_ISSUES, invalid, speakable


def validate(resource: Any, tables: Tables) -> list[Issue]:
    """Every fault of structure (at most 100) as an INVALID_RESOURCE Issue at its FHIRPath; empty if there is none.

    `resource` is any JSON value as `parse_json` and `parse_xml` give it, numbers with a fraction as Decimal. The
    severity is "warning" for what real messages get wrong to no harm: a time zone such as +58:00, a string of white
    space only.
    """
    answer = _resource_check(tables)(resource)
    if answer:
        return []
    root = resource.get("resourceType") if type(resource) is dict else None
    start = root if isinstance(root, str) and tables.is_resource(root) else ""
    return [invalid(f"{start}{fault.step}", fault.text, fault.severity) for fault in _faults(answer)]


class _Fault(NamedTuple):
    step: str
    text: str
    severity: Severity = "error"


class Wrong:
    """The answer of a check that found faults: it counts as false. Of very many it keeps some, errors first."""

    __slots__ = ("faults",)

    def __init__(self, faults: Iterable[_Fault]) -> None:
        self.faults = list(faults)
        if len(self.faults) > MAX_ISSUES:
            self.faults = sorted(self.faults, key=lambda fault: fault.severity)[:MAX_ISSUES]

    def __bool__(self) -> bool:
        return False


def _faults(answer: object) -> list[_Fault]:
    return answer.faults if isinstance(answer, Wrong) else []


def _under(step: str, faults: Iterable[_Fault]) -> Iterator[_Fault]:
    return (_Fault(f"{step}{fault.step}", fault.text, fault.severity) for fault in faults)


class _Group(NamedTuple):
    """The elements, and their siblings, of which an object has at most one; `step` and `words` tell of them."""

    names: frozenset[str]
    required: bool
    step: str
    words: str


class _Type:
    """A type that has elements: their checks by name, and what else must hold of them."""

    __slots__ = ("checks", "element", "fields", "groups", "is_extension", "required", "siblings")

    def __init__(self, type_name: str, tables: Tables) -> None:
        self.fields = tables.fields(type_name)
        self.checks: dict[str, Check] = {}
        self.is_extension = type_name == "Extension"
        self.required = frozenset(name for name, field in self.fields.items() if field.required and not field.choice)
        self.groups = tuple(_groups(self.fields.values()))
        if type_name == "Parameters.parameter":
            self.groups = (_parameter_content(*self.groups),)
        attributes = tables.attributes(type_name)
        self.siblings = {
            f"_{name}": field
            for name, field in self.fields.items()
            if tables.is_primitive(field.type) and name not in attributes
        }
        self.element: Check = bool  # until every type is known

    def explain(self, name: str, item: Any, value: dict[str, Any]) -> Iterable[_Fault]:
        """The faults of an element whose check could not say them."""
        field = self.fields.get(name)
        if field is not None and field.is_list:
            return _under(f".{name}", _list_faults(field, item, value.get(f"_{name}")))
        if field is not None:
            return _under(f".{name}", _primitive_faults(field, item))
        field = self.siblings.get(name)
        if field is not None:
            return _under(f".{name}", self._sibling_faults(field, item, value.get(field.name)))
        return [_Fault(f".{name}" if speakable(name) else "", "there is no such element")]

    def _sibling_faults(self, field: Field, item: Any, values: Any) -> Iterable[_Fault]:
        """The faults of `_name`, which holds the id and the extensions of the primitive `name`."""
        if not field.is_list:
            return _faults(self.element(item))
        if type(item) is not list or not item:
            return [_Fault("", "is empty" if item == [] else "is not a list")]
        if values is not None and (type(values) is not list or len(values) != len(item)):
            return [_Fault("", "is not as long as the list of values it belongs to")]
        if values is None and None in item:
            return [_Fault("", "has null where there is no value")]
        answers = [None if member is None else self.element(member) for member in item]
        return [fault for index, answer in enumerate(answers) for fault in _under(f"[{index}]", _faults(answer))]

    def missing(self, value: dict[str, Any]) -> Iterable[_Fault]:
        names = [name for name in self.fields if name in self.required and not {name, f"_{name}"} & value.keys()]
        return [_Fault(f".{name}", "is required") for name in names]

    def group_faults(self, value: dict[str, Any]) -> Iterable[_Fault]:
        faults = []
        for names, required, step, words in self.groups:
            found = names.intersection(value)
            if len(found) > 1 and len({name.lstrip("_") for name in found}) > 1:
                faults.append(_Fault(step, f"more than one of {words} is there"))
            elif required and not found:
                faults.append(_Fault(step, f"one of {words} is required"))
            if self.is_extension and bool(found) == ("extension" in value):
                faults.append(
                    _Fault("", f"has {'both a value and' if found else 'neither a value nor'} extensions (ext-1)")
                )
        return faults


def _object_check(shape: _Type) -> Check:
    """The check of an object of a type; it runs for every object of every message."""
    checks, required = shape.checks, tuple(shape.required)
    groups, or_extension = tuple(group.names for group in shape.groups), shape.is_extension

    def check(value: Any) -> object:
        if type(value) is not dict or not value:
            return Wrong([_Fault("", "is empty" if value == {} else "is not an object")])
        faults: list[_Fault] = []
        for name, item in value.items():
            try:
                answer = checks[name](item)
            except (KeyError, TypeError):  # no such element; a pattern got something that is not a string
                answer = None
            if not answer:
                faults += _faults_at(name, answer) if type(answer) is Wrong else shape.explain(name, item, value)
        for name in required:
            if name not in value:
                faults += shape.missing(value)
                break
        for names in groups:
            if len(names.intersection(value)) + (or_extension and "extension" in value) != 1:
                faults += shape.group_faults(value)  # seldom called for, and then seldom wrong
                break
        return Wrong(faults) if faults else True

    return check


def _with_rule(check: Check, rule: Rule) -> Check:
    """The check of an object, and a rule for it."""

    def check_both(value: Any) -> object:
        answer = check(value)
        broken = [_Fault(*found) for found in rule(value)] if type(value) is dict else []
        return Wrong([*_faults(answer), *broken]) if broken else answer

    return check_both


def _faults_at(name: str, answer: object) -> Iterable[_Fault]:
    return _under(f".{name}", _faults(answer))


def _groups(fields: Iterable[Field]) -> Iterator[_Group]:
    members: dict[str, list[Field]] = {}
    for field in fields:
        if field.choice:
            members.setdefault(field.choice, []).append(field)
    for base, group in members.items():
        names = frozenset(prefix + field.name for field in group for prefix in ("", "_"))
        yield _Group(names, group[0].required, f".{base}", f"{base}[x]")


def _parameter_content(values: _Group) -> _Group:
    """A parameter has a value, a resource or parts, as inv-1 of Parameters has it."""
    return _Group(values.names | {"resource", "part"}, True, "", "value[x], resource and part (inv-1)")


def _primitive_faults(field: Field, value: Any) -> Iterable[_Fault]:
    found = primitives.fault(field.type, value)
    if found:
        return [_Fault("", *found)]
    return [_Fault("", "is not a code of the required value set")] if field.codes and value not in field.codes else []


def _list_faults(field: Field, value: Any, siblings: Any) -> Iterable[_Fault]:
    """The faults of a list of primitives; null is right where the sibling list has something."""
    if type(value) is not list or not value:
        return [_Fault("", "is empty" if value == [] else "is not a list")]
    present = siblings if type(siblings) is list else []
    padded = {index for index, sibling in enumerate(present) if sibling is not None}
    return [
        fault
        for index, item in enumerate(value)
        if item is not None or index not in padded
        for fault in _under(f"[{index}]", _primitive_faults(field, item))
    ]


def _each(check: Check) -> Check:
    """The check of a list of objects."""

    def check_list(value: Any) -> object:
        if type(value) is not list or not value:
            return Wrong([_Fault("", "is empty" if value == [] else "is not a list")])
        for index, item in enumerate(value):
            answer = check(item)
            if not answer:
                return wrong_from(index, answer, value[index + 1 :])
        return True

    def wrong_from(first: int, answer: object, rest: list[Any]) -> Wrong:
        answers = enumerate((answer, *map(check, rest)), first)
        return Wrong(fault for index, answer in answers for fault in _under(f"[{index}]", _faults(answer)))

    return check_list


def _each_primitive(check: Check) -> Check:
    return lambda value: (type(value) is list and value and all(map(check, value))) or None


@cache
def _resource_check(tables: Tables) -> Check:
    """The check of a resource of any type; compiles the tables."""
    types = {name: _Type(name, tables) for name in tables.type_names}
    checks = {name: _object_check(compiled) for name, compiled in types.items()}
    for name, rule in invariants.rules(tables.version).items():
        checks[name] = _with_rule(checks[name], rule)
    resources = {name: checks[name] for name in tables.resources}

    def check(value: Any) -> object:
        name = value.get("resourceType") if type(value) is dict else None
        known = resources.get(name) if type(name) is str else None
        if known is None:
            return Wrong([_Fault("", "is not a resource of this FHIR version")])
        return known(value)

    checks["Resource"] = check
    for name, compiled in types.items():
        compiled.element = checks["Element"]
        compiled.checks |= {field.name: _check_of(field, checks) for field in compiled.fields.values()}
        if tables.is_resource(name):
            compiled.checks["resourceType"] = bool  # it is what led here
        if "contained" in compiled.fields:
            compiled.checks["contained"] = _each(_with_rule(check, invariants.contained))
    if tables.version == "R4":
        types["Bundle.entry"].checks["resource"] = _or_other_object(check)
    return check


def _or_other_object(check: Check) -> Check:
    """The check of a resource in an entry, where MNS puts whatever the publisher's API says of an event: an object
    that does not claim to be a resource is let through with a warning.
    """

    def check_entry(value: Any) -> object:
        if type(value) is dict and "resourceType" not in value:
            return Wrong([_Fault("", "is not a FHIR resource", "warning")])
        return check(value)

    return check_entry


def _check_of(field: Field, checks: dict[str, Check]) -> Check:
    if field.type in primitives.CHECKS:
        check = field.codes.__contains__ if field.codes else primitives.CHECKS[field.type]
        return _each_primitive(check) if field.is_list else check
    return _each(checks[field.type]) if field.is_list else checks[field.type]
