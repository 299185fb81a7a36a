"""The scalars of an output: literals, and holes with expressions in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gateway.fhir.tables import Field
from gateway.mapping import expect, fitting, runtime, terms
from gateway.mapping.checker import Checker, placed
from gateway.mapping.code import Leaf
from gateway.mapping.document import Node, ScalarNode
from gateway.mapping.forms import Form, kind
from gateway.mapping.generator import Generator
from gateway.mapping.loops import present
from gateway.mapping.syntax import ExpressionError
from gateway.mapping.terms import Term

_HOLE: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_ONLY_HOLE: Final = re.compile(r"\s*\{\{(.*?)\}\}\s*", re.DOTALL)
_LITERALS: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "decimal": (int, Decimal),
    "any": (str, bool, int, Decimal),
}
_FITTING: Final = {"decimal": ("decimal", "integer"), "any": ("string", "boolean", "integer", "decimal", "any")}


@dataclass(frozen=True, slots=True)
class Built:
    """The Python of a piece of output: `certain` when it can never be absent, `present` the condition when it can."""

    code: str
    certain: bool = True
    present: str = ""


class Holes:
    """Writes the Python of scalars."""

    def __init__(self, target: Form, checker: Checker, generator: Generator) -> None:
        self._target, self._checker, self._generator = target, checker, generator
        self._code = generator.code

    def test(self, node: Node) -> str:
        """A condition for what an `$if` says."""
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            raise node.place.error("$if is an expression")
        term = self._checker.expression(node)
        with placed(node):
            expect.boolean(term, 0)
            return self._generator.test(term)

    def whole(self, node: Node, type_name: str) -> Built:
        """One value of a type: a literal, a hole, or text with holes."""
        if not isinstance(node, ScalarNode):
            raise node.place.error(f"{type_name} is expected here, not a list")
        if hole := only_hole(node):
            return self._hole(node, type_name, hole)
        allowed = _LITERALS.get(kind(type_name), ())
        if not isinstance(node.value, allowed) or (isinstance(node.value, bool) and bool not in allowed):
            raise node.place.error(f"{type_name} is expected here, not {_described(node.value)}")
        if isinstance(node.value, str) and "{{" in node.value:
            return self._text(node, node.value, type_name)
        if node.value == "":
            raise node.place.error("an element cannot be empty text: leave it out")
        if not fitting.is_one(node.value, type_name):
            raise node.place.error(f"this is not a valid {type_name}")
        return Built(self._code.made(self._code.literal(node.value), Leaf(node.place, node.source, literal=True)))

    def _hole(self, node: ScalarNode, type_name: str, hole: re.Match[str]) -> Built:
        term = self._fitting(node, type_name, hole)
        with placed(node, hole.start(1)):
            code = self._generator.value(term)
            if not term.optional and not term.many:
                return Built(self._made(self._held(code, term, type_name), node, term))
            name = self._code.atom(code)
            return Built(
                self._made(self._held(name, term, type_name), node, term), certain=False, present=present(term, name)
            )

    def list_hole(self, node: ScalarNode, field: Field, hole: re.Match[str]) -> Built:
        """All values of a hole, as a list."""
        term = self._fitting(node, field.type, hole)
        if not term.many:
            raise node.place.error(f"'{field.name}' is a list and the expression gives one value: write it as '- '")
        with placed(node, hole.start(1)):
            listing = self._generator.listing(term)
            if not fitting.is_sure(term, field.type):
                held = self._code.refer(fitting.holder(field.type, term.path))
                listing = f"{self._code.refer(map)}({held}, {listing})"
            name = self._code.assign(f"[*{listing}]")
            return Built(self._made(name, node, term), certain=False, present=name)

    def _held(self, code: str, term: Term, type_name: str) -> str:
        if isinstance(term, terms.Constant) and term.value is not None:
            if not fitting.is_one(term.value, type_name):
                raise ExpressionError(f"this is not a valid {type_name}", 0)
            return code
        if fitting.is_sure(term, type_name):
            return code
        return f"{self._code.refer(fitting.holder(type_name, term.path))}({code})"

    def _made(self, code: str, node: ScalarNode, *values: Term) -> str:
        paths = tuple(term.path for term in values if term.path)
        return self._code.made(code, Leaf(node.place, node.source, literal=False, paths=paths))

    def _fitting(self, node: ScalarNode, type_name: str, hole: re.Match[str]) -> Term:
        term = self._checker.expression(node, hole[1], hole.start(1))
        wanted = kind(type_name)
        if wanted == "object" and term.type == type_name and not fitting.can_be_copied(term, type_name, self._target):
            what = f"{type_name} is not the same in both FHIR versions: write its elements"
            raise node.place_of(hole.start(1)).error(what)
        same = term.type == type_name if wanted == "object" else term.kind in _FITTING.get(wanted, (wanted,))
        if not same:
            raise node.place_of(hole.start(1)).error(f"{type_name} is expected here, not {term.type}")
        return term

    def _text(self, node: ScalarNode, text: str, type_name: str) -> Built:
        parts = []
        guards = []
        holes = []
        literals = _HOLE.split(text)[::2]
        end = 0
        for hole in _HOLE.finditer(text):
            parts += [repr(text[end : hole.start()])] if hole.start() > end else []
            term, code, guard = self._text_hole(node, hole)
            holes.append(term)
            parts.append(code)
            guards += [guard] if guard else []
            end = hole.end()
        rest = text[end:]
        if "{{" in rest:
            raise node.place_of(end + rest.index("{{")).error("this hole has no closing }}")
        joined = " + ".join([*parts, *([repr(rest)] if rest else [])])
        joined = f"({joined})"
        if not fitting.text_is_sure([each for each in literals if each], holes, type_name):
            path = next((hole.path for hole in holes if hole.path), "")
            joined = f"{self._code.refer(fitting.holder(type_name, path))}{joined}"
        made = self._made(joined, node, *holes)
        return Built(made, certain=False, present=" and ".join(guards)) if guards else Built(made)

    def _text_hole(self, node: ScalarNode, hole: re.Match[str]) -> tuple[Term, str, str]:
        term = self._checker.expression(node, hole[1], hole.start(1))
        if term.kind in ("object", "empty"):
            raise node.place_of(hole.start(1)).error(f"a single value is expected here, not {term.type}")
        with placed(node, hole.start(1)):
            name = self._generator.atom(term)
        code = name if term.kind == "string" else f"{self._code.refer(runtime.text)}({name})"
        return term, code, f"{name} is not None" if term.optional or term.many else ""


def only_hole(node: Node) -> re.Match[str] | None:
    """The hole that is all of a scalar."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.value.count("{{") == 1:
        return _ONLY_HOLE.fullmatch(node.value)
    return None


def _described(value: object) -> str:
    if value is None:
        return "null"
    return "true or false" if isinstance(value, bool) else "text" if isinstance(value, str) else "a number"
