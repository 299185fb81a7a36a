"""Runs a module so that one sees how it works: the same generator, with a note at every fork and value.

What the gateway runs is compiled without any of this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.errors import Refusal
from gateway.mapping import tracked
from gateway.mapping.code import Code, Leaf
from gateway.mapping.compiler import Compiled, Made
from gateway.mapping.conceptmap import Translator
from gateway.mapping.context import Context
from gateway.mapping.document import Place
from gateway.mapping.module import Inputs, Module


class Fork(NamedTuple):
    """A place of a module where one of two ways is taken; `kind` is $if, $for, iif or require."""

    kind: str
    place: Place


class Value(NamedTuple):
    """A value of the output, and the number of the leaf that made it."""

    value: Any
    leaf: int


@dataclass(slots=True)
class Notes:
    """What happened: the ways taken at forks, the leaves that gave a value, the rows that translated a code."""

    ways: set[tuple[int, bool]] = field(default_factory=set)
    leaves: set[int] = field(default_factory=set)
    rows: set[tracked.Row] = field(default_factory=set)

    def way(self, fork: int, taken: bool) -> None:
        self.ways.add((fork, taken))

    def value(self, value: Any, leaf: int) -> Value:
        self.leaves.add(leaf)
        return Value(value, leaf)


class WatchedCode(Code):
    """Python source that notes what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.notes = Notes()
        self.forks: list[tuple[Fork, str]] = []
        self.leaves: list[Leaf] = []
        self._way, self._value = self.notes.way, self.notes.value

    @contextmanager
    def forked(self, kind: str, place: Place | None) -> Iterator[Callable[[], None]]:
        """Note which way was taken."""
        assert place
        flag = self.fresh("f")
        self.line(f"{flag} = False")
        note = f"{self.refer(self._way)}({len(self.forks)}, {flag})"
        self.forks.append((Fork(kind, place), note))
        yield lambda: self.line(f"{flag} = True")
        self.line(note)

    def made(self, expression: str, leaf: Leaf) -> str:
        """Note which leaf made the value."""
        self.leaves.append(leaf)
        return f"{self.refer(self._value)}({expression}, {len(self.leaves) - 1})"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a module gave: the output, with a Value at every leaf, or the Refusal."""

    output: Any
    refusal: Refusal | None
    trail: tracked.Trail
    source: Mapping[str, Any]
    inputs: Inputs


class Watched:
    """A module that one sees at work."""

    def __init__(self, made: Made) -> None:
        code = WatchedCode()
        compiled = made.module(code)
        self.notes, self.leaves = code.notes, code.leaves
        # A var that nothing needs is not in the function.
        self.forks = {number: fork for number, (fork, note) in enumerate(code.forks) if note in compiled.source}
        used = {name: thing for name, thing in compiled.objects.items() if f"{name}(" in compiled.source}
        self.translators = [thing for thing in used.values() if isinstance(thing, Translator)]
        own = (code._way, code._value)
        objects = {
            name: thing if thing in own else tracked.following(thing, self.notes.rows)
            for name, thing in compiled.objects.items()
        }
        self._run = Compiled(compiled.source, objects).function()
        self._made = made

    def run(self, module: Module, source: Mapping[str, Any], context: Context, inputs: Inputs) -> Run:
        """Run the module once."""
        trail = tracked.Trail()
        root = str(source.get("resourceType", self._made.declared.source.root))
        message = tracked.source(source, root, trail)
        others = {name: tracked.source(value, f"%{name}", trail) for name, value in inputs.items()}
        seen = replace(module, run=self._run)
        try:
            output, refusal = seen.apply(message, tracked.context(context), others), None
        except Refusal as caught:
            output, refusal = None, caught
        return Run(output, refusal, trail, message, others)


@lru_cache(maxsize=64)
def watched(made: Made) -> Watched:
    """The module as one that can be watched, compiled once."""
    return Watched(made)
