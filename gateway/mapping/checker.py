"""Checks an expression against the types of its source and makes terms of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import singledispatchmethod
from typing import Final

from gateway.fhir.tables import Field
from gateway.mapping import expect, functions, navigation, terms
from gateway.mapping.conceptmap import ConceptMap
from gateway.mapping.document import Place, ScalarNode
from gateway.mapping.forms import Form, suggestion
from gateway.mapping.operators import OPERATIONS
from gateway.mapping.parser import parse
from gateway.mapping.syntax import (
    Call,
    ExpressionError,
    Index,
    Literal,
    Member,
    Moment,
    Node,
    Operation,
    This,
    Variable,
)
from gateway.mapping.terms import Term

_LITERAL_TYPES: Final[dict[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    Decimal: "decimal",
    type(None): "empty",
}


@contextmanager
def placed(node: ScalarNode, shift: int = 0) -> Iterator[None]:
    """Turn the error of an expression inside `node`, `shift` characters in, into one with a place in the file."""
    try:
        yield
    except ExpressionError as error:
        raise node.place_of(shift + error.at).error(error.message) from None


class Checker:
    """Knows the form of the message that paths walk through, the names that `%name` may use, and the ConceptMaps.

    `place` gives the place in the file of an offset in the expression at hand; `used` collects the names that
    expressions use. An expression that uses one of the names in `broken` is wrong, and makes `lost` true.
    """

    def __init__(self, form: Form, maps: Mapping[str, ConceptMap]) -> None:
        self.maps = maps
        self.place: Callable[[int], Place | None] = lambda at: None
        start = terms.Origin(form)
        self.source = terms.Local(type=form.root, optional=False, path=form.root, start=start)
        self.names: dict[str, Term] = {}
        self.used: set[str] = set()
        self.broken: set[str] = set()
        self.lost = False

    def expression(self, node: ScalarNode, text: str | None = None, shift: int = 0) -> Term:
        """The term of an expression: all that a scalar holds, or the `text` that stands `shift` characters into it.

        Raises:
            ModuleError: it is wrong.
        """
        self.place = lambda at: node.place_of(shift + at)
        with placed(node, shift):
            return self.check(parse(str(node.value) if text is None else text))

    def check(self, node: Node, this: Term | None = None) -> Term:
        """The term for a tree whose paths start at `this`, or at the source.

        Raises:
            ExpressionError: a name, a type or a number of values is wrong.
        """
        term = self._check(node, this or self.source)
        expect.a_type(term, node.at)
        return term

    @singledispatchmethod
    def _check(self, node: Node, this: Term) -> Term:
        raise NotImplementedError(type(node).__name__)

    @_check.register
    def _(self, node: Literal, this: Term) -> Term:
        return terms.Constant(type=_LITERAL_TYPES[type(node.value)], optional=node.value is None, value=node.value)

    @_check.register
    def _(self, node: Moment, this: Term) -> Term:
        return terms.Constant(type=node.type, optional=False, value=node.text)

    @_check.register
    def _(self, node: This, this: Term) -> Term:
        return this

    @_check.register
    def _(self, node: Variable, this: Term) -> Term:
        if node.name not in self.names:
            self.lost = node.name in self.broken
            raise ExpressionError(f"there is no %{node.name}{suggestion(node.name, self.names)}", node.at)
        self.used.add(node.name)
        return self.names[node.name]

    @_check.register
    def _(self, node: Member, this: Term) -> Term:
        if node.base is None:
            return this if node.name == this.type else self.member(this, node.name, node.at)
        return self.member(self._check(node.base, this), node.name, node.at)

    @_check.register
    def _(self, node: Index, this: Term) -> Term:
        base, number = self.check(node.base, this), self.check(node.number, this)
        expect.kind(number, "integer", "[ ]", node.at)
        index = number.value if isinstance(number, terms.Constant) else number
        if not isinstance(index, Term | int) or (isinstance(index, int) and index < 0):
            raise ExpressionError("an index is a whole number from 0 on", node.at)
        if not base.many and index != 0:
            raise ExpressionError("there is never more than one value here, so only [0] can be there", node.at)
        path = f"{base.path}[{index if isinstance(index, int) else '...'}]"
        return terms.Pick(type=base.type, path=path, base=base, index=index) if base.many else base

    @_check.register
    def _(self, node: Call, this: Term) -> Term:
        base = self._check(node.base, this) if node.base else this
        return functions.call(self, node, base, this)

    @_check.register
    def _(self, node: Operation, this: Term) -> Term:
        if node.operator in ("is", "as"):
            return navigation.type_operation(self, node, self._check(node.left, this))
        left, right = self.check(node.left, this), self.check(node.right, this)
        return OPERATIONS[node.operator](node, left, right)

    def member(self, base: Term, name: str, at: int) -> Term:
        """The term for `base.name`."""
        expect.a_type(base, at)
        if base.origin and base.origin.form.is_open(base.type):
            return _field(base, name, "any", is_list=True, is_open=True)
        fields = _fields(base)
        found = fields.get(name)
        if found is not None and found.choice is None:
            return _field(base, name, found.type, is_list=found.is_list)
        members = {field.type: field.name for field in fields.values() if field.choice == name}
        if members:
            path = f"{base.path}.{name}"
            return terms.Choice(type=f"{base.type}.{name}[x]", many=base.many, path=path, base=base, members=members)
        if found is not None:
            raise ExpressionError(f"a choice is written by its base name: {found.choice}.ofType({found.type})", at)
        raise ExpressionError(_no_element(base, name), at)


def _fields(base: Term) -> Mapping[str, Field]:
    return base.origin.form.fields(base.type) if base.origin else {}


def _no_element(base: Term, name: str) -> str:
    if base.type == "Resource":
        return f"any resource may stand here; say which one before '{name}': .ofType(Patient)"
    if base.kind != "object":
        return f"{base.type} is a primitive type and has no element '{name}'"
    known = {each.choice or each.name for each in _fields(base).values()}
    return f"{base.type} has no element '{name}'{suggestion(name, known)}"


def _field(base: Term, key: str, type_name: str, *, is_list: bool, is_open: bool = False) -> Term:
    many = base.many or is_list
    path = f"{base.path}.{key}"
    return terms.Field(type=type_name, many=many, path=path, base=base, key=key, is_list=is_list, is_open=is_open)
