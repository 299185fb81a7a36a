"""Values that know where they come from. Compiled modules run on them as on any other.

What a text or a number is made of is carried along by the operations of the language. True and false cannot carry
anything in Python, so that of them only the reading is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import wraps
from typing import Any, Final, NamedTuple

from gateway.mapping.conceptmap import Translator
from gateway.mapping.context import NAMES, Context


class Row(NamedTuple):
    """A row of a ConceptMap that translated a code."""

    conceptmap: str
    file: str
    code: str
    translation: str


@dataclass(slots=True)
class Trail:
    """The values of a source: `known` has the path of each, and that without indexes; `used` those that were read."""

    known: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)


class Tracked:
    """A value with the paths that it comes from and the rows that translated it."""

    paths: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()


class Object(dict[str, Any]):
    """An object of a source."""

    def __init__(self, members: Mapping[str, Any], path: str, trail: Trail) -> None:
        super().__init__(members)
        self.path, self.trail = path, trail

    def get(self, key: str, default: Any = None) -> Any:
        value = super().get(key, default)
        # What stands deeper is read by itself.
        read = [None if isinstance(item, dict) else item for item in value] if isinstance(value, list) else value
        if not isinstance(read, dict):
            self.trail.used.update(path for path, _ in leaves(read, below(self.path, key)))
        return value


def source(value: Any, path: str, trail: Trail, general: str = "") -> Any:
    """A copy of a JSON value in which every part knows its path; `general` is the path without indexes."""
    general = general or path
    if isinstance(value, dict):
        kind = value.get("resourceType")
        if isinstance(kind, str) and general.endswith((".resource", ".contained")):
            general = f"{general}.ofType({kind})"
        members = {
            key: source(inner, below(path, key), trail, below(general, key))
            for key, inner in value.items()
            if isinstance(key, str)
        }
        return Object(members, path, trail)
    if isinstance(value, list):
        return [source(inner, f"{path}[{index}]", trail, general) for index, inner in enumerate(value)]
    if value is not None:
        trail.known[path] = general
    return carrying(value, (path,))


def context(given: Context) -> Context:
    """The same context, whose values know their names."""
    return Context(
        **{
            attribute: carrying(value, (f"%{name}",))
            for name, attribute in NAMES.items()
            if (value := getattr(given, attribute)) is not None
        }
    )


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every text, number and boolean in a JSON value, with its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, below(path, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{index}]")
    elif value is not None:
        yield path, value


def below(path: str, key: str) -> str:
    """The path of a member; what `_birthDate` holds belongs to birthDate."""
    return f"{path}.{key.removeprefix('_')}"


def carrying(value: Any, paths: tuple[str, ...], rows: tuple[Row, ...] = ()) -> Any:
    """The value, knowing where it comes from as far as its type can."""
    kind = _TRACKED.get(type(value))
    if kind is None:
        return value
    tracked = kind(value)
    tracked.paths, tracked.rows = paths, rows
    return tracked


def plain(value: Any) -> Any:
    """The value without what it knows."""
    if isinstance(value, Tracked):
        return _PLAIN[type(value)](value)
    return value


def following(function: Any, rows_used: set[Row]) -> Any:
    """A function whose result knows what its arguments know; `rows_used` collects the rows that translate a code."""
    if isinstance(function, type) or function is len or not callable(function):
        return function

    @wraps(function, assigned=())
    def followed(*arguments: Any) -> Any:
        result = function(*arguments)
        paths, rows = _known(arguments)
        if isinstance(function, Translator):
            row = Row(function.name, function.file, plain(arguments[0]), result)
            rows = (*rows, row)
            rows_used.add(row)
        if isinstance(result, list | tuple):
            return [item if isinstance(item, Tracked) else carrying(item, paths, rows) for item in result]
        return result if isinstance(result, Tracked) else carrying(result, paths, rows)

    return followed


def _known(values: Any) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    found = [value for each in values for value in (each if isinstance(each, list | tuple) else (each,))]
    tracked = [value for value in found if isinstance(value, Tracked)]
    paths = dict.fromkeys(path for value in tracked for path in value.paths)
    rows = dict.fromkeys(row for value in tracked for row in value.rows)
    return tuple(paths), tuple(rows)


def _carried(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method of a plain type, whose results know what it was given."""

    def carried(*arguments: Any) -> Any:
        result = method(*arguments)
        if isinstance(result, list):
            return [carrying(item, *_known(arguments)) for item in result]
        return result if result is NotImplemented else carrying(result, *_known(arguments))

    return carried


def _joined(text: Any, before: str) -> Any:
    return carrying(before + str(text), *_known((before, text)))


class Text(str, Tracked):
    """A text that knows where it comes from."""


class Whole(int, Tracked):
    """A whole number that knows where it comes from."""


class Number(Decimal, Tracked):
    """A decimal that knows where it comes from."""


for _name in ("__add__", "__getitem__", "strip", "upper", "lower", "replace", "split"):
    setattr(Text, _name, _carried(getattr(str, _name)))
Text.__radd__ = _joined  # type: ignore[attr-defined]
for _kind, _base in ((Whole, int), (Number, Decimal)):
    for _name in ("__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__"):
        setattr(_kind, _name, _carried(getattr(_base, _name)))

_TRACKED: Final[dict[type, Any]] = {str: Text, int: Whole, Decimal: Number}
_PLAIN: Final[dict[type, Any]] = {Text: str, Whole: int, Number: Decimal}
