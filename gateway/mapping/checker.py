"""Checks an expression against the types of its source and makes terms of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from functools import singledispatchmethod
from typing import Final

from gateway.fhir.tables import Field
from gateway.mapping import expect, functions, navigation, runtime, terms
from gateway.mapping.conceptmap import ConceptMap
from gateway.mapping.forms import MOMENTS, Form, suggestion
from gateway.mapping.syntax import Call, ExpressionError, Index, Literal, Member, Node, Operation, This, Variable
from gateway.mapping.terms import Term

_LITERAL_TYPES: Final[dict[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    Decimal: "decimal",
    type(None): "empty",
}
_NUMBERS: Final = ("integer", "decimal")


class Checker:
    """Knows the form of the message that paths walk through, the names that `%name` may use, and the ConceptMaps.

    `used` collects the names that expressions use, for whoever wants to know.
    """

    def __init__(self, form: Form, maps: Mapping[str, ConceptMap]) -> None:
        self.maps = maps
        start = terms.Origin(form)
        self.source = terms.Local(type=form.root, optional=False, path=form.root, start=start)
        self.names: dict[str, Term] = {}
        self.used: set[str] = set()

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
    def _(self, node: This, this: Term) -> Term:
        return this

    @_check.register
    def _(self, node: Variable, this: Term) -> Term:
        if node.name not in self.names:
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
        base = self.check(node.base, this)
        if not base.many and node.number:
            raise ExpressionError("there is never more than one value here, so only [0] can be there", node.at)
        path = f"{base.path}[{node.number}]"
        return terms.Pick(type=base.type, path=path, base=base, index=node.number) if base.many else base

    @_check.register
    def _(self, node: Call, this: Term) -> Term:
        base = self._check(node.base, this) if node.base else this
        return functions.call(self, node, base, this)

    @_check.register
    def _(self, node: Operation, this: Term) -> Term:
        if node.operator in ("is", "as"):
            return navigation.type_operation(self, node, self._check(node.left, this))
        left, right = self.check(node.left, this), self.check(node.right, this)
        return _OPERATIONS[node.operator](node, left, right)

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


def _comparable(left: Term, right: Term) -> bool:
    kinds = {left.kind, right.kind}
    alike = len(kinds) == 1 or kinds <= set(_NUMBERS) or "empty" in kinds or "any" in kinds
    return alike and "object" not in kinds


def _both(node: Operation, left: Term, right: Term) -> ExpressionError:
    return ExpressionError(f"'{node.operator}' does not take {left.type} and {right.type}", node.at)


def _apply(type_name: str, code: str, left: Term, right: Term, **more: object) -> Term:
    arguments = (left, right)
    optional = left.optional or right.optional
    return terms.Apply(type=type_name, optional=optional, path=left.path, code=code, arguments=arguments, **more)  # type: ignore[arg-type]


def _equality(node: Operation, left: Term, right: Term) -> Term:
    if not _comparable(left, right):
        raise _both(node, left, right)
    return _apply("boolean", f"{{0}} {'==' if node.operator == '=' else '!='} {{1}}", left, right)


def _order(node: Operation, left: Term, right: Term) -> Term:
    if left.type in MOMENTS or right.type in MOMENTS:
        raise ExpressionError(
            "dates and times are not ordered as text is; this language does not compare them", node.at
        )
    if not _comparable(left, right) or left.kind not in ("string", *_NUMBERS):
        raise _both(node, left, right)
    return _apply("boolean", f"{{0}} {node.operator} {{1}}", left, right)


def _arithmetic(node: Operation, left: Term, right: Term) -> Term:
    if node.operator == "+" and left.kind == right.kind == "string":
        return _apply("string", "{h}({0}, {1})", left, right, helper=runtime.plus)
    if left.kind not in _NUMBERS or right.kind not in _NUMBERS:
        raise _both(node, left, right)
    type_name = "integer" if left.kind == right.kind == "integer" else "decimal"
    term = _apply(type_name, f"{{h}}({{0}} {node.operator} {{1}})", left, right, helper=runtime.number)
    return dataclasses.replace(term, optional=True)


def _concatenation(node: Operation, left: Term, right: Term) -> Term:
    if left.kind not in ("string", "empty") or right.kind not in ("string", "empty"):
        raise _both(node, left, right)
    text = _apply("string", "{h}({0}, {1})", left, right, helper=runtime.concat, takes_absent=True)
    return dataclasses.replace(text, optional=False)


def _union(node: Operation, left: Term, right: Term) -> Term:
    if left.kind != right.kind or left.kind in ("object", "any"):
        raise _both(node, left, right)
    if (written := (*_written(left), *_written(right))) and _written(left) and _written(right):
        return terms.Constants(type=left.type, many=True, values=tuple(dict.fromkeys(written)))
    arguments = (terms.collected(left), terms.collected(right))
    code = "{h}({0}, {1})"
    return terms.Apply(type=left.type, many=True, path=left.path, code=code, arguments=arguments, helper=runtime.union)


def _written(term: Term) -> tuple[str | int | Decimal | bool, ...]:
    if isinstance(term, terms.Constant) and term.value is not None:
        return (term.value,)
    return term.values if isinstance(term, terms.Constants) else ()


def _membership(node: Operation, left: Term, right: Term) -> Term:
    item, group = (left, right) if node.operator == "in" else (right, left)
    if not _comparable(item, group):
        raise _both(node, left, right)
    return _apply("boolean", "{0} in {1}", item, terms.collected(group))


def _logic(node: Operation, left: Term, right: Term) -> Term:
    for side, operand in ((node.left, left), (node.right, right)):
        expect.boolean(operand, side.at)
    if node.operator == "xor":
        return _apply("boolean", "{0} != {1}", left, right)
    optional = left.optional or right.optional
    if node.operator == "implies":
        left = terms.negation(left)
    operator = "and" if node.operator == "and" else "or"
    return terms.Connective(type="boolean", optional=optional, operator=operator, left=left, right=right)


_OPERATIONS: Final = {
    **dict.fromkeys(("=", "!="), _equality),
    **dict.fromkeys(("<", "<=", ">", ">="), _order),
    **dict.fromkeys(("+", "-", "*"), _arithmetic),
    **dict.fromkeys(("in", "contains"), _membership),
    **dict.fromkeys(("and", "or", "xor", "implies"), _logic),
    "&": _concatenation,
    "|": _union,
}
