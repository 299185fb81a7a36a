"""The scalars of an output: literals, and holes with expressions in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gateway.fhir.tables import Field
from gateway.mapping import expect, runtime
from gateway.mapping.checker import Checker
from gateway.mapping.document import Node, ScalarNode
from gateway.mapping.forms import kind
from gateway.mapping.generator import Generator
from gateway.mapping.loops import present
from gateway.mapping.parser import parse
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


@contextmanager
def placed(node: ScalarNode, shift: int = 0) -> Iterator[None]:
    """Turn the error of an expression inside `node`, `shift` characters in, into one with a place in the file."""
    try:
        yield
    except ExpressionError as error:
        raise node.place_of(shift + error.at).error(error.message) from None


class Holes:
    """Writes the Python of scalars."""

    def __init__(self, checker: Checker, generator: Generator) -> None:
        self._checker, self._generator = checker, generator
        self._code = generator.code

    def test(self, node: Node) -> str:
        """A condition for what an `$if` says."""
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            raise node.place.error("$if is an expression")
        term = self.term(node, node.value, 0)
        with placed(node):
            expect.boolean(term, 0)
            return self._generator.test(term)

    def term(self, node: ScalarNode, text: str, shift: int) -> Term:
        """The term of an expression that stands `shift` characters into a scalar."""
        with placed(node, shift):
            return self._checker.check(parse(text))

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
            return self._text(node, node.value)
        if node.value == "":
            raise node.place.error("an element cannot be empty text: leave it out")
        return Built(self._code.literal(node.value))

    def _hole(self, node: ScalarNode, type_name: str, hole: re.Match[str]) -> Built:
        term = self._fitting(node, type_name, hole)
        with placed(node, hole.start(1)):
            code = self._generator.value(term)
            if not term.optional and not term.many:
                return Built(code)
            name = self._code.atom(code)
            return Built(name, certain=False, present=present(term, name))

    def list_hole(self, node: ScalarNode, field: Field, hole: re.Match[str]) -> Built:
        """All values of a hole, as a list."""
        term = self._fitting(node, field.type, hole)
        if not term.many:
            raise node.place.error(f"'{field.name}' is a list and the expression gives one value: write it as '- '")
        with placed(node, hole.start(1)):
            name = self._code.assign(f"[*{self._generator.listing(term)}]")
            return Built(name, certain=False, present=name)

    def _fitting(self, node: ScalarNode, type_name: str, hole: re.Match[str]) -> Term:
        term = self.term(node, hole[1], hole.start(1))
        wanted = kind(type_name)
        same = term.type == type_name if wanted == "object" else term.kind in _FITTING.get(wanted, (wanted,))
        if not same:
            raise node.place_of(hole.start(1)).error(f"{type_name} is expected here, not {term.type}")
        return term

    def _text(self, node: ScalarNode, text: str) -> Built:
        parts = []
        guards = []
        end = 0
        for hole in _HOLE.finditer(text):
            parts += [repr(text[end : hole.start()])] if hole.start() > end else []
            code, guard = self._text_hole(node, hole)
            parts.append(code)
            guards += [guard] if guard else []
            end = hole.end()
        rest = text[end:]
        if "{{" in rest:
            raise node.place_of(end + rest.index("{{")).error("this hole has no closing }}")
        joined = " + ".join([*parts, *([repr(rest)] if rest else [])])
        if not guards:
            return Built(f"({joined})")
        test = " and ".join(guards)
        return Built(f"({joined})", certain=False, present=test)

    def _text_hole(self, node: ScalarNode, hole: re.Match[str]) -> tuple[str, str]:
        term = self.term(node, hole[1], hole.start(1))
        if term.kind in ("object", "empty"):
            raise node.place_of(hole.start(1)).error(f"a single value is expected here, not {term.type}")
        with placed(node, hole.start(1)):
            name = self._generator.atom(term)
        code = name if term.kind == "string" else f"{self._code.refer(runtime.text)}({name})"
        return code, f"{name} is not None" if term.optional or term.many else ""


def only_hole(node: Node) -> re.Match[str] | None:
    """The hole that is all of a scalar."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.value.count("{{") == 1:
        return _ONLY_HOLE.fullmatch(node.value)
    return None


def _described(value: object) -> str:
    if value is None:
        return "null"
    return "true or false" if isinstance(value, bool) else "text" if isinstance(value, str) else "a number"
