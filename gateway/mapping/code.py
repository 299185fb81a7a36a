"""Python source in the making: lines, fresh names, and the objects that the source refers to.

The source holds generated names, names of elements and literals, both as repr() writes them, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from gateway.mapping.document import Place
from gateway.mapping.syntax import ExpressionError

# Python itself allows 100 levels of indentation.
MAX_INDENT: Final = 90
MAX_LINES: Final = 20_000

Lines = list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Leaf:
    """What stands in a module for a value of the output: a literal, or text with expressions in it.

    `paths` has where the values of the expressions come from, in FHIRPath without indexes.
    """

    place: Place
    text: str
    literal: bool
    paths: tuple[str, ...] = ()


class Code:
    """The lines of one function and what it refers to."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._lines: Lines = []
        self._indent = 1
        self._count = self._written = 0

    def fresh(self, letter: str = "t") -> str:
        """A name that was not used before."""
        self._count += 1
        return f"{letter}{self._count}"

    def line(self, text: str) -> None:
        """Add a statement.

        Raises:
            ExpressionError: the function grows beyond any sensible module.
        """
        self._written += 1
        if self._written > MAX_LINES:
            raise ExpressionError("too large to compile: make it several modules", 0)
        self._lines.append((self._indent, text))

    def assign(self, expression: str) -> str:
        """Add an assignment to a fresh name, and give the name."""
        name = self.fresh()
        self.line(f"{name} = {expression}")
        return name

    def atom(self, expression: str) -> str:
        """A name that stands for the expression, which is itself where it already is one."""
        return expression if expression.isidentifier() else self.assign(expression)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Add a compound statement; what is added inside becomes its body."""
        if self._indent >= MAX_INDENT:
            raise ExpressionError("nested too deep to compile", 0)
        self.line(head)
        self._indent += 1
        try:
            yield
        finally:
            self._indent -= 1

    @contextmanager
    def forked(self, kind: str, place: Place | None) -> Iterator[Callable[[], None]]:
        """Round what takes one of two ways; the way that `kind` speaks of calls what this gives.

        Nothing is written here: whoever wants to know which way was taken compiles a module with WatchedCode.
        """
        yield lambda: None

    def made(self, expression: str, leaf: Leaf) -> str:
        """The expression of a value of the output, `leaf` saying what the module has for it; the same as it was."""
        return expression

    def captured(self, write: Callable[[], str]) -> tuple[str, Lines]:
        """What `write` gives, and the lines it adds, which are left out for the caller to `add`."""
        outer, self._lines = self._lines, []
        try:
            result = write()
            return result, [(indent - self._indent, text) for indent, text in self._lines]
        finally:
            self._lines = outer

    def add(self, lines: Lines) -> None:
        """Add captured lines here."""
        self._lines += [(indent + self._indent, text) for indent, text in lines]

    def refer(self, thing: Any) -> str:
        """The name under which the source finds an object."""
        name = self._names.get(id(thing))
        if name is None:
            name = self._names[id(thing)] = self.fresh("h")
            self.objects[name] = thing
        return name

    def literal(self, value: str | int | Decimal | bool | None) -> str:
        """The source text of a value."""
        return self.refer(value) if isinstance(value, Decimal) else repr(value)

    def function(self, name: str, parameters: str) -> str:
        """The whole function."""
        body = "\n".join(" " * indent + text for indent, text in self._lines)
        return f"def {name}({parameters}):\n{body}\n"
