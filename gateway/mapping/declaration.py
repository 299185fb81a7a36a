"""The parts of a module file, read and checked for shape; what its expressions mean is the compiler's to say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway.errors import ModuleError
from gateway.mapping import document
from gateway.mapping.document import ListNode, MapNode, Node, Place, ScalarNode
from gateway.mapping.forms import Form, forms, suggestion
from gateway.mapping.template import NAME

MODULE_KEYS: Final = (
    *(
        "mapping",
        "version",
        "summary",
        "source",
        "target",
        "inputs",
        "when",
        "include",
        "params",
        "conceptmaps",
        "vars",
    ),
    *("require", "output", "ignore"),
)
FRAGMENT_KEYS: Final = ("fragment", "summary", "source", "inputs", "params", "conceptmaps", "vars", "require", "ignore")

_MODULE_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]*")
# Semantic Versioning 2.0.0, without build metadata.
_VERSION: Final = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*)){2}(?:-[0-9A-Za-z.-]+)?")


@dataclass(frozen=True, slots=True)
class Var:
    """One named fact; `shared` when it comes from a fragment, which a module need not use."""

    expression: ScalarNode
    place: Place
    shared: bool


@dataclass(frozen=True, slots=True)
class Require:
    """What must be true of a message, and what its sender is told when it is not."""

    that: ScalarNode
    reason: str
    at: str
    message: str


@dataclass(slots=True)
class Parts:
    """What a module and its fragments declare alike."""

    inputs: dict[str, tuple[Form, Place]] = field(default_factory=dict)
    params: dict[str, tuple[str, Place]] = field(default_factory=dict)
    conceptmaps: dict[str, Place] = field(default_factory=dict)
    vars: dict[str, Var] = field(default_factory=dict)
    require: list[Require] = field(default_factory=list)
    ignore: list[ScalarNode] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Declaration:
    """A module as its file and its fragments declare it; `events` is empty when it is for any event type."""

    file: str
    place: Place
    name: str
    version: str
    summary: str
    source: Form
    target: Form
    events: tuple[ScalarNode, ...]
    parts: Parts
    output: Node
    ignore: tuple[ScalarNode, ...]


def read_file(path: Path) -> MapNode:
    """The mapping that a YAML file holds."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModuleError(f"cannot be read: {type(error).__name__}", file=str(path)) from None
    node = document.read(text, str(path))
    if not isinstance(node, MapNode):
        raise node.place.error("a mapping of keys is expected")
    return node


def declaration(path: Path) -> Declaration:
    """Read a module and the fragments that it includes from its own folder.

    Raises:
        ModuleError: a part is missing, unknown or of the wrong shape.
    """
    node = read_file(path)
    _known_keys(node, MODULE_KEYS)
    source = _form(node, "source")
    parts = Parts()
    for stem in _texts(node, "include"):
        _include(parts, stem, path.parent, source)
    _own(parts, node, shared=False)
    when = node.items.get("when")
    return Declaration(
        file=str(path),
        place=node.place,
        name=_matching(node, "mapping", _MODULE_NAME, "small letters, digits and dashes"),
        version=_matching(node, "version", _VERSION, "a semantic version such as 1.0.0"),
        summary=_text(node, "summary"),
        source=source,
        target=_form(node, "target"),
        events=_events(when) if when else (),
        parts=parts,
        output=_needed(node, "output"),
        ignore=tuple(parts.ignore),
    )


def _include(parts: Parts, stem: ScalarNode, folder: Path, source: Form) -> None:
    name = str(stem.value)
    path = folder / f"{name}.yaml"
    if not _MODULE_NAME.fullmatch(name) or not path.is_file():
        known = (file.stem for file in folder.glob("*.yaml"))
        raise stem.place.error(f"there is no fragment '{name}' beside this module{suggestion(name, known)}")
    node = read_file(path)
    if "fragment" not in node.items:
        raise stem.place.error(f"'{name}' is not a fragment: its first key would be 'fragment'")
    _known_keys(node, FRAGMENT_KEYS)
    if _form(node, "source") is not source:
        raise stem.place.error(f"fragment '{name}' is for another source form")
    _own(parts, node, shared=True)


