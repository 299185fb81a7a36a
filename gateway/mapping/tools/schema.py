"""A JSON Schema of module files, for editors: it completes and checks keys, and the elements of the target.

It takes what the reader takes and flags what is misspelt; what an expression says is for `validate`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from gateway.fhir.tables import Field
from gateway.mapping.declaration import FRAGMENT_KEYS, MODULE_KEYS
from gateway.mapping.forms import Form, forms, kind
from gateway.mapping.tools.messages import tables_of

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}
_HOLE: Final[Schema] = {"type": "string", "pattern": r"\{\{"}
_NAMES: Final[Schema] = {"pattern": "^[a-z][A-Za-z0-9]*$"}
_LITERALS: Final[dict[str, Schema]] = {
    "string": _TEXT,
    "boolean": {"anyOf": [{"type": "boolean"}, _HOLE]},
    "integer": {"anyOf": [{"type": "integer"}, _HOLE]},
    "decimal": {"anyOf": [{"type": "number"}, _HOLE]},
    "any": {"type": ["string", "number", "boolean", "array"]},
}
_NAMED_TEXTS: Final[Schema] = {"type": "object", "propertyNames": _NAMES, "additionalProperties": _TEXT}
_REQUIREMENT: Final[Schema] = {
    "type": "object",
    "properties": {
        "that": {**_TEXT, "description": "What must be true of the message: an expression."},
        "reason": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$", "description": "What its sender is told."},
        "at": {**_TEXT, "description": "Where in the message: an expression."},
        "message": {**_TEXT, "description": "Why, in fixed words."},
    },
    "required": ["that", "reason", "at", "message"],
    "additionalProperties": False,
}


def schema() -> Schema:
    """The whole schema."""
    keys = _keys()
    return {
        "$schema": DIALECT,
        "title": "A mapping module of the FHIR event gateway, or a fragment of one",
        "type": "object",
        "if": {"required": ["fragment"]},
        "then": _file(keys, FRAGMENT_KEYS, ("fragment", "source")),
        "else": _file(keys, MODULE_KEYS, ("mapping", "version", "summary", "source", "target", "output"))
        | {"allOf": [_output(form) for form in forms().values()]},
        "$defs": dict(definition for form in _first_of_each().values() for definition in _definitions(form)),
    }


def _keys() -> dict[str, Schema]:
    """What stands under the keys of a file; one that is not here may hold anything."""
    form: Schema = {"enum": list(forms())}
    return {
        "mapping": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "description": "A name of its own."},
        "fragment": {**_TEXT, "description": "The name of its file."},
        "version": {"type": "string", "description": "Semantic: 1.0.0."},
        "summary": {**_TEXT, "description": "What the module is for, in one line."},
        "source": {**form, "description": "The form that it reads."},
        "target": {**form, "description": "The form that it gives."},
        "inputs": {
            "type": "object",
            "propertyNames": _NAMES,
            "additionalProperties": form,
            "description": "Further sources, each with its form; read as %name.",
        },
        "when": {
            "type": "object",
            "properties": {"event": _TEXTS},
            "required": ["event"],
            "additionalProperties": False,
            "description": "The event types it is for; absent: any that has no module of its own.",
        },
        "include": {**_TEXTS, "description": "Fragments beside this file."},
        "params": {**_NAMED_TEXTS, "description": "Text that an operator may set; read as %name."},
        "conceptmaps": {**_TEXTS, "description": "The ConceptMaps that translate() may use."},
        "vars": {**_NAMED_TEXTS, "description": "Facts, each an expression; a later one may use an earlier one."},
        "require": {"type": "array", "items": _REQUIREMENT, "description": "What must be true; all are told together."},
        "output": {"type": "object", "description": "The target, written as data with {{ holes }}."},
        "ignore": {**_TEXTS, "description": "What the module leaves out, and knows it."},
    }


def _file(keys: dict[str, Schema], known: tuple[str, ...], needed: tuple[str, ...]) -> Schema:
    return {
        "properties": {key: keys.get(key, {}) for key in known},
        "required": list(needed),
        "additionalProperties": False,
    }


def _output(form: Form) -> Schema:
    return {
        "if": {"properties": {"target": {"const": form.name}}, "required": ["target"]},
        "then": {"properties": {"output": {"$ref": _reference(form, form.root)}}},
    }


def _first_of_each() -> dict[str, Form]:
    """One form for each set of types: two forms of one FHIR version share its definitions."""
    return {_prefix(form): form for form in forms().values()}


def _prefix(form: Form) -> str:
    tables = tables_of(form)
    return tables.version if tables else form.name


def _reference(form: Form, type_name: str) -> str:
    return f"#/$defs/{_prefix(form)}.{type_name}"


def _definitions(form: Form) -> Iterator[tuple[str, Schema]]:
    tables = tables_of(form)
    if tables:
        yield f"{_prefix(form)}.Resource", _any_resource(form)
        yield f"{_prefix(form)}.Element", _object(form, "Extension", only=("id", "extension"))
    for type_name in tables.type_names if tables else _reached(form):
        yield f"{_prefix(form)}.{type_name}", _object(form, type_name)


def _reached(form: Form) -> list[str]:
    """The object types of a form that is not one of FHIR's."""
    found = [form.root]
    for type_name in found:
        inner = {field.type for field in form.fields(type_name).values() if kind(field.type) == "object"}
        found += sorted(name for name in inner if name not in found and not form.is_open(name))
    return found


def _any_resource(form: Form) -> Schema:
    return {
        "type": "object",
        "required": ["resourceType"],
        "properties": {"resourceType": {"enum": sorted(form.types.resources)}},
        "allOf": [
            {
                "if": {"properties": {"resourceType": {"const": name}}},
                "then": {"$ref": _reference(form, name)},
            }
            for name in sorted(form.types.resources)
        ],
    }


def _object(form: Form, type_name: str, only: tuple[str, ...] = ()) -> Schema:
    properties: dict[str, Schema] = {
        "$if": {**_TEXT, "description": "Leaves this out unless it is true."},
        "$for": {**_TEXT, "description": "Repeats this: name in expression."},
    }
    if type_name in form.types.resources:
        properties["resourceType"] = {"const": type_name}
    for name, field in form.fields(type_name).items():
        if only and name not in only:
            continue
        properties[name] = _field(form, field)
        if _has_sibling(form, field):
            properties[f"_{name}"] = _listed(field, {"$ref": _reference(form, "Element")})
    return {"anyOf": [_HOLE, {"type": "object", "properties": properties, "additionalProperties": False}]}


def _has_sibling(form: Form, field: Field) -> bool:
    # FHIR JSON, "JSON representation of primitive elements": the id and extensions of `name` stand under `_name`.
    return tables_of(form) is not None and kind(field.type) != "object"


def _field(form: Form, field: Field) -> Schema:
    if form.is_open(field.type):
        return {"anyOf": [_HOLE, {"type": "object", "additionalProperties": _LITERALS["any"]}]}
    if kind(field.type) == "object":
        return _listed(field, {"$ref": _reference(form, field.type)})
    return _listed(field, _LITERALS[kind(field.type)])


def _listed(field: Field, item: Schema) -> Schema:
    return {"anyOf": [_HOLE, {"type": "array", "items": item}]} if field.is_list else item
