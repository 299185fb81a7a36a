"""Functions on collections, and the choice between two values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.mapping import expect, runtime, terms
from gateway.mapping.fitting import common
from gateway.mapping.forms import TEXT
from gateway.mapping.syntax import Call, ExpressionError
from gateway.mapping.terms import Apply, Constant, Filter, Term

if TYPE_CHECKING:
    from gateway.mapping.checker import Checker

Build = Callable[["Checker", Call, Term, Term], Term]
"""Makes the term of a call from what it is called on and what `$this` means outside it."""


def where(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.where(criteria)`."""
    item = terms.item_of(base)
    test = checker.check(node.arguments[0], item)
    expect.boolean(test, node.arguments[0].at)
    return Filter(type=base.type, many=base.many, path=base.path, base=base, item=item, test=test)


def select(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.select(projection)`."""
    item = terms.item_of(base)
    body = checker.check(node.arguments[0], item)
    return terms.Select(type=body.type, many=base.many or body.many, path=body.path, base=base, item=item, body=body)


def every(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.all(criteria)`."""
    item = terms.item_of(base)
    test = checker.check(node.arguments[0], item)
    expect.boolean(test, node.arguments[0].at)
    return terms.Every(type="boolean", optional=False, path=base.path, base=base, item=item, test=test)


def exists(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.exists(criteria)`."""
    if isinstance(base, terms.Choice):
        return _choice_exists(base, node)
    found = where(checker, node, base, this) if node.arguments else base
    return terms.Exists(type="boolean", optional=False, path=base.path, base=found)


def _choice_exists(base: terms.Choice, node: Call) -> Term:
    if base.many or node.arguments:
        raise ExpressionError(f"say which type is meant before {node.name}()", node.at)
    helper = runtime.has_any(tuple(base.members.values()))
    return Apply(type="boolean", optional=False, path=base.path, code="{h}({0})", arguments=(base.base,), helper=helper)


def empty(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.empty()`."""
    return terms.negation(exists(checker, node, base, this))


def negate(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.not()`."""
    expect.boolean(base, node.at)
    return terms.negation(base)


def count(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.count()`."""
    return terms.Count(type="integer", optional=False, path=base.path, base=base)


def pick(index: int) -> Build:
    """`base.first()` for index 0, `base.last()` for -1."""

    def build(checker: Checker, node: Call, base: Term, this: Term) -> Term:
        return terms.Pick(type=base.type, path=base.path, base=base, index=index) if base.many else base

    return build


def single(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.single()`."""
    return terms.Single(type=base.type, path=base.path, base=base) if base.many else base


def join(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.join(separator)`."""
    separator: Term = Constant(type="string", optional=False, value="")
    if node.arguments:
        separator = checker.check(node.arguments[0], this)
    for term, at in ((base, node.at), (separator, node.arguments[0].at if node.arguments else node.at)):
        expect.kind(term, "string", "join()", at)
    arguments = (terms.collected(base), separator)
    return Apply(type=TEXT, path=base.path, code="{h}({0}, {1})", arguments=arguments, helper=runtime.join)


def iif(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`iif(criterion, then, otherwise)`."""
    test, then, *rest = (checker.check(argument, this) for argument in node.arguments)
    expect.boolean(test, node.arguments[0].at)
    otherwise = rest[0] if rest else Constant(type="empty", value=None)
    kinds = {then.kind, otherwise.kind} - {"empty"}
    if len(kinds) > 1 or (kinds == {"object"} and not expect.same_objects(then, otherwise)):
        raise ExpressionError(f"iif() gives {then.type} or {otherwise.type}: they must be alike", node.at)
    return terms.Conditional(
        type=common(then, otherwise),
        many=then.many or otherwise.many,
        optional=then.optional or otherwise.optional,
        path=then.path or otherwise.path,
        place=checker.place(node.at),
        test=test,
        then=then,
        otherwise=otherwise,
    )
