"""Turns terms into Python.

A single value becomes an expression; a path over lists becomes nested loops, one for each list, with what is done to an
item inside the innermost. No list is built that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatchmethod

from gateway.mapping import runtime, terms
from gateway.mapping.loops import ABSENT, Loops, Stop, absent, missing, nothing, present
from gateway.mapping.references import References
from gateway.mapping.terms import Term


class Generator(Loops):
    """Writes Python for terms into `code`."""

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

    def expression(self, term: Term) -> str:
        """An expression for what a term is as it stands: one value, or a list."""
        return self._value(term)

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
        if isinstance(term.index, Term):
            index = self.atom(term.index)
            there = f"{index} in {self.code.refer(range)}({self.code.refer(len)}({items}))"
            return f"({items}[{index}] if {there} else {absent(term)})"
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
    def _(self, term: terms.Worked) -> str:
        arguments = [self.listing(term.base), *map(self.value, term.arguments)]
        return f"{self.code.refer(term.helper)}({', '.join(arguments)})"

    @_value.register
    def _(self, term: terms.Resolve) -> str:
        assert term.origin
        root, index = self.roots[term.origin]
        with self.code.block(f"if {index} is None:"):
            self.code.line(f"{index} = {self.code.refer(References)}({root})")
        find = "of" if term.base.kind == "object" else "at"
        return f"{index}.{find}({self.value(term.base)}, {ABSENT})"

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
        return self.branches(term, self.value)

    def branches(self, term: terms.Conditional, write: Callable[[Term], str]) -> str:
        """A name for what `write` gives of the branch that is taken."""
        found = self.code.fresh()
        with self.code.forked("iif", term.place) as taken:
            for head, branch in ((f"if {self.test(term.test)}:", term.then), ("else:", term.otherwise)):
                with self.code.block(head):
                    if branch is term.then:
                        taken()
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
