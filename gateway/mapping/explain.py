"""Says of every value of an output where it comes from and what in the module made it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.mapping import tracked
from gateway.mapping.code import Leaf
from gateway.mapping.context import Context
from gateway.mapping.forms import forms
from gateway.mapping.module import NO_CONTEXT, NO_INPUTS, Inputs, Module
from gateway.mapping.tracked import Row, Tracked
from gateway.mapping.watch import Value, watched

_NAME: Final = re.compile(r"%\w+")


@dataclass(frozen=True, slots=True)
class Explained:
    """One value of an output, at `path`.

    `sources` are the paths of the values that it was copied or made from; none when it is a literal, or made of
    literals only. They are exact, with indexes, unless `exact` is false: then they say only of which elements the
    value tells, as it does where it is true or false. `text` is what the module has for it at that line and column of
    that file, and `rows` are the rows of ConceptMaps that translated it.
    """

    path: str
    value: str | int | object
    sources: tuple[str, ...]
    exact: bool
    literal: bool
    file: str
    line: int
    column: int
    text: str
    rows: tuple[Row, ...]


def explain(
    module: Module, source: Mapping[str, Any], context: Context = NO_CONTEXT, inputs: Inputs = NO_INPUTS
) -> list[Explained]:
    """Every value of what the module makes of a source, in the order of the output.

    Raises:
        Refusal: the source cannot be mapped.
    """
    seen = watched(module.made)
    run = seen.run(module, source, context, inputs)
    if run.refusal:
        raise run.refusal
    return [_explained(*found) for found in _values(run.output, forms()[module.target].root, seen.leaves, None, "")]


def _values(
    value: Any, path: str, leaves: list[Leaf], leaf: Leaf | None, origin: str
) -> Iterator[tuple[str, Any, Leaf, str]]:
    """Every value with its path and leaf; `origin` is its path in the source when it was copied with what it is in."""
    if isinstance(value, Value):
        yield from _values(value.value, path, leaves, leaves[value.leaf], "")
    elif isinstance(value, dict):
        start = value.path if isinstance(value, tracked.Object) else ""
        for key, inner in value.items():
            yield from _values(inner, tracked.below(path, key), leaves, leaf, start and tracked.below(start, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _values(inner, f"{path}[{index}]", leaves, leaf, origin and f"{origin}[{index}]")
    elif value is not None:
        assert leaf
        yield path, value, leaf, origin


def _explained(path: str, value: Any, leaf: Leaf, origin: str) -> Explained:
    sources, rows = (value.paths, value.rows) if isinstance(value, Tracked) else ((origin,) if origin else (), ())
    named = tuple(name for name in leaf.paths if _NAME.fullmatch(name) and name not in sources)
    exact = bool(sources) or not set(leaf.paths) - set(named)
    return Explained(
        path=path,
        value=tracked.plain(value),
        sources=(*sources, *named) if exact else leaf.paths,
        exact=exact,
        literal=leaf.literal,
        file=leaf.place.file,
        line=leaf.place.line,
        column=leaf.place.column,
        text=leaf.text,
        rows=rows,
    )
