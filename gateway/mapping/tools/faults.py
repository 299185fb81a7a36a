"""What is wrong with modules, each fault with the line that it stands on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ModuleError
from gateway.mapping.module import Module, diagnose, load_module, unknown_events
from gateway.mapping.modules import Modules
from gateway.mapping.tools.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; line and column count from 1, 0 where there is none, and `source` is the text of the line."""

    file: str
    line: int
    column: int
    message: str
    source: str

    def __str__(self) -> str:
        """The place, the message, and under it the line with a caret."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        if not self.source:
            return f"{place}: {self.message}"
        head = f"{self.line:5} | "
        # Tabs stay tabs, so that the caret stands right however wide they are shown.
        before = "".join(sign if sign == "\t" else " " for sign in self.source[: self.column - 1])
        return f"{place}: {self.message}\n{head}{self.source}\n{' ' * (len(head) - 2)}| {before}^"


def fault(error: ModuleError) -> Fault:
    """The error with the line that it is about, as far as the file can be read."""
    return Fault(error.file, error.line, error.column, error.message, _line(error.file, error.line))


def find(workspace: Workspace, events: Collection[str], wanted: Iterable[str] = ()) -> list[Fault]:
    """The faults of the modules wanted, of all when none is named; then also two that are for the same.

    `events` are the ids of all event types.

    Raises:
        ConfigurationError: there is no such module.
    """
    names = list(wanted)
    files = workspace.files(names)
    try:
        maps = workspace.maps()
    except ModuleError as error:
        return [fault(error)]
    modules: list[Module] = []
    found: dict[Fault, None] = {}
    for path in files:
        errors = diagnose(path, maps)
        found |= dict.fromkeys(map(fault, errors))
        if not errors:
            modules.append(module := load_module(path, maps))
            found |= dict.fromkeys(map(fault, unknown_events(module, events)))
    if not names:
        found |= dict.fromkeys(map(fault, _clash(modules)))
    return list(found)


def _clash(modules: list[Module]) -> list[ModuleError]:
    try:
        Modules(modules)
    except ModuleError as error:
        return [error]
    return []


def _line(file: str, line: int) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").splitlines()[line - 1] if line else ""
    except (OSError, UnicodeDecodeError, IndexError):
        return ""
