"""The facts that a message holds, as expressions that give them; none of them says a value of the message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from gateway.mapping.checker import Checker
from gateway.mapping.forms import Form, kind
from gateway.mapping.parser import parse
from gateway.mapping.syntax import ExpressionError

_SELECTED_BY: Final = {"Extension": "url", "Identifier": "system", "Coding": "system", "ContactPoint": "system"}
"""What tells items of these types apart, which a module therefore selects by."""
_SKIPPED: Final = ("resourceType", "id", "meta", "text", "fullUrl")
_WORDS: Final = re.compile(r"ofType\((\w+)\)|\('[^']*'\)|\w+")
_SILENT: Final = frozenset(("Bundle", "entry", "resource", "coding", "where", "extension", "value"))


def facts(message: dict[str, Any], form: Form) -> dict[str, str]:
    """Names for the facts, and the expressions that give them."""
    found: dict[str, str] = {}
    checker = Checker(form, {})
    for expression in dict.fromkeys(_object(message, form.root, form.root, form)):
        try:
            checker.check(parse(expression))
        except ExpressionError:
            continue
        found[_name(expression, found)] = expression
    return found


def quoted(text: str) -> str:
    """Text as an expression writes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _object(value: dict[str, Any], type_name: str, path: str, form: Form) -> Iterator[str]:
    fields = form.fields(type_name)
    selected = _SELECTED_BY.get(type_name)
    for key, child in value.items():
        if key in _SKIPPED or key == selected or (key not in fields and not form.is_open(type_name)):
            continue
        field = fields.get(key)
        name = field.type if field else "any"
        step = f"{field.choice}.ofType({name})" if field and field.choice else key
        for item in child if isinstance(child, list) else [child]:
            yield from _value(item, name, f"{path}.{step}", form)


def _value(item: Any, type_name: str, path: str, form: Form) -> Iterator[str]:
    if not isinstance(item, dict):
        if kind(type_name) != "object":
            yield path
        return
    if type_name == "Resource":
        type_name = str(item.get("resourceType"))
        if type_name not in form.types.resources or type_name == "MessageHeader":
            return
        path = f"{path}.ofType({type_name})"
    yield from _object(item, type_name, _selected(item, type_name, path), form)


def _selected(item: dict[str, Any], type_name: str, path: str) -> str:
    key = _SELECTED_BY.get(type_name)
    text = item.get(key) if key else None
    if not isinstance(text, str):
        return path
    if type_name == "Extension":
        return f"{path.removesuffix('.extension')}.extension({quoted(text)})"
    return f"{path}.where({key} = {quoted(text)})"


def _name(expression: str, taken: dict[str, str]) -> str:
    bare = re.sub(r"where\([^)]*\)", "where", expression)
    words = [match[1] or match[0] for match in _WORDS.finditer(bare) if not match[0].startswith("(")]
    said = [word for word in words if word not in _SILENT] or words[-1:]
    name = said[0][0].lower() + said[0][1:] + "".join(word[0].upper() + word[1:] for word in said[1:])
    number = 2
    while f"{name}{number if number > 2 else ''}" in taken:
        number += 1
    return f"{name}{number if number > 2 else ''}"
