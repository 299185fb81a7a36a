"""What an expression is once it is read: a small tree, each node with the offset in the text where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


class ExpressionError(Exception):
    """An expression is wrong at `at`, an offset in its text; whoever knows the file makes a ModuleError of it."""

    def __init__(self, message: str, at: int) -> None:
        self.message, self.at = message, at
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Literal:
    """`'text'`, `1`, `1.5`, `true`, or `{}`, whose value is None."""

    at: int
    value: str | int | Decimal | bool | None

    @property
    def children(self) -> tuple[Node, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Moment:
    """`@2020-01-31`, `@2020-01-31T10:00:00Z` or `@T10:00`; `text` is without `@` and `@T`."""

    at: int
    text: str
    type: str

    @property
    def children(self) -> tuple[Node, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class This:
    """`$this`."""

    at: int

    @property
    def children(self) -> tuple[Node, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Variable:
    """`%name`."""

    at: int
    name: str

    @property
    def children(self) -> tuple[Node, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Member:
    """`base.name`, or `name` at the start of a path, where `base` is None."""

    at: int
    base: Node | None
    name: str

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.base,) if self.base else ()


@dataclass(frozen=True, slots=True)
class Index:
    """`base[number]`."""

    at: int
    base: Node
    number: Node

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.base, self.number)


@dataclass(frozen=True, slots=True)
class Call:
    """`base.name(arguments)`; `base` is None where the call starts a path."""

    at: int
    base: Node | None
    name: str
    arguments: tuple[Node, ...]

    @property
    def children(self) -> tuple[Node, ...]:
        return (*((self.base,) if self.base else ()), *self.arguments)


@dataclass(frozen=True, slots=True)
class Operation:
    """`left operator right`."""

    at: int
    operator: str
    left: Node
    right: Node

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.left, self.right)


Node = Literal | Moment | This | Variable | Member | Index | Call | Operation