def _own(parts: Parts, node: MapNode, *, shared: bool) -> None:
    for name, value, place in _named(node, "inputs"):
        _add(parts.inputs, name, (_form_of(value), place), place)
    for name, value, place in _named(node, "params"):
        if not isinstance(value, ScalarNode) or not isinstance(value.value, str):
            raise value.place.error("a param is text; quote it if need be")
        _add(parts.params, name, (value.value, place), place)
    for name, value, place in _named(node, "vars"):
        _add(parts.vars, name, Var(_expression(value), place, shared), place)
    for value in _texts(node, "conceptmaps"):
        parts.conceptmaps.setdefault(str(value.value), value.place)
    parts.require += [_require(item) for item in _list(node, "require")]
    parts.ignore += _texts(node, "ignore")
    for name in (parts.params.keys() | parts.inputs.keys()) & parts.vars.keys():
        raise parts.vars[name].place.error(f"%{name} is {'a param' if name in parts.params else 'an input'} already")


def _add(into: dict[str, Any], name: str, value: object, place: Place) -> None:
    if name in into:
        raise place.error(f"'{name}' is declared already, by an included fragment")
    into[name] = value


# --- the shapes of nodes


def _known_keys(node: MapNode, known: tuple[str, ...]) -> None:
    for key, place in node.places.items():
        if key not in known:
            raise place.error(f"'{key}' is not a key of a module{suggestion(key, known)}")


def _needed(node: MapNode, key: str) -> Node:
    if key not in node.items:
        raise node.place.error(f"the key '{key}' is missing")
    return node.items[key]


def _text(node: MapNode, key: str) -> str:
    found = _needed(node, key)
    if not isinstance(found, ScalarNode) or not isinstance(found.value, str):
        raise found.place.error(f"'{key}' is text")
    return found.value


def _matching(node: MapNode, key: str, pattern: re.Pattern[str], described: str) -> str:
    text = _text(node, key)
    if not pattern.fullmatch(text):
        raise node.items[key].place.error(f"'{key}' is {described}")
    return text


def _form(node: MapNode, key: str) -> Form:
    _text(node, key)
    return _form_of(node.items[key])


def _form_of(node: Node) -> Form:
    name = node.value if isinstance(node, ScalarNode) else None
    if not isinstance(name, str):
        raise node.place.error("the name of a form is expected")
    if name not in forms():
        raise node.place.error(f"there is no form '{name}'{suggestion(name, forms())}")
    return forms()[name]


def _events(when: Node) -> tuple[ScalarNode, ...]:
    if not isinstance(when, MapNode) or list(when.items) != ["event"]:
        raise when.place.error("'when' is written 'event: [name, ...]'")
    return tuple(_texts(when, "event"))


def _list(node: MapNode, key: str) -> tuple[Node, ...]:
    found = node.items.get(key)
    if found is None:
        return ()
    if not isinstance(found, ListNode):
        raise found.place.error(f"'{key}' is a list")
    return found.items


def _texts(node: MapNode, key: str) -> Iterable[ScalarNode]:
    for item in _list(node, key):
        if not isinstance(item, ScalarNode) or not isinstance(item.value, str):
            raise item.place.error(f"an item of '{key}' is text")
        yield item


def _named(node: MapNode, key: str) -> Iterable[tuple[str, Node, Place]]:
    found = node.items.get(key)
    if found is None:
        return
    if not isinstance(found, MapNode):
        raise found.place.error(f"'{key}' is a mapping of names")
    for name, value in found.items.items():
        if not NAME.fullmatch(name):
            raise found.places[name].error(f"'{name}' is not a name: a small letter, then letters and digits")
        yield name, value, found.places[name]


def _expression(node: Node) -> ScalarNode:
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        raise node.place.error("an expression is expected; text in an expression stands in 'quotes'")
    return node


def _require(node: Node) -> Require:
    wanted = ("that", "reason", "at", "message")
    if not isinstance(node, MapNode):
        raise node.place.error("a requirement has the keys that, reason, at and message")
    for key, place in node.places.items():
        if key not in wanted:
            raise place.error(f"'{key}' is not a key of a requirement{suggestion(key, wanted)}")
    message = _text(node, "message")
    if "{{" in message:
        raise node.items["message"].place.error("a message is fixed text: it must never hold a value")
    reason = _matching(node, "reason", _REASON, "a code of Spine-ErrorOrWarningCode-1")
    return Require(_expression(_needed(node, "that")), reason, _text(node, "at"), message)
