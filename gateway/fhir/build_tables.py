"""Generate the type tables from the classes of fhir.resources: `python -m gateway.fhir.build_tables`.

The tables hold what the published StructureDefinitions say of structure: every type, its elements in the order of the
schema, their types, cardinality and choice groups, and the codes of required bindings. fhir.resources is needed here
and in tests, never by the service.

fhir.resources has R4B, not R4 4.0.1. The two differ for messaging only in the open choice groups (Extension.value[x]
and those of ElementDefinition): R4 allows Meta there and has neither CodeableReference nor RatioRange.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import typing
from pathlib import Path
from typing import Any, Final

from gateway.fhir.build_codes import required_codes

FOLDER: Final = Path(__file__).parent / "tables"
PACKAGES: Final = {"STU3": "fhir.resources.STU3", "R4": "fhir.resources.R4B"}
NOT_TYPES: Final = frozenset(
    ("fhirtypes", "fhirprimitiveextension", "fhirresourcemodel", "resource", "domainresource", "backboneelement")
)
NOT_IN_R4: Final = frozenset(("CodeableReference", "RatioRange"))
PRIMITIVE_NAMES: Final = {"uuidVersion": "uuid"}

Class = type[Any]


def main() -> None:
    """Write both tables beside this file."""
    for version in PACKAGES:
        table_file(version).write_text(generate(version), encoding="utf-8")


def table_file(version: str) -> Path:
    """Where the table of a FHIR version is kept."""
    return FOLDER / f"{version.lower()}.json"


def generate(version: str) -> str:
    """The table of "STU3" or "R4" as JSON text with one type a line; the same text on every run.

    `{"primitives": [names], "resources": {type: {element: spec}}, "elements": {type: {element: spec}}, "codes":
    {type: {element: codes}}}`, where a spec is `"HumanName 0..*"`, or `"string 1..1 content"` for a member of the
    choice group `content`, and codes are `"male female other unknown"`.
    """
    types = _all_types(PACKAGES[version])
    found: dict[str, dict[str, dict[str, str]]] = {"resources": {}, "elements": {}, "codes": {}}
    primitives = set()
    for name, cls in sorted(types.items()):
        specs, leaves = _specs(cls, {cls: name for name, cls in types.items()})
        found["resources" if _is_resource(cls) else "elements"][name] = specs if version != "R4" else _as_r4(specs)
        primitives |= leaves
        if codes := _codes(name, cls, version):
            found["codes"][name] = codes
    return _text(sorted(primitives), found)


def _text(primitives: list[str], found: dict[str, dict[str, dict[str, str]]]) -> str:
    def lines(types: dict[str, dict[str, str]]) -> str:
        return ",\n".join(
            f"{json.dumps(name)}:{json.dumps(specs, separators=(',', ':'))}" for name, specs in types.items()
        )

    sections = (f'"{kind}":{{\n{lines(types)}\n}}' for kind, types in found.items())
    return f'{{"primitives":{json.dumps(primitives)},\n' + ",\n".join(sections) + "\n}\n"


def _all_types(package_name: str) -> dict[str, Class]:
    """Every type by its FHIR name; elements defined inside a type are named by their path, `Bundle.entry.request`."""
    package = importlib.import_module(package_name)
    types: dict[str, Class] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name not in NOT_TYPES:
            main_class = _main_class(importlib.import_module(f"{package_name}.{module.name}"))
            types |= _inner_types(main_class)
    return types


def _main_class(module: Any) -> Class:
    stem = module.__name__.rpartition(".")[2]
    return next(cls for name, cls in vars(module).items() if name.lower() == stem and isinstance(cls, type))


def _inner_types(main_class: Class) -> dict[str, Class]:
    """The class and those defined inside it, each named by the path of its definition and not of its other uses."""
    named: dict[str, Class] = {main_class.__name__: main_class}
    queue = [main_class.__name__]
    for name in queue:
        for element, annotation in _elements(named[name]):
            path = f"{name}.{element}"
            target = _target(annotation)[0]
            if isinstance(target, type) and target.__name__ == _class_name(path):
                named[path] = target
                queue.append(path)
    return named


def _class_name(path: str) -> str:
    return "".join(part[0].upper() + part[1:] for part in path.split("."))


def _elements(cls: Class) -> list[tuple[str, Any]]:
    """Element names in schema order; fhir.resources lists some of them twice."""
    by_alias = {field.alias: field for field in cls.model_fields.values()}
    return [(name, by_alias[name].annotation) for name in dict.fromkeys(cls.elements_sequence())]


def _target(annotation: Any) -> tuple[Class | str, bool]:
    """What an annotation of fhir.resources stands for: a class, or the name of a primitive; and if it is a list."""
    inner = next((arg for arg in typing.get_args(annotation) if arg is not type(None)), annotation)
    if typing.get_origin(annotation) is typing.Annotated:
        mark = type(annotation.__metadata__[-1]).__name__
        return PRIMITIVE_NAMES.get(name := mark[0].lower() + mark[1:], name), False
    if typing.get_origin(annotation) in (list, typing.List):  # noqa: UP006 - the origin that fhir.resources writes
        return _target(inner)[0], True
    if inner is not annotation:
        return _target(inner)
    if annotation is bool:
        return "boolean", False
    model: Class = annotation.get_model_klass()
    return model, False


def _specs(cls: Class, names: dict[Class, str]) -> tuple[dict[str, str], set[str]]:
    by_alias = {field.alias: field for field in cls.model_fields.values()}
    specs: dict[str, str] = {}
    primitives = set()
    for element, annotation in _elements(cls):
        target, is_list = _target(annotation)
        if isinstance(target, str):
            primitives.add(target)
        extra = by_alias[element].json_schema_extra
        required = extra.get("element_required") or extra.get("one_of_many_required") or by_alias[element].is_required()
        type_name = target if isinstance(target, str) else names.get(target, target.__name__)
        cardinality = f"{int(bool(required))}..{'*' if is_list else '1'}"
        specs[element] = " ".join(filter(None, (type_name, cardinality, extra.get("one_of_many"))))
    return specs, primitives


def _codes(type_name: str, cls: Class, version: str) -> dict[str, str]:
    by_alias = {field.alias: field for field in cls.model_fields.values()}
    codes = {
        element: required_codes(version, f"{type_name}.{element}", by_alias[element].json_schema_extra)
        for element, _ in _elements(cls)
    }
    return {element: listed for element, listed in codes.items() if listed}


def _as_r4(specs: dict[str, str]) -> dict[str, str]:
    """The elements of R4B made those of R4: Dosage is the last member of an open group in R4B, and in no other."""
    split = {name: spec.partition(" ")[::2] for name, spec in specs.items()}
    open_groups = {rest for type_name, rest in split.values() if type_name == "Dosage" and " " in rest}
    result: dict[str, str] = {}
    for name, (type_name, rest) in split.items():
        if rest not in open_groups or type_name not in NOT_IN_R4:
            result[name] = specs[name]
        if rest in open_groups and type_name == "Dosage":
            result[name.removesuffix("Dosage") + "Meta"] = f"Meta {rest}"
    return result


def _is_resource(cls: Class) -> bool:
    return any(base.__name__ == "Resource" for base in cls.__mro__)


if __name__ == "__main__":
    main()
