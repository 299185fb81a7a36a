"""Strict YAML: what a mapping module is written in, with the place of every node.

Less than YAML on purpose, so that a module says the same to every reader: no tags, anchors, aliases, merge keys,
duplicate keys, directives or second documents; a plain scalar is text unless it is `true`, `false`, `null`, empty or a
JSON number (`yes`, `2024-01-01` and `012` are text).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import yaml

from gateway.errors import ModuleError

MAX_DEPTH: Final = 40
MAX_CHARACTERS: Final = 1_000_000

Plain = str | int | Decimal | bool | None

_WORDS: Final[dict[str, Plain]] = {"true": True, "false": False, "null": None, "": None}
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?")
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")
_PIECES: Final = {
    "'": re.compile(r"''|.", re.DOTALL),
    '"': re.compile(r"\\(?:x..|u....|U.{8}|.)|.", re.DOTALL),
}
_ANY_CHARACTER: Final = re.compile(r".", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def error(self, message: str) -> ModuleError:
        """The error to raise about what stands here."""
        return ModuleError(message, file=self.file, line=self.line, column=self.column)


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """One value; `source` is its text as the file has it, quotes and all, and `style` its YAML quoting style."""

    place: Place
    value: Plain
    source: str = field(repr=False, default="")
    style: str = field(repr=False, default="")

    def place_of(self, offset: int) -> Place:
        """The place in the file of the character at `offset` of the value, whatever the quoting and folding."""
        # Folding changes white space only, so the signs that are not white space number the same on both sides.
        signs = sum(not sign.isspace() for sign in str(self.value)[:offset])
        start = {"'": 1, '"': 1, "|": self.source.find("\n"), ">": self.source.find("\n")}.get(self.style, 0)
        for piece in _PIECES.get(self.style, _ANY_CHARACTER).finditer(self.source, start):
            if piece[0].isspace():
                continue
            if signs == 0:
                return self._after(piece.start())
            signs -= 1
        return self._after(len(self.source))

    def _after(self, index: int) -> Place:
        before = self.source[:index]
        lines = before.count("\n")
        column = index - before.rfind("\n") if lines else self.place.column + index
        return Place(self.place.file, self.place.line + lines, column)


@dataclass(frozen=True, slots=True)
class ListNode:
    """A sequence."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping, in the order of the file; `places` has where each key stands."""

    place: Place
    items: dict[str, Node]
    places: dict[str, Place]


Node = ScalarNode | ListNode | MapNode


@lru_cache(maxsize=256)  # each module that includes a fragment reads it
def read(text: str, file: str) -> Node:
    """The one document in `text`; `file` is named in errors.

    Raises:
        ModuleError: the text is not YAML, or more YAML than the strict part.
    """
    if len(text) > MAX_CHARACTERS:
        raise ModuleError(f"longer than {MAX_CHARACTERS:,} characters", file=file)
    try:
        return _Composer(text, file).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise ModuleError(f"not YAML: {error.problem}", file=file, line=line, column=column) from None
    except yaml.YAMLError:
        raise ModuleError("not YAML: it holds a character that YAML does not allow", file=file) from None


class _Composer:
    def __init__(self, text: str, file: str) -> None:
        self._text, self._file = text, file
        self._events: Iterator[Any] = yaml.parse(text, Loader=yaml.SafeLoader)

    def document(self) -> Node:
        next(self._events)
        start = next(self._events)
        if isinstance(start, yaml.StreamEndEvent):
            raise ModuleError("the file is empty", file=self._file)
        if start.version or start.tags:
            raise self._place(start).error("a YAML directive is not allowed")
        node = self._node(next(self._events), 1)
        next(self._events)
        second = next(self._events)
        if not isinstance(second, yaml.StreamEndEvent):
            raise self._place(second).error("a second document is not allowed")
        return node

    def _source(self, event: Any) -> str:
        return self._text[event.start_mark.index : event.end_mark.index]

    def _place(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _node(self, event: Any, depth: int) -> Node:
        place = self._place(event)
        self._refuse(event, place, depth)
        if isinstance(event, yaml.ScalarEvent):
            if _HALF_CHARACTER.search(event.value):
                raise place.error("half a surrogate pair is not a character; write \\U0001F600")
            return ScalarNode(place, _plain(event), self._source(event), event.style or "")
        if isinstance(event, yaml.SequenceStartEvent):
            return ListNode(place, tuple(self._node(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)))
        return self._mapping(place, depth)

    def _until(self, end: type) -> Iterator[Any]:
        while not isinstance(event := next(self._events), end):
            yield event

    def _mapping(self, place: Place, depth: int) -> MapNode:
        node = MapNode(place, {}, {})
        for event in self._until(yaml.MappingEndEvent):
            key_place = self._place(event)
            self._refuse(event, key_place, depth)
            if not isinstance(event, yaml.ScalarEvent):
                raise key_place.error("a key must be text")
            if event.value == "<<" and not event.style:
                raise key_place.error("a merge key is not allowed")
            if event.value in node.items:
                raise key_place.error(f"the key '{event.value}' stands here twice")
            node.places[event.value] = key_place
            node.items[event.value] = self._node(next(self._events), depth + 1)
        return node

    @staticmethod
    def _refuse(event: Any, place: Place, depth: int) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise place.error("an alias is not allowed")
        if event.anchor is not None:
            raise place.error("an anchor is not allowed")
        if event.tag is not None:
            raise place.error("a tag is not allowed")
        if depth > MAX_DEPTH:
            raise place.error(f"nested more than {MAX_DEPTH} deep")


def _plain(event: Any) -> Plain:
    text: str = event.value
    if event.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    return Decimal(text) if number[1] else int(text)
