"""Golden cases: what goes into a module, and what must come out or why it is refused.

A case stands in `cases/` beside the module as `<module>.<case>.json`:
`{"description", "context": {"claimCheck": ...}, "input": ..., "inputs": {"retrieved": ...}, "expected": ...}`, where
`inputs` are the further sources; or instead of `expected` `"refused": [{"reason", "location"}]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.errors import ConfigurationError, ModuleError, Refusal
from gateway.mapping.context import NAMES, Context
from gateway.mapping.coverage import Example
from gateway.mapping.forms import forms, suggestion
from gateway.mapping.module import Module
from gateway.mapping.modules import CASES
from gateway.mapping.tools import messages
from gateway.mapping.tools.difference import Difference, differences, text
from gateway.mapping.tools.faults import Fault, fault
from gateway.mapping.tools.workspace import Workspace


class Refused(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reason for which the input of a case must be refused."""

    reason: str
    location: str


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One case, as its file has it."""

    input: dict[str, Any]
    description: str = ""
    context: dict[str, str] = {}
    inputs: dict[str, dict[str, Any]] = {}
    expected: dict[str, Any] | None = None
    refused: list[Refused] | None = None


_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_DECODER: Final = msgspec.json.Decoder(Case, float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a case: nothing in `differences` and `faults` when all is as it must be."""

    file: Path
    differences: tuple[Difference, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.differences and not self.faults

    def __str__(self) -> str:
        """A line for each difference."""
        return "\n".join((*self.faults, *map(_shown, self.differences)))


def files(module: Module) -> list[Path]:
    """The files of a module's cases."""
    return sorted((Path(module.file).parent / CASES).glob(f"{module.name}.*.json"))


def run_all(workspace: Workspace, wanted: Iterable[str]) -> tuple[list[Result], list[Fault]]:
    """Run the cases of the modules wanted, of all when none is named; and what keeps modules and cases from running.

    Raises:
        ConfigurationError: there is no such module.
    """
    results, faults = [], []
    for module_file in workspace.files(wanted):
        try:
            module = workspace.module(str(module_file))
            for path in files(module):
                results.append(run(module, path))
        except ModuleError as error:
            faults.append(fault(error))
    return results, faults


def example(path: Path) -> Example:
    """What a case runs its module on.

    Raises:
        ModuleError: the file is not a case.
    """
    case = read(path)
    return Example(case.input, context(case.context, str(path)), case.inputs)


def file(module: Module, name: str) -> Path:
    """The file of a case of that name.

    Raises:
        ConfigurationError: that cannot be a name.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"'{name}': a case's name is small letters, digits and dashes")
    return Path(module.file).parent / CASES / f"{module.name}.{name}.json"


def run(module: Module, path: Path) -> Result:
    """Run one case.

    Raises:
        ModuleError: the file is not a case.
    """
    case = read(path)
    try:
        output = module.apply(*example(path))
    except Refusal as refusal:
        return _compare(path, case, None, _reasons(refusal))
    result = _compare(path, case, output, None)
    invalid = messages.errors(output, forms()[module.target])
    faults = tuple(f"what came out is not valid: {issue.location}: {issue.text}" for issue in invalid)
    return Result(path, result.differences, (*result.faults, *faults))


def read(path: Path) -> Case:
    """Read the file of a case.

    Raises:
        ModuleError: it is not a case.
    """
    try:
        case = _DECODER.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise ModuleError(f"not a case: {error}", file=str(path)) from None
    if (case.expected is None) == (case.refused is None):
        raise ModuleError("a case has either 'expected' or 'refused'", file=str(path))
    return case


def of(module: Module, message: dict[str, Any], given: dict[str, str], inputs: dict[str, dict[str, Any]]) -> Case:
    """The case that says of a message what the module makes of it now."""
    try:
        expected = module.apply(message, context(given, ""), inputs)
    except Refusal as refusal:
        return Case(message, context=given, inputs=inputs, refused=_reasons(refusal))
    return Case(message, context=given, inputs=inputs, expected=expected)


def write(path: Path, case: Case) -> None:
    """Write the file of a case."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(case), indent=2) + b"\n")


def context(given: Mapping[str, str], file: str) -> Context:
    """The context of a message, from the names that expressions have for it.

    Raises:
        ModuleError: a name is none of them.
    """
    for name in given:
        if name not in NAMES:
            raise ModuleError(f"'{name}' is not given to modules{suggestion(name, NAMES)}", file=file)
    return Context(**{NAMES[name]: value for name, value in given.items()})


def _compare(path: Path, case: Case, output: Any, refused: list[Refused] | None) -> Result:
    if case.expected is not None and refused is not None:
        return Result(path, faults=tuple(f"refused: {_told(one)}" for one in refused))
    if case.refused is not None and refused is None:
        wanted = ", ".join(map(_told, case.refused))
        return Result(path, faults=(f"not refused; expected {wanted}",))
    before, after = (case.expected, output) if refused is None else (_plain(case.refused), _plain(refused))
    root = "refused" if refused is not None else str((case.expected or {}).get("resourceType", "output"))
    return Result(path, tuple(differences(before, after, root)))


def _reasons(refusal: Refusal) -> list[Refused]:
    return [Refused(issue.reason, issue.location) for issue in refusal.issues]


def _told(refused: Refused) -> str:
    return f"{refused.reason} at {refused.location}" if refused.location else refused.reason


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value)


def _shown(difference: Difference) -> str:
    before, after = text(difference.before), text(difference.after)
    if difference.change == "added":
        return f"{difference.path}: {after} came, nothing was expected"
    came = "nothing came" if difference.change == "lost" else f"{after} came"
    return f"{difference.path}: {before} was expected, {came}"
