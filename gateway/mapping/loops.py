"""Writes the loops that walk over all values of a term."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Final

from gateway.mapping import runtime, terms
from gateway.mapping.code import Code
from gateway.mapping.syntax import ExpressionError
from gateway.mapping.terms import Term

MAX_LOOPS: Final = 4

SOURCE, ABSENT, BUDGET = "s", "e", "n"

_LISTS: Final = terms.Local | terms.Apply | terms.Conditional | terms.Constants | terms.Worked

Body = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stop:
    """When to leave loops early: `test` is the condition, `nested` whether a loop round this one must be left too."""

    test: str = ""
    nested: bool = False

    def inside(self) -> Stop:
        """The same for a loop within."""
        return Stop(self.test, True)


class Loops(ABC):
    """Writes loops into `code`. How single values are written is left open.

    `bound` has the name of each Local; `roots` the names of each source and of the index of what it refers to.
    """

    def __init__(self, code: Code) -> None:
        self.code = code
        self.bound: dict[terms.Local, str] = {}
        self.roots: dict[terms.Origin, tuple[str, str]] = {}
        self._loops = 0

    @abstractmethod
    def value(self, term: Term) -> str:
        """An expression for the one value of a term; several different ones are a Refusal when the code runs."""

    @abstractmethod
    def atom(self, term: Term) -> str:
        """A name or literal for the one value of a term."""

    @abstractmethod
    def test(self, term: Term) -> str:
        """An expression that is truthy when the term is true, and not when it is false or absent."""

    @abstractmethod
    def expression(self, term: Term) -> str:
        """An expression for what a term is as it stands: one value, or a list."""

    @abstractmethod
    def branches(self, term: terms.Conditional, write: Callable[[Term], str]) -> str:
        """A name for what `write` gives of the branch that is taken."""

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
            full = not term.sparse and (term.kind == "object" or term.is_open)
            return term.is_list and not term.base.many and full
        return term.many and isinstance(term, _LISTS)

    def _list(self, term: Term) -> str:
        if isinstance(term, terms.Field):
            return self._list_of(self.value(term.base), term)
        if isinstance(term, terms.Conditional):
            return self.branches(term, self.listing)
        return self.expression(term)

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
    def _each_field(self, term: terms.Field, body: Body, stop: Stop) -> None:
        inner = stop.inside() if term.base.many else stop

        def keep(item: str) -> None:
            self._if_there(term, item, body)

        def step(base: str) -> None:
            if term.is_list:
                self._loop(
                    self._list_of(base, term), body if term.kind == "object" and not term.sparse else keep, inner
                )
            else:
                default = f", {ABSENT}" if term.kind == "object" else ""
                keep(self.code.assign(f"{base}.get({term.key!r}{default})"))

        self.each(term.base, step, stop)

    @_each.register
    def _each_filter(self, term: terms.Filter, body: Body, stop: Stop) -> None:
        def keep(item: str) -> None:
            self.bound[term.item] = item
            with self.code.block(f"if {self.test(term.test)}:"):
                body(item)

        self.each(term.base, keep, stop)

    @_each.register
    def _each_select(self, term: terms.Select, body: Body, stop: Stop) -> None:
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
        try:
            with self.code.block(f"for {item} in {items}:"):
                body(item)
        finally:
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
