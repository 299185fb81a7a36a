"""Whether a message has the structure of its form, FHIR's or another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.errors import Issue
from gateway.fhir import primitives
from gateway.fhir.tables import Field, Tables
from gateway.fhir.validate import validate
from gateway.fhir.wire import MAX_ISSUES, invalid, speakable
from gateway.mapping.forms import Form, kind


def faults(message: Any, form: Form) -> list[Issue]:
    """Every fault of structure (at most 100) as an INVALID_RESOURCE Issue at its path; empty if there is none.

    Of FHIR forms some are warnings only, as `gateway.fhir.validate` has it.
    """
    if isinstance(form.types, Tables):
        found = validate(message, form.types)
        if isinstance(message, dict) and message.get("resourceType") not in (form.root, None):
            return [invalid(form.root, f"is not a {form.root}"), *found]
        return found
    return [fault for fault, _ in zip(_object(message, form.root, form.root, form), range(MAX_ISSUES), strict=False)]


def _object(value: Any, type_name: str, path: str, form: Form) -> Iterator[Issue]:
    if not isinstance(value, dict) or not value:
        yield invalid(path, "is not an object" if value != {} else "is empty")
    elif form.is_open(type_name):
        yield from _attributes(value, path)
    else:
        fields = form.fields(type_name)
        for name, inner in value.items():
            if name in fields:
                yield from _element(inner, fields[name], f"{path}.{name}", form)
            else:
                yield invalid(f"{path}.{name}" if speakable(name) else path, "there is no such element")
        yield from _missing(value, fields, path)


def _element(value: Any, field: Field, path: str, form: Form) -> Iterator[Issue]:
    if not field.is_list:
        yield from _item(value, field, path, form)
    elif not isinstance(value, list) or not value:
        yield invalid(path, "is empty" if value == [] else "is not a list")
    else:
        for index, item in enumerate(value):
            yield from _item(item, field, f"{path}[{index}]", form)


def _item(value: Any, field: Field, path: str, form: Form) -> Iterator[Issue]:
    if kind(field.type) == "object":
        yield from _object(value, field.type, path, form)
    elif found := primitives.fault(field.type, value):
        yield invalid(path, *found)


def _attributes(value: Mapping[str, Any], path: str) -> Iterator[Issue]:
    for name, inner in value.items():
        place = f"{path}.{name}" if speakable(name) else path
        if inner is None:  # not allowed by MNS, but what real publishers send for nothing
            continue
        items = inner if isinstance(inner, list) else [inner]
        if not items or any(item is None or isinstance(item, dict | list) for item in items):
            yield invalid(place, "is not text, a number, true or false, or a list of them")


def _missing(value: Mapping[str, Any], fields: Mapping[str, Field], path: str) -> Iterator[Issue]:
    return (
        invalid(f"{path}.{name}", "is required")
        for name, field in fields.items()
        if field.required and name not in value
    )
