"""The `output` of a module: the target written as data, with holes, checked against the types of the target."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final

from gateway.fhir.tables import Field
from gateway.mapping import runtime, terms
from gateway.mapping.checker import Checker
from gateway.mapping.code import Leaf
from gateway.mapping.document import ListNode, MapNode, Node, ScalarNode
from gateway.mapping.forms import ANY, Form, kind, suggestion
from gateway.mapping.generator import Generator
from gateway.mapping.holes import Built, Holes, only_hole
from gateway.mapping.loops import ABSENT
from gateway.mapping.terms import Term

NAME: Final = re.compile(r"[a-z][A-Za-z0-9]*")

_FOR: Final = re.compile(r"\s*(\S+)\s+in\s+", re.DOTALL)


_NOTHING: Final = Built("")

Part = Callable[[], AbstractContextManager[None]]


class Template:
    """Writes the Python that builds the output."""

    def __init__(self, target: Form, checker: Checker, generator: Generator, part: Part) -> None:
        """`part` stands round each piece of output that is right or wrong by itself."""
        self._part = part
        self._target, self._checker, self._generator = target, checker, generator
        self._code = generator.code
        self._holes = Holes(target, checker, generator)

    def root(self, node: Node) -> str:
        """The Python expression of the whole output.

        Raises:
            ModuleError: the output does not fit the target form.
        """
        if not isinstance(node, MapNode):
            raise node.place.error(f"output must be the {self._target.root} written as a mapping")
        for key in ("$if", "$for"):
            if key in node.items:
                raise node.places[key].error(f"{key} cannot stand at the top of output")
        return self._fields(node, self._target.root, self._target.root).code

    # --- objects

    def _object(self, node: Node, type_name: str, path: str) -> Built:
        if not isinstance(node, MapNode):
            return self._holes.whole(node, type_name)
        if "$for" in node.items:
            raise node.places["$for"].error("$for can only stand in a mapping that is an item of a list")
        return self._on_condition(node, lambda: self._fields(node, type_name, path))

    def _on_condition(self, node: MapNode, build: Callable[[], Built]) -> Built:
        if "$if" not in node.items:
            return build()
        found = self._code.assign(ABSENT)
        test = node.items["$if"]
        with self._code.forked("$if", test.place) as taken, self._code.block(f"if {self._holes.test(test)}:"):
            taken()
            self._code.line(f"{found} = {build().code}")
        return Built(found, certain=False, present=found)

    def _fields(self, node: MapNode, type_name: str, path: str) -> Built:
        type_name, resource = self._resource(node, type_name)
        fields = self._target.fields(type_name)
        if not node.items.keys() - {"$if", "$for"}:
            raise node.place.error("an empty mapping says nothing: leave it out")
        with self._part():
            self._hold_mandatory(node, type_name, fields)
        parts = [f"'resourceType': {self._name_of(node, resource)}"] if resource else []
        written = ""
        for key, child in node.items.items():
            if key in ("$if", "$for", "resourceType"):
                continue
            built = _NOTHING
            with self._part():
                field = self._field(node, key, type_name, fields)
                built = self._element(child, field, f"{path}.{key}")
            if built is _NOTHING:
                continue
            if built.certain and not written:
                parts.append(f"{key!r}: {built.code}")
                continue
            written = written or self._code.assign(f"{{{', '.join(parts)}}}")
            self._set(written, key, built, f"{path}.{key}" if field.required and not field.choice else "")
        certain = bool(parts)
        return Built(written or f"{{{', '.join(parts)}}}", certain, written)

    def _name_of(self, node: MapNode, resource: str) -> str:
        leaf = Leaf(node.items["resourceType"].place, resource, literal=True)
        return self._code.made(self._code.literal(resource), leaf)

    def _set(self, name: str, key: str, built: Built, mandatory: str) -> None:
        statement = f"{name}[{key!r}] = {built.code}"
        if built.certain:
            self._code.line(statement)
            return
        with self._code.block(f"if {built.present}:"):
            self._code.line(statement)
        if mandatory:
            with self._code.block("else:"):
                self._code.line(f"{self._code.refer(runtime.missing)}({mandatory!r})")

    def _resource(self, node: MapNode, type_name: str) -> tuple[str, str]:
        resources = self._target.types.resources
        if type_name != "Resource" and type_name not in resources:
            return type_name, ""
        written = node.items.get("resourceType")
        name = written.value if isinstance(written, ScalarNode) else None
        if written is None or not isinstance(name, str):
            raise node.place.error("a resource needs its resourceType")
        if name not in resources:
            raise written.place.error(f"there is no resource type {name}{suggestion(name, resources)}")
        if type_name not in ("Resource", name):
            raise written.place.error(f"{type_name} is expected here, not {name}")
        return name, name

    def _field(self, node: MapNode, key: str, type_name: str, fields: Mapping[str, Field]) -> Field:
        if self._target.is_open(type_name):
            return Field(key, ANY, isinstance(node.items[key], ListNode), required=False, choice=None)
        if key in fields:
            return fields[key]
        bare = fields.get(key.removeprefix("_"))
        if bare is not None and kind(bare.type) != "object":
            return Field(key, "Element", bare.is_list, required=False, choice=None)
        members = [field.name for field in fields.values() if field.choice == key]
        if members:
            raise node.places[key].error(f"{type_name}.{key}[x] is written with its type, e.g. {members[0]}")
        raise node.places[key].error(f"{type_name} has no element '{key}'{suggestion(key, fields)}")

    @staticmethod
    def _hold_mandatory(node: MapNode, type_name: str, fields: Mapping[str, Field]) -> None:
        for field in fields.values():
            if field.required:
                group = [each.name for each in fields.values() if field.choice and each.choice == field.choice]
                if not any(name in node.items or f"_{name}" in node.items for name in group or [field.name]):
                    raise node.place.error(f"{type_name} needs '{field.name}', which is mandatory")

    # --- elements

    def _element(self, node: Node, field: Field, path: str) -> Built:
        if field.is_list:
            return self._list(node, field, path)
        if isinstance(node, ListNode):
            raise node.place.error(f"'{field.name}' is one value, not a list")
        return self._item(node, field, path)

    def _item(self, node: Node, field: Field, path: str) -> Built:
        if kind(field.type) == "object":
            return self._object(node, field.type, path)
        if not isinstance(node, ScalarNode):
            raise node.place.error(f"'{field.name}' is {field.type}, a single value")
        return self._holes.whole(node, field.type)

    def _list(self, node: Node, field: Field, path: str) -> Built:
        if isinstance(node, ScalarNode) and (hole := only_hole(node)):
            return self._holes.list_hole(node, field, hole)
        if not isinstance(node, ListNode):
            raise node.place.error(f"'{field.name}' is a list: write its items with '- '")
        if not node.items:
            raise node.place.error("an empty list says nothing: leave it out")
        parts: list[str] = []
        written = ""
        for item in node.items:
            loops = isinstance(item, MapNode) and "$for" in item.items
            if loops and not written:
                written = self._code.assign(f"[{', '.join(parts)}]")
            if isinstance(item, MapNode) and loops:
                self._repeat(item, field, path, written)
                continue
            built = _NOTHING
            with self._part():
                built = self._item(item, field, path)
            if built is _NOTHING:
                continue
            if built.certain and not written:
                parts.append(built.code)
                continue
            written = written or self._code.assign(f"[{', '.join(parts)}]")
            self._append(written, built)
        return Built(written or f"[{', '.join(parts)}]", bool(parts), written or "False")

    def _append(self, name: str, built: Built) -> None:
        if built.certain:
            self._code.line(f"{name}.append({built.code})")
            return
        with self._code.block(f"if {built.present}:"):
            self._code.line(f"{name}.append({built.code})")

    def _repeat(self, node: MapNode, field: Field, path: str, written: str) -> None:
        if kind(field.type) != "object":
            raise node.place.error(f"'{field.name}' is a list of {field.type}")
        name, group = self._for(node.items["$for"])
        item = terms.item_of(group)

        def build(code_name: str) -> None:
            taken()
            self._generator.bound[item] = code_name
            self._append(written, self._on_condition(node, lambda: self._fields(node, field.type, path)))

        self._checker.names[name] = item
        try:
            with self._code.forked("$for", node.items["$for"].place) as taken:
                self._generator.each(group, build)
        finally:
            del self._checker.names[name]
        if name not in self._checker.used:
            raise node.places["$for"].error(f"%{name} is not used")

    def _for(self, node: Node) -> tuple[str, Term]:
        head = _FOR.match(node.value) if isinstance(node, ScalarNode) and isinstance(node.value, str) else None
        if head is None or not isinstance(node, ScalarNode):
            raise node.place.error("$for is written 'name in expression'")
        name = head[1]
        if not NAME.fullmatch(name):
            raise node.place.error(f"'{name}' is not a name: a small letter, then letters and digits")
        if name in self._checker.names:
            raise node.place.error(f"there is a %{name} already")
        self._checker.used.discard(name)
        return name, self._checker.expression(node, str(node.value)[head.end() :], head.end())
