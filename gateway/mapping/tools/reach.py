"""How far the cases of modules reach."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.errors import ModuleError
from gateway.mapping.coverage import Branch, Code, Coverage, coverage
from gateway.mapping.tools import cases
from gateway.mapping.tools.workspace import Workspace, module_files


def reach(workspace: Workspace, wanted: Iterable[str] = ()) -> dict[str, Coverage]:
    """The coverage of the modules wanted, of all when none is named, by their files.

    A branch of a fragment is reached when the cases of any module of the folder reach it.

    Raises:
        ConfigurationError: there is no such module.
        ModuleError: a module or a case is wrong.
    """
    chosen = workspace.files(wanted)
    found = {str(file): _coverage(workspace, file) for file in chosen}
    reached = {branch for one in (*found.values(), *_others(workspace, chosen)) for branch in _reached(one)}

    def missed(one: Branch | Code, file: str) -> bool:
        return isinstance(one, Code) or one.file == file or one not in reached

    return {
        file: dataclasses.replace(one, unreached=tuple(each for each in one.unreached if missed(each, file)))
        for file, one in found.items()
    }


def _coverage(workspace: Workspace, file: Path) -> Coverage:
    module = workspace.module(str(file))
    return coverage(module, [cases.example(path) for path in cases.files(module)])


def _others(workspace: Workspace, chosen: list[Path]) -> Iterator[Coverage]:
    """The coverage of the modules of the folder that were not chosen; one that is wrong reaches nothing."""
    for file in module_files(workspace.folder):
        if file not in chosen:
            try:
                yield _coverage(workspace, file)
            except ModuleError:
                continue


def _reached(one: Coverage) -> set[Branch]:
    return set(one.branches) - set(one.unreached)
