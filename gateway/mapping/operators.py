"""The operators between two values, each with the types that it takes and gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from gateway.mapping import expect, moments, runtime, terms
from gateway.mapping.fitting import common, joined
from gateway.mapping.forms import MOMENTS
from gateway.mapping.syntax import ExpressionError, Operation
from gateway.mapping.terms import Term

_NUMBERS: Final = ("integer", "decimal")


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
    if left.type in MOMENTS and right.type in MOMENTS:
        return _moments(node, left, right)
    return _apply("boolean", f"{{0}} {'==' if node.operator == '=' else '!='} {{1}}", left, right)


def _order(node: Operation, left: Term, right: Term) -> Term:
    if left.type in MOMENTS and right.type in MOMENTS:
        return _moments(node, left, right)
    if left.type in MOMENTS or right.type in MOMENTS:
        text = "dates and times are not ordered as text is: compare with @2020-01-31, or with what toDate() gives"
        raise ExpressionError(text, node.at)
    if not _comparable(left, right) or left.kind not in ("string", *_NUMBERS):
        raise _both(node, left, right)
    return _apply("boolean", f"{{0}} {node.operator} {{1}}", left, right)


def _moments(node: Operation, left: Term, right: Term) -> Term:
    if (left.type == "time") != (right.type == "time"):
        raise _both(node, left, right)
    return _unsure("boolean", left, right, moments.COMPARISONS[node.operator])


def _unsure(type_name: str, left: Term, right: Term, helper: Callable[..., object]) -> Term:
    """What a helper gives of two values, which may be nothing although both are there."""
    term = _apply(type_name, "{h}({0}, {1})", left, right, helper=helper)
    return dataclasses.replace(term, optional=True)


def _likeness(node: Operation, left: Term, right: Term) -> Term:
    if {left.kind, right.kind} - {"string", "empty"}:
        raise _both(node, left, right)
    helper = runtime.alike if node.operator == "~" else runtime.unlike
    term = _apply("boolean", "{h}({0}, {1})", left, right, helper=helper, takes_absent=True)
    return dataclasses.replace(term, optional=False)


def _division(node: Operation, left: Term, right: Term) -> Term:
    if left.kind not in _NUMBERS or right.kind not in _NUMBERS:
        raise _both(node, left, right)
    whole = node.operator == "div" or (node.operator == "mod" and left.kind == right.kind == "integer")
    helper = {"/": runtime.divide, "div": runtime.whole, "mod": runtime.rest}[node.operator]
    return _unsure("integer" if whole else "decimal", left, right, helper)


def _arithmetic(node: Operation, left: Term, right: Term) -> Term:
    if node.operator == "+" and left.kind == right.kind == "string":
        return _apply(joined(left, right), "{h}({0}, {1})", left, right, helper=runtime.plus)
    if left.kind not in _NUMBERS or right.kind not in _NUMBERS:
        raise _both(node, left, right)
    type_name = "integer" if left.kind == right.kind == "integer" else "decimal"
    term = _apply(type_name, f"{{h}}({{0}} {node.operator} {{1}})", left, right, helper=runtime.number)
    return dataclasses.replace(term, optional=True)


def _concatenation(node: Operation, left: Term, right: Term) -> Term:
    if left.kind not in ("string", "empty") or right.kind not in ("string", "empty"):
        raise _both(node, left, right)
    text = _apply(joined(left, right), "{h}({0}, {1})", left, right, helper=runtime.concat, takes_absent=True)
    return dataclasses.replace(text, optional=False)


def _union(node: Operation, left: Term, right: Term) -> Term:
    if left.kind != right.kind or left.kind in ("object", "any"):
        raise _both(node, left, right)
    if (written := (*_written(left), *_written(right))) and _written(left) and _written(right):
        return terms.Constants(type=common(left, right), many=True, values=tuple(dict.fromkeys(written)))
    arguments = (terms.collected(left), terms.collected(right))
    code = "{h}({0}, {1})"
    return terms.Apply(
        type=common(left, right), many=True, path=left.path, code=code, arguments=arguments, helper=runtime.union
    )


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


OPERATIONS: Final[dict[str, Callable[[Operation, Term, Term], Term]]] = {
    **dict.fromkeys(("=", "!="), _equality),
    **dict.fromkeys(("<", "<=", ">", ">="), _order),
    **dict.fromkeys(("~", "!~"), _likeness),
    **dict.fromkeys(("+", "-", "*"), _arithmetic),
    **dict.fromkeys(("/", "div", "mod"), _division),
    **dict.fromkeys(("in", "contains"), _membership),
    **dict.fromkeys(("and", "or", "xor", "implies"), _logic),
    "&": _concatenation,
    "|": _union,
}
