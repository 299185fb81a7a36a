"""One layout for every module: `gateway mapping fmt`.

Top-level keys stand in the order of the reference, each with the comment above it; one blank line goes before each of
the longer parts; blocks are indented by two; what is quoted is quoted with ". Comments, and how long values are broken
over lines, stay. What the file says is compared before and after: a layout that would change it is not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from gateway.errors import ModuleError
from gateway.mapping import document
from gateway.mapping.declaration import FRAGMENT_KEYS, MODULE_KEYS
from gateway.mapping.document import ListNode, MapNode, Node

_LONG_PARTS: Final = ("inputs", "params", "vars", "require", "output", "ignore")
_SIMPLE_QUOTED: Final = re.compile(r"'([^'\"\\\n]*)'")


def write(files: Sequence[Path], *, check: bool) -> list[Path]:
    """Lay files out, or with `check` only find out; those that change.

    Raises:
        ModuleError: a file cannot be laid out; those before it are.
    """
    changed = []
    for path in files:
        text = _read(path)
        made = laid_out(text, str(path))
        if made != text:
            changed.append(path)
            if not check:
                path.write_text(made, encoding="utf-8")
    return changed


def laid_out(text: str, file: str) -> str:
    """The text of a module or fragment in the one layout; laid out again it stays as it is.

    Raises:
        ModuleError: it is not strict YAML, or holds something that this cannot lay out without changing it.
    """
    node = document.read(text, file)
    if not isinstance(node, MapNode):
        raise node.place.error("a mapping of keys is expected")
    made = _in_order(_indented(_requoted(text)))
    if _said(document.read(made, file)) != _said(node):
        raise ModuleError("this cannot be laid out without changing what it says: lay it out by hand", file=file)
    return made


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModuleError(f"cannot be read: {type(error).__name__}", file=str(path)) from None


def _said(node: Node) -> Any:
    if isinstance(node, MapNode):
        return {key: _said(value) for key, value in node.items.items()}
    if isinstance(node, ListNode):
        return [_said(item) for item in node.items]
    return type(node.value), node.value


# --- quotes


def _requoted(text: str) -> str:
    """The text with 'simple' quoted scalars as "simple"."""
    pieces, end = [], 0
    for event in _scalars(text):
        source = text[event.start_mark.index : event.end_mark.index]
        simple = _SIMPLE_QUOTED.fullmatch(source)
        if simple:
            pieces += [text[end : event.start_mark.index], f'"{simple[1]}"']
            end = event.end_mark.index
    return "".join([*pieces, text[end:]])


def _scalars(text: str) -> Iterator[Any]:
    return (event for event in yaml.parse(text, Loader=yaml.SafeLoader) if isinstance(event, yaml.ScalarEvent))


# --- indentation


class _Columns:
    """For each line the signs that have a column of their own, old and new, and how far its other text moves."""

    def __init__(self, root: yaml.Node) -> None:
        self.signs: dict[int, list[tuple[int, int]]] = {}
        self.moved: dict[int, int] = {}
        self.literal: set[int] = set()
        self._block(root, 0)

    def _block(self, node: yaml.Node, column: int) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._sign(key.start_mark, column)
                self._below(key.start_mark, value, column)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                # The dash stands on the item's line, unless the item is empty or begins on a later line.
                self._sign_at(item.start_mark.line, node.start_mark.column, column)
                if item.start_mark.index < item.end_mark.index and not _is_block(item):
                    self._sign(item.start_mark, column + 2)
                self._below(item.start_mark, item, column, inside=True)

    def _below(self, owner: yaml.Mark, value: yaml.Node, column: int, *, inside: bool = False) -> None:
        if _is_block(value):
            self._block(value, column + 2)
            return
        base = column + 2 if inside else column
        ends = value.end_mark.line + (value.end_mark.column > 0)
        for line in range(owner.line + 1, ends):
            self.moved[line] = base - owner.column
            if isinstance(value, yaml.ScalarNode) and value.style in ("|", ">"):
                self.literal.add(line)

    def _sign(self, mark: yaml.Mark, column: int) -> None:
        self._sign_at(mark.line, mark.column, column)

    def _sign_at(self, line: int, old: int, new: int) -> None:
        self.signs.setdefault(line, []).append((old, new))


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def _indented(text: str) -> list[str]:
    lines = text.splitlines()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root
    columns = _Columns(root)
    made: list[str] = []
    for number, line in enumerate(lines):
        if number in columns.signs:
            made.append(_with_signs(line, sorted(columns.signs[number])).rstrip())
        elif number in columns.moved:
            moved = _moved(line, columns.moved[number])
            made.append(moved if number in columns.literal else moved.rstrip())
        elif line.strip():
            made.append(" " * _comment_column(number, lines, columns) + line.strip())
        else:
            made.append("")
    return made


def _with_signs(line: str, signs: list[tuple[int, int]]) -> str:
    made = ""
    ends = [old for old, _ in signs[1:]] + [len(line)]
    for (old, new), end in zip(signs, ends, strict=True):
        piece = line[old:end]
        made = made.rstrip().ljust(new) + (piece if end == len(line) else piece.rstrip())
    return made


def _moved(line: str, by: int) -> str:
    if not line.strip():
        return line
    return " " * by + line if by >= 0 else line[min(-by, len(line) - len(line.lstrip())) :]


def _comment_column(number: int, lines: Sequence[str], columns: _Columns) -> int:
    """A comment stands as what follows it does, unless it is deeper: then it closes the block before it."""
    own = len(lines[number]) - len(lines[number].lstrip())
    following = next((columns.signs[line] for line in range(number, len(lines)) if line in columns.signs), [(0, 0)])
    if own <= min(following)[0]:
        return min(following)[1]
    before = [min(columns.signs[line]) for line in range(number, -1, -1) if line in columns.signs]
    return next((new for old, new in before if old == own), min(following)[1])


# --- the order of keys


def _in_order(lines: Sequence[str]) -> str:
    head, sections, tail = _sections(lines)
    order = FRAGMENT_KEYS if "fragment" in sections else MODULE_KEYS
    made = [*head, ""] if head else []
    long_before = False
    for key in sorted(sections, key=lambda one: order.index(one) if one in order else len(order)):
        is_long = key in _LONG_PARTS and len(sections[key]) > 1
        if made and made[-1] and (is_long or long_before or made[-1].startswith("#")):
            made.append("")
        made += sections[key]
        long_before = is_long
    return "\n".join([*made, *tail]) + "\n"


def _sections(lines: Sequence[str]) -> tuple[list[str], dict[str, list[str]], list[str]]:
    """For each top-level key its lines with the comments above them; and the comments that the file begins and ends
    with.
    """
    node = document.read("\n".join(lines) + "\n", "")
    assert isinstance(node, MapNode)
    starts = {place.line - 1: key for key, place in node.places.items()}
    sections: dict[str, list[str]] = {}
    section: list[str] = []
    waiting: list[str] = []
    for number, line in enumerate(lines):
        if number in starts:
            closing, above = _split(waiting) if section else ([], waiting)
            section += closing
            section = sections[starts[number]] = [*above, line]
            waiting = []
        elif line.startswith("#") or not line:
            waiting.append(line)
        else:
            section += [*waiting, line]
            waiting = []
    first = sections[next(iter(sections))]
    head, first[:] = _split(first) if "" in first[: _comments(first)] else ([], first)
    kept = {key: _without_spare_blanks(section) for key, section in sections.items()}
    return _without_spare_blanks(head), kept, _without_spare_blanks(waiting, closing=True)


def _split(lines: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the first blank line, and what after; all of it is after when there is none."""
    end = lines.index("") if "" in lines else 0
    return lines[:end], lines[end:]


def _comments(section: Sequence[str]) -> int:
    return next(number for number, line in enumerate(section) if line and not line.startswith("#"))


def _without_spare_blanks(section: Sequence[str], *, closing: bool = False) -> list[str]:
    kept = [line for number, line in enumerate(section) if line or (section[number - 1] if number else closing)]
    while kept and not kept[-1]:
        kept.pop()
    return kept
