"""What fhirpathpy and fhir.resources, written by others, say of our expressions and outputs."""

from __future__ import annotations

import copy
import json
import re
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import fhirpathpy
import pytest
from fhir.resources.R4B.bundle import Bundle as R4Bundle
from fhir.resources.STU3.bundle import Bundle as STU3Bundle
from fhirpathpy.engine.nodes import ResourceNode
from fhirpathpy.models import models

from gateway.errors import Refusal
from gateway.fhir import tables
from gateway.fhir.json import parse_json, render_json
from gateway.fhir.xml import parse_xml
from gateway.mapping import parser
from gateway.mapping.context import NAMES, Context
from gateway.mapping.module import Module
from gateway.mapping.modules import Modules
from tests.mapping.conftest import MAPPINGS

CONTEXT: Final = Context("https://a/1", "https://a", "e961aa27-adbd-4a89-b406-1cc3759cf774", "m-2", "m-1", "/mns")
MODULES: Final = list(Modules.load(MAPPINGS))
_RESOURCES: Final = {"nems-message": STU3Bundle, "mns-signal": R4Bundle, "r4-status": R4Bundle}
_MODELS: Final = {
    "nems-message": models["stu3"],
    "mns-signal": models["r4"],
    "r4-status": models["r4"],
    "r4-patient": models["r4"],
}

# Where fhirpathpy finds something else, and why; the keys are the var and the message.
DIFFERENCES: Final = {
    "status of nems-pds-death-notification-1.two-statuses.json": (
        "its extension() gives the first extension of a url only; FHIR has it give all (FHIR, FHIRPath, extension)"
    ),
}
# Not asked about: a var that we refuse to give a value, where FHIRPath takes several values for an error as well, or
# has none. Vars are written out in place of their names, because fhirpathpy does not know the types of what a name holds.


# --- our own functions, written a second time


def _nhs_number(text: str) -> bool:
    digits = [int(sign) for sign in text] if re.fullmatch("[0-9]{10}", text) else []
    return bool(digits) and (11 - sum((10 - at) * digit for at, digit in enumerate(digits[:9])) % 11) % 11 == digits[9]


def _instant(text: str) -> bool:
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-](0\d|1[0-3]):[0-5]\d|[+-]14:00)"
    return re.fullmatch(pattern, text, re.ASCII) is not None


def _uuid5(text: str, namespace: str) -> str:
    return str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, namespace), text))


def _rows(name: str) -> Iterator[tuple[str, str]]:
    content = json.loads((MAPPINGS / "conceptmaps" / f"{name}.json").read_text(encoding="utf-8"))
    return ((row["code"], row["target"][0]["code"]) for group in content["group"] for row in group["element"])


def _translated(text: str, name: str) -> str:
    return dict(_rows(name))[text]


def _translated_back(text: str, name: str) -> str:
    return {target: code for code, target in _rows(name)}[text]


def _each(function: Callable[..., Any]) -> Callable[..., list[Any]]:
    return lambda inputs, *arguments: [function(getattr(one, "data", one), *arguments) for one in inputs]


