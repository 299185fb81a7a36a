"""Says what of a module no case reaches, and what of its cases it never looks at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from gateway.errors import Refusal
from gateway.mapping import tracked
from gateway.mapping.compiler import Made
from gateway.mapping.context import Context
from gateway.mapping.document import Place
from gateway.mapping.module import NO_CONTEXT, NO_INPUTS, Inputs, Module
from gateway.mapping.watch import Run, Value, Watched

_WAYS: Final = {
    "$if": {True: "taken", False: "not taken"},
    "$for": {True: "with items", False: "without items"},
    "iif": {True: "then", False: "otherwise"},
    "require": {True: "failing", False: "holding"},
}


class Example(NamedTuple):
    """What a module is run on."""

    source: Mapping[str, Any]
    context: Context = NO_CONTEXT
    inputs: Inputs = NO_INPUTS


class Branch(NamedTuple):
    """One way through a module: `kind` is $if, $for, iif, require or value, and `way` which of its ways."""

    file: str
    line: int
    column: int
    kind: str
    way: str


class Code(NamedTuple):
    """A code that a ConceptMap of the module can translate."""

    conceptmap: str
    code: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far examples reach: of `branches` and `codes`, those `unreached`; of their values, those `unused`.

    `unused` are paths in FHIRPath, without indexes, that no run looked at and that the module does not ignore.
    """

    branches: tuple[Branch, ...]
    codes: tuple[Code, ...]
    unreached: tuple[Branch | Code, ...]
    unused: tuple[str, ...]

    @property
    def reached(self) -> int:
        """How many of the branches and codes are reached."""
        return len(self.branches) + len(self.codes) - len(self.unreached)


def coverage(module: Module, examples: Iterable[Example]) -> Coverage:
    """Run a module on examples, one by one, and see what they reach; a Refusal is an outcome like any other."""
    seen = Watched(module.made)
    values = _Values(module.made)
    for example in examples:
        values.add(seen.run(module, *example))
    branches, reached = _branches(seen)
    codes = {Code(row.conceptmap, row.code) for row in seen.notes.rows}
    known = {Code(one.name, code): None for one in seen.translators for code in one.table}
    unreached: tuple[Branch | Code, ...] = (
        *(one for one in branches if one not in reached),
        *(one for one in known if one not in codes),
    )
    return Coverage(tuple(branches), tuple(known), unreached, values.unused())


def _branches(seen: Watched) -> tuple[list[Branch], set[Branch]]:
    branches: dict[Branch, None] = {}
    reached = set()
    for number, fork in seen.forks.items():
        for taken in (True, False):
            branch = _branch(fork.place, fork.kind, _WAYS[fork.kind][taken])
            branches[branch] = None
            if (number, taken) in seen.notes.ways:
                reached.add(branch)
    for number, leaf in enumerate(seen.leaves):
        if not leaf.literal:
            branch = _branch(leaf.place, "value", "written")
            branches[branch] = None
            if number in seen.notes.leaves:
                reached.add(branch)
    return sorted(branches), reached


def _branch(place: Place, kind: str, way: str) -> Branch:
    return Branch(place.file, place.line, place.column, kind, way)


class _Values:
    """The values of examples by their paths without indexes: those that were used, or are ignored."""

    def __init__(self, made: Made) -> None:
        self._ignored = [made.expression(path).function() for path in made.declared.ignore]
        self._known: dict[str, None] = {}
        self._used: set[str] = set()

    def add(self, run: Run) -> None:
        known = run.trail.known
        self._known |= dict.fromkeys(path for path in known.values() if not path.endswith(".resourceType"))
        used = run.trail.used | _copied(run.output)
        for ignored in self._ignored:
            used |= self._looked_at(ignored, run)
        self._used |= {known[path] for path in used if path in known}

    @staticmethod
    def _looked_at(expression: Any, run: Run) -> set[str]:
        trail = run.trail
        before, trail.used = trail.used, set()
        try:
            found = expression(run.source, NO_CONTEXT, run.inputs)
        except Refusal:
            found = []
        read, trail.used = trail.used, before
        return read | {path for value in found for path in _paths(value)}

    def unused(self) -> tuple[str, ...]:
        return tuple(path for path in self._known if path not in self._used)


def _copied(output: Any) -> set[str]:
    """The paths of the values that an output took over with the object they stand in."""
    if isinstance(output, Value):
        return set(_paths(output.value))
    inner = output.values() if isinstance(output, dict) else output if isinstance(output, list) else ()
    return {path for each in inner for path in _copied(each)}


def _paths(value: Any) -> Iterable[str]:
    if isinstance(value, tracked.Object):
        return [path for path, _ in tracked.leaves(value, value.path)]
    if isinstance(value, list):
        return [path for each in value for path in _paths(each)]
    return value.paths if isinstance(value, tracked.Tracked) else ()
