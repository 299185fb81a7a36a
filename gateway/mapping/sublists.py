"""Functions that make one list of values out of another, or of two, and that ask about all of a list."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gateway.mapping import expect, runtime, terms
from gateway.mapping.fitting import common
from gateway.mapping.syntax import Call, ExpressionError
from gateway.mapping.terms import Apply, Constant, Term, Worked

if TYPE_CHECKING:
    from gateway.mapping.checker import Checker


def skip(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.skip(number)`."""
    return _worked(base, runtime.skip, _number(checker, node, this))


def take(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.take(number)`."""
    return _worked(base, runtime.take, _number(checker, node, this))


def tail(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.tail()`."""
    return _worked(base, runtime.skip, Constant(type="integer", optional=False, value=1))


def distinct(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.distinct()`."""
    return _worked(_primitive(base, node), runtime.distinct)


def is_distinct(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.isDistinct()`."""
    return _asked(_primitive(base, node), runtime.is_distinct)


def combine(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.combine(other)`."""
    return _both(base, runtime.combine, _other(checker, node, base, this))


def union(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.union(other)`."""
    return _both(_primitive(base, node), runtime.union, _other(checker, node, base, this))


def intersect(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.intersect(other)`."""
    return _worked(_primitive(base, node), runtime.intersect, _other(checker, node, base, this))


def exclude(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.exclude(other)`."""
    return _worked(_primitive(base, node), runtime.exclude, _other(checker, node, base, this))


def truths(helper: Callable[[Sequence[bool]], bool]) -> Callable[[Checker, Call, Term, Term], Term]:
    """`base.allTrue()` and its like."""

    def build(checker: Checker, node: Call, base: Term, this: Term) -> Term:
        expect.boolean(base, node.at)
        return _asked(base, helper)

    return build


def _worked(base: Term, helper: Callable[..., Any], *arguments: Term) -> Term:
    return Worked(type=base.type, many=True, path=base.path, base=base, helper=helper, arguments=arguments)


def _both(base: Term, helper: Callable[..., Any], other: Term) -> Term:
    return dataclasses.replace(_worked(base, helper, other), type=common(base, other))


def _asked(base: Term, helper: Callable[..., Any]) -> Term:
    arguments = (terms.collected(base),)
    return Apply(type="boolean", optional=False, path=base.path, code="{h}({0})", arguments=arguments, helper=helper)


def _number(checker: Checker, node: Call, this: Term) -> Term:
    number = checker.check(node.arguments[0], this)
    expect.kind(number, "integer", f"{node.name}()", node.arguments[0].at)
    return number


def _other(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    other = checker.check(node.arguments[0], this)
    if base.kind != other.kind or (base.kind == "object" and not expect.same_objects(base, other)):
        raise ExpressionError(f"{node.name}() does not take {base.type} and {other.type}", node.at)
    return terms.collected(other)


def _primitive(base: Term, node: Call) -> Term:
    if base.kind in ("object", "any"):
        raise ExpressionError(f"{node.name}() takes primitive values, not {base.type}", node.at)
    return base