def _invocations(resource: dict[str, Any]) -> dict[str, Any]:
    def resolved(reference: Any) -> list[Any]:
        text = reference["reference"] if isinstance(reference, dict) else reference
        entries = resource.get("entry", [])
        resources = [(entry.get("fullUrl"), entry.get("resource", {})) for entry in entries]
        urls = [found for url, found in resources if url == text]
        ids = [found for _, found in resources if f"{found.get('resourceType')}/{found.get('id')}" == text]
        return [ResourceNode.create_node(found, found["resourceType"]) for found in (urls or ids)[:1]]

    def resolve(inputs: Any) -> list[Any]:
        return [found for one in inputs for found in resolved(getattr(one, "data", one))]

    nothing, text = {"arity": {0: []}}, {"arity": {1: ["String"]}}
    return {
        "isNhsNumber": {"fn": _each(_nhs_number), **nothing},
        "isInstant": {"fn": _each(_instant), **nothing},
        "isUuid": {
            "fn": _each(
                lambda text: re.fullmatch("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None
            ),
            **nothing,
        },
        "uuid5": {"fn": _each(_uuid5), **text},
        "translate": {"fn": _each(_translated), **text},
        "translateBack": {"fn": _each(_translated_back), **text},
        "resolve": {"fn": resolve, **nothing},
    }


# --- the expressions, with their vars written out


def _written_out(module: Module, name: str) -> str:
    """The expression of a var without our names: of other vars, params, what the gateway gives, and the message."""
    declared = module.made.declared
    text = str(declared.parts.vars[name].expression.value)
    return _plain(module, text)


def _plain(module: Module, text: str) -> str:
    declared = module.made.declared
    parts, end, before = [], 0, ""
    for token in parser._tokens(text):
        parts.append(text[end : token.at])
        end = token.at + len(token.text)
        replaced = token.text if token.kind != "end" else ""
        if token.kind == "variable":
            replaced = _value_of(module, token.text[1:])
        elif token.kind == "text":
            replaced = _quoted(parser._text(token))
        elif token.kind == "name" and token.text == declared.source.root and before != ".":
            replaced = "%context"
        parts.append(replaced)
        before = token.text
    return "".join(parts)


def _quoted(text: str) -> str:
    """A text literal with no escape but those of the quote and the backslash: fhirpathpy does not read \\u200B."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _value_of(module: Module, name: str) -> str:
    parts = module.made.declared.parts
    if name in parts.vars:
        return f"({_written_out(module, name)})"
    if name in parts.params:
        return _quoted(parts.params[name][0])
    if name in NAMES:
        return _quoted(str(getattr(CONTEXT, NAMES[name])))
    return f"%{name}"


def _theirs(module: Module, expression: str, source: dict[str, Any], inputs: dict[str, Any]) -> list[Any]:
    """What fhirpathpy finds; it changes what it is given, so it gets a copy."""
    resource = copy.deepcopy(source)
    given = {name: copy.deepcopy(inputs.get(name, [])) for name in module.inputs}
    options = {"userInvocationTable": _invocations(resource)}
    found = fhirpathpy.evaluate(resource, expression, given, _model(module), options)
    return [_normal(value) for value in found]


def _model(module: Module) -> Any:
    """The model of the source, or of the inputs where the source is not FHIR."""
    known = [_MODELS[form] for form in (module.source, *module.inputs.values()) if form in _MODELS]
    return known[0] if known else None


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _normal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_normal(inner) for inner in value]
    return value if isinstance(value, bool | int | Decimal | str) or value is None else str(value)


# --- what is compared

_ASKED: Final[dict[tuple[str, str, str], list[Any]]] = {}


@cache
def _published(examples: Path) -> tuple[tuple[str, str, dict[str, Any]], ...]:
    """Every published message with the forms that it may be read in."""
    return tuple(_read(examples))


def _read(examples: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path in sorted((examples / "nems" / "events").glob("*.xml")):
        yield "nems-message", path.name, parse_xml(path.read_bytes(), tables.load("STU3")).resource
    signals = [*(examples / "mns").rglob("signal.json"), *(examples / "mns").glob("*.fhir.json")]
    signals += (examples / "backport-ig").glob("Bundle-*.json")
    for path in sorted(signals):
        resource = parse_json(path.read_bytes(), tables.load("R4")).resource
        yield "r4-status", f"{path.parent.name}/{path.name}", resource
        yield "mns-signal", f"{path.parent.name}/{path.name}", resource
    for path in sorted((examples / "mns").rglob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and "specversion" in content and "type" in content:
            yield "cloudevent", path.name, content
            yield "event", path.name, {name: value for name, value in content.items() if name != "specversion"}


def _own(module: Module) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for path in sorted((Path(module.file).parent / "cases").glob(f"{module.name}.*.json")):
        case = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        yield path.name, case["input"], case.get("inputs", {})


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_fhirpathpy_finds_what_we_find(module: Module, examples: Path) -> None:
    sources = [
        *_own(module),
        *((name, source, {}) for form, name, source in _published(examples) if form == module.source),
    ]
    differences: set[str] = set()
    compared = 0
    for file, source, inputs in sources:
        ours = module.variables(source, CONTEXT, inputs)
        for name, found in ours.items():
            if isinstance(found, Refusal):
                continue
            compared += 1
            # Vars of fragments are the same in many modules.
            key = (module.source, file, expression := _written_out(module, name))
            if key not in _ASKED:
                _ASKED[key] = _theirs(module, expression, source, inputs)
            if _ASKED[key] != _normal(found):
                differences.add(f"{name} of {file}")
    assert differences <= DIFFERENCES.keys()
    assert compared > 0 or not module.vars


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_fhir_resources_accepts_what_we_make(module: Module) -> None:
    model = _RESOURCES.get(module.target)
    if model is None:
        return
    for _, source, inputs in _own(module):
        try:
            output = module.apply(source, CONTEXT, inputs)
        except Refusal:
            continue
        model.model_validate_json(render_json(output))


def test_every_difference_is_still_one(examples: Path) -> None:
    for difference in DIFFERENCES:
        name, _, file = difference.partition(" of ")
        module = next(module for module in MODULES if module.name == file.partition(".")[0])
        source, inputs = next((source, inputs) for own, source, inputs in _own(module) if own == file)
        ours = module.variables(source, CONTEXT, inputs)[name]
        assert _theirs(module, _written_out(module, name), source, inputs) != _normal(ours)
