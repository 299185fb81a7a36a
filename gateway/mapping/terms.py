"""A checked expression: what it computes, with the type of every part.

The checker makes terms, and the generator turns them into Python.

A value that is absent is None for a primitive type and an empty dict for any other; a term that is `many` stands for
a list, empty when nothing is there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gateway.mapping.document import Place
from gateway.mapping.forms import Form, Kind, kind


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """One of the sources of a module: the message, or a further input called `name`."""

    form: Form
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Term:
    """`type` is a FHIR type name; `path` says in FHIRPath where the value comes from, for people to read."""

    type: str
    many: bool = False
    optional: bool = True
    path: str = ""

    @property
    def kind(self) -> Kind:
        """What JSON writes for it."""
        return kind(self.type)

    @property
    def origin(self) -> Origin | None:
        """The source that an object comes from; None where there is no object."""
        return None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Constant(Term):
    """A value written in the module; None for `{}`."""

    value: str | int | Decimal | bool | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Constants(Term):
    """Several values written in the module."""

    values: tuple[str | int | Decimal | bool, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Local(Term):
    """A value that has a name when the code runs: a source, a var, what the caller gives, the item of a loop."""

    start: Origin | None = None

    @property
    def origin(self) -> Origin | None:
        return self.start


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Derived(Term):
    """What is found from `base` on, in the same source."""

    base: Term

    @property
    def origin(self) -> Origin | None:
        return self.base.origin


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Field(Derived):
    """The element `key` of `base`; a list of them where `is_list`, and one value or a list where `is_open`.

    A list that is `sparse` has null where there is nothing.
    """

    key: str
    is_list: bool
    is_open: bool = False
    sparse: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Choice(Derived):
    """The choice element `base.value[x]` before a type is chosen; `members` has the elements by FHIR type."""

    members: dict[str, str]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pick(Derived):
    """The item of `base` at `index`, -1 for the last; or at one that is worked out."""

    index: int | Term


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Worked(Derived):
    """The list that `helper` makes of all items of `base` and of `arguments`."""

    helper: Callable[..., Any]
    arguments: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Single(Derived):
    """The one value of `base`; several different ones are refused."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Filter(Derived):
    """The items of `base` for which `test` is true, each in turn called `item`; `sure`: true only of what is there."""

    item: Local
    test: Term
    sure: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Select(Derived):
    """`body` for every item of `base`."""

    item: Local
    body: Term

    @property
    def origin(self) -> Origin | None:
        return self.body.origin


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Every(Term):
    """Whether `test` is true for every item of `base`."""

    base: Term
    item: Local
    test: Term


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Exists(Term):
    """Whether `base` has an item, or, `negated`, has none."""

    base: Term
    negated: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Count(Term):
    """How many items `base` has."""

    base: Term


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Collected(Derived):
    """All items of `base` as one list, to hand to a helper."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Resolve(Derived):
    """The resource of the Bundle that the text `base` refers to."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Connective(Term):
    """`left and right`, `left or right`."""

    operator: str
    left: Term
    right: Term


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Not(Term):
    """The other truth value."""

    base: Term


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Conditional(Term):
    """`then` where `test` is true, else `otherwise`; `place` is where the module has it."""

    place: Place | None
    test: Term
    then: Term
    otherwise: Term

    @property
    def origin(self) -> Origin | None:
        return self.then.origin or self.otherwise.origin


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Apply(Term):
    """Python `code` with `{0}`, `{1}` for the arguments and `{h}` for `helper`.

    Absent when an argument is absent, unless `takes_absent`.
    """

    code: str
    arguments: tuple[Term, ...]
    helper: Callable[..., Any] | None = None
    takes_absent: bool = False


def item_of(base: Term) -> Local:
    """What an item of `base` is called inside a function on it."""
    return Local(type=base.type, optional=False, path=base.path, start=base.origin)


def collected(term: Term) -> Term:
    """The items of a term as one list."""
    return Collected(type=term.type, optional=False, path=term.path, base=term)


def negation(term: Term) -> Term:
    """The other truth value of a term."""
    if isinstance(term, Exists):
        return dataclasses.replace(term, negated=not term.negated)
    return Not(type="boolean", optional=term.optional, base=term)
