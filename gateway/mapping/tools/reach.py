"""How far the cases of modules reach."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from gateway.mapping.coverage import Branch, Code, Coverage, coverage
from gateway.mapping.tools import cases
from gateway.mapping.tools.workspace import Workspace


def reach(workspace: Workspace, wanted: Iterable[str] = ()) -> dict[str, Coverage]:
    """The coverage of the modules wanted, of all when none is named, by their files.

    A branch of a fragment is reached when the cases of any of these modules reach it.

    Raises:
        ConfigurationError: there is no such module.
        ModuleError: a module or a case is wrong.
    """
    found = {}
    for file in workspace.files(wanted):
        module = workspace.module(str(file))
        found[str(file)] = coverage(module, [cases.example(path) for path in cases.files(module)])
    reached = {branch for one in found.values() for branch in set(one.branches) - set(one.unreached)}

    def missed(one: Branch | Code, file: str) -> bool:
        return isinstance(one, Code) or one.file == file or one not in reached

    return {
        file: dataclasses.replace(one, unreached=tuple(each for each in one.unreached if missed(each, file)))
        for file, one in found.items()
    }
