"""Turns terms into Python.

A single value becomes an expression; a path over lists becomes nested loops, one for each list, with what is done to an
item inside the innermost. No list is built that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Final

from gateway.mapping import runtime, terms
from gateway.mapping.code import Code
from gateway.mapping.syntax import ExpressionError
from gateway.mapping.terms import Term

MAX_LOOPS: Final = 4

SOURCE, ABSENT, BUDGET, RESOURCES = "s", "e", "n", "x"

Body = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stop:
    """When to leave loops early: `test` is the condition, `nested` whether a loop round this one must be left too."""

    test: str = ""
    nested: bool = False

    def inside(self) -> Stop:
        """The same for a loop within."""
        return Stop(self.test, True)


class Generator:
    """Writes Python for terms into `code`; `bound` has the name of each Local."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.bound: dict[terms.Local, str] = {}
        self._loops = 0

    # --- one value: an expression that gives it, or None, or the empty dict

    def value(self, term: Term) -> str:
        """An expression for the one value of a term; several different ones are a Refusal when the code runs."""
        return self._only(term) if term.many else self._value(term)

    def atom(self, term: Term) -> str:
        """A name or literal for the one value of a term."""
        expression = self.value(term)
        return expression if isinstance(term, terms.Constant) else self.code.atom(expression)

    def _only(self, term: Term) -> str:
        found = self.code.assign(nothing(term))

        def keep(item: str) -> None:
            with self.code.block(f"if {missing(term, found)}:"):
                self.code.line(f"{found} = {item}")
            with self.code.block(f"elif {found} != {item}:"):
                self.code.line(f"{self.code.refer(runtime.several)}({term.path!r})")

        self.each(term, keep)
        return found

    @singledispatchmethod
    def _value(self, term: Term) -> str:
        raise NotImplementedError(type(term).__name__)

    @_value.register
    def _(self, term: terms.Constant) -> str:
        return self.code.literal(term.value)

    @_value.register
    def _(self, term: terms.Constants) -> str:
        return self.code.refer(term.values)

    @_value.register
    def _(self, term: terms.Single) -> str:
        return self._only(term.base)

    @_value.register
    def _(self, term: terms.Local) -> str:
        return self.bound[term]

    @_value.register
    def _(self, term: terms.Field) -> str:
        default = f", {ABSENT}" if term.kind == "object" else ""
        return f"{self.value(term.base)}.get({term.key!r}{default})"

    @_value.register
    def _(self, term: terms.Filter) -> str:
        base = self.bound[term.item] = self.code.atom(self.value(term.base))
        if term.sure:
            return f"({base} if {self.test(term.test)} else {absent(term)})"
        found = self.code.assign(absent(term))
        with self.code.block(f"if {present(term, base)}:"), self.code.block(f"if {self.test(term.test)}:"):
            self.code.line(f"{found} = {base}")
        return found

    @_value.register
    def _(self, term: terms.Select) -> str:
        base = self.bound[term.item] = self.code.atom(self.value(term.base))
        found = self.code.assign(absent(term))
        with self.code.block(f"if {present(term.base, base)}:"):
            self.code.line(f"{found} = {self.value(term.body)}")
        return found

    @_value.register
    def _(self, term: terms.Pick) -> str:
        if term.index == 0 and not self._is_list(term.base):
            return self._first(term.base)
        items = self.code.atom(self.listing(term.base))
        enough = items if term.index <= 0 else f"{self.code.refer(len)}({items}) > {term.index}"
        return f"({items}[{term.index}] if {enough} else {absent(term)})"

    def _first(self, base: Term) -> str:
        found = self.code.assign(nothing(base))

        def keep(item: str) -> None:
            self.code.line(f"{found} = {item}")
            self.code.line("break")

        self.each(base, keep, Stop(present(base, found)))
        return found

    @_value.register
    def _(self, term: terms.Exists) -> str:
        return f"(not not {self.test(term)})"

    @_value.register
    def _(self, term: terms.Count) -> str:
        base = term.base
        if not base.many:
            return f"(1 if {present(base, self.code.atom(self.value(base)))} else 0)"
        return f"{self.code.refer(len)}({self.listing(base)})"

    @_value.register
    def _(self, term: terms.Every) -> str:
        found = self.code.assign("True")

        def refute(item: str) -> None:
            self.bound[term.item] = item
            with self.code.block(f"if not {self.test(term.test)}:"):
                self.code.line(f"{found} = False")

        self.each(term.base, refute)
        return found

    @_value.register
    def _(self, term: terms.Collected) -> str:
        return self.listing(term.base)

    @_value.register
    def _(self, term: terms.Resolve) -> str:
        with self.code.block(f"if {RESOURCES} is None:"):
            self.code.line(f"{RESOURCES} = {self.code.refer(runtime.resources_by_url)}({SOURCE})")
        return f"{self.code.refer(runtime.resolve)}({RESOURCES}, {self.value(term.base)}, {ABSENT})"

    @_value.register
    def _(self, term: terms.Connective) -> str:
        if not term.optional:
            return f"(not not {self.test(term)})"
        left, right = self.atom(term.left), self.atom(term.right)
        decides = term.operator == "or"
        return (
            f"({decides} if {left} is {decides} or {right} is {decides} else "
            f"None if {left} is None or {right} is None else {not decides})"
        )

    @_value.register
    def _(self, term: terms.Not) -> str:
        if not term.optional:
            return f"(not {self.test(term.base)})"
        base = self.atom(term.base)
        return f"(None if {base} is None else not {base})"

    @_value.register
    def _(self, term: terms.Conditional) -> str:
        return self._branches(term, self.value)

    def _branches(self, term: terms.Conditional, write: Callable[[Term], str]) -> str:
        found = self.code.fresh()
        for head, branch in ((f"if {self.test(term.test)}:", term.then), ("else:", term.otherwise)):
            with self.code.block(head):
                nothing = branch.kind == "empty"
                self.code.line(f"{found} = {absent(term) if nothing else write(branch)}")
        return found

    @_value.register
    def _(self, term: terms.Apply) -> str:
        guards, expression = self._applied(term)
        return f"({expression} if {' and '.join(guards)} else {absent(term)})" if guards else f"({expression})"

    def _applied(self, term: terms.Apply) -> tuple[list[str], str]:
        guards = []
        arguments = []
        for argument in term.arguments:
            if argument.optional and argument.kind != "object" and not term.takes_absent:
                arguments.append(self.atom(argument))
                guards.append(f"{arguments[-1]} is not None")
            else:
                arguments.append(self.value(argument))
        helper = self.code.refer(term.helper) if term.helper else ""
        return guards, term.code.format(*arguments, h=helper)

    # --- a condition: an expression that Python takes as true exactly when the term is true

    def test(self, term: Term) -> str:
        """An expression that is truthy when the term is true, and not when it is false or absent."""
        return self.value(term) if term.many else self._test(term)

    @singledispatchmethod
    def _test(self, term: Term) -> str:
        return self._value(term)

    @_test.register
    def _(self, term: terms.Exists) -> str:
        base = term.base
        if not base.many:
            there = present(base, self.code.atom(self.value(base)))
        elif self._is_list(base):
            there = self.listing(base)
        else:
            there = self._found(base)
        return f"(not {there})" if term.negated and base.many else f"(not ({there}))" if term.negated else f"({there})"

    def _found(self, base: Term) -> str:
        found = self.code.assign("False")

        def note(item: str) -> None:
            self.code.line(f"{found} = True")
            self.code.line("break")

        self.each(base, note, Stop(found))
        return found

    @_test.register
    def _(self, term: terms.Connective) -> str:
        left = self.test(term.left)
        right, lines = self.code.captured(lambda: self.test(term.right))
        if not lines:
            return f"({left} {term.operator} {right})"
        found = self.code.assign(left)
        with self.code.block(f"if {found}:" if term.operator == "and" else f"if not {found}:"):
            self.code.add(lines)
            self.code.line(f"{found} = {right}")
        return found

    @_test.register
    def _(self, term: terms.Not) -> str:
        return f"({self.value(term.base)} is False)"

    @_test.register
    def _(self, term: terms.Apply) -> str:
        equality = term.code == "{0} == {1}" and any(not argument.optional for argument in term.arguments)
        if equality:
            return term.code.format(*(self.value(argument) for argument in term.arguments)).join("()")
        guards, expression = self._applied(term)
        return " and ".join([*guards, expression]).join("()")

    # --- all values

    def listing(self, term: Term) -> str:
        """An expression for a list of all values of a term."""
        if self._is_list(term):
            return self._list(term)
        found = self.code.assign("[]")
        self.each(term, lambda item: self.code.line(f"{found}.append({item})"))
        return found

    @staticmethod
    def _is_list(term: Term) -> bool:
        if isinstance(term, terms.Field):
            # A list of primitive values may hold nulls (FHIR, "JSON Representation of FHIR Resources"), to be left out.
            return term.is_list and not term.base.many and (term.kind == "object" or term.is_open)
        return term.many and isinstance(term, terms.Local | terms.Apply | terms.Conditional | terms.Constants)

    def _list(self, term: Term) -> str:
        if isinstance(term, terms.Field):
            return self._list_of(self.value(term.base), term)
        if isinstance(term, terms.Conditional):
            return self._branches(term, self.listing)
        return self._value(term)

    def _list_of(self, base: str, term: terms.Field) -> str:
        if term.is_open:
            return f"{self.code.refer(runtime.listed)}({base}.get({term.key!r}))"
        return f"{base}.get({term.key!r}, ())"

    def each(self, term: Term, body: Body, stop: Stop = Stop()) -> None:
        """Write loops that do `body` for every value of a term."""
        if not term.many:
            self._if_there(term, self.atom(term), body)
        elif self._is_list(term):
            self._loop(self._list(term), body, stop)
        else:
            self._each(term, body, stop)

    def _if_there(self, term: Term, item: str, body: Body) -> None:
        if term.optional or term.many:
            with self.code.block(f"if {present(term, item)}:"):
                body(item)
        else:
            body(item)

    @singledispatchmethod
    def _each(self, term: Term, body: Body, stop: Stop) -> None:
        raise NotImplementedError(type(term).__name__)

    @_each.register
    def _(self, term: terms.Field, body: Body, stop: Stop) -> None:
        inner = stop.inside() if term.base.many else stop

        def keep(item: str) -> None:
            self._if_there(term, item, body)

        def step(base: str) -> None:
            if term.is_list:
                self._loop(self._list_of(base, term), body if term.kind == "object" else keep, inner)
            else:
                default = f", {ABSENT}" if term.kind == "object" else ""
                keep(self.code.assign(f"{base}.get({term.key!r}{default})"))

        self.each(term.base, step, stop)

    @_each.register
    def _(self, term: terms.Filter, body: Body, stop: Stop) -> None:
        def keep(item: str) -> None:
            self.bound[term.item] = item
            with self.code.block(f"if {self.test(term.test)}:"):
                body(item)

        self.each(term.base, keep, stop)

    @_each.register
    def _(self, term: terms.Select, body: Body, stop: Stop) -> None:
        inner = stop.inside() if term.base.many else stop

        def project(item: str) -> None:
            self.bound[term.item] = item
            self.each(term.body, body, inner)

        self.each(term.base, project, stop)

    def _loop(self, items: str, body: Body, stop: Stop) -> None:
        self._loops += 1
        if self._loops > MAX_LOOPS:
            raise ExpressionError(f"more than {MAX_LOOPS} loops inside one another: use vars for the parts", 0)
        items = self.code.atom(items)
        self.code.line(f"{BUDGET} -= {self.code.refer(len)}({items})")
        with self.code.block(f"if {BUDGET} < 0:"):
            self.code.line(f"{self.code.refer(runtime.too_much)}()")
        item = self.code.fresh()
        with self.code.block(f"for {item} in {items}:"):
            body(item)
        self._loops -= 1
        if stop.nested and stop.test:
            with self.code.block(f"if {stop.test}:"):
                self.code.line("break")


def absent(term: Term) -> str:
    """What a term is when nothing is there."""
    return "()" if term.many else nothing(term)


def nothing(term: Term) -> str:
    """What stands for one value of a term's type when it is not there."""
    return ABSENT if term.kind == "object" else "None"


def present(term: Term, name: str) -> str:
    """A condition: the single value called `name` is there."""
    if not term.optional and not term.many:
        return "True"
    return name if term.kind == "object" else f"{name} is not None"


def missing(term: Term, name: str) -> str:
    """A condition: the single value called `name` is not there."""
    return f"not {name}" if term.kind == "object" else f"{name} is None"
