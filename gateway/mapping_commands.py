"""What the commands of `gateway mapping` do: work with `gateway.mapping.tools`, and print what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec

import msgspec
import typer

from gateway import catalogue
from gateway.errors import ConfigurationError, Issue, ModuleError, Refusal
from gateway.mapping.context import NAMES
from gateway.mapping.coverage import Branch, Code, Coverage
from gateway.mapping.explain import Explained, explain
from gateway.mapping.forms import forms, suggestion
from gateway.mapping.module import Module
from gateway.mapping.tools import cases, faults, layout, messages, reach, roundtrip, skeleton
from gateway.mapping.tools import schema as schemas
from gateway.mapping.tools.difference import text
from gateway.mapping.tools.workspace import Workspace
from gateway.resources import folder
from gateway.trace import plain_console

_P = ParamSpec("_P")


def _refusals(command: Callable[_P, None]) -> Callable[_P, None]:
    """Tell of a message or a module that is refused as every command does: where and why, and exit status 1."""

    @wraps(command)
    def told(*args: _P.args, **kwargs: _P.kwargs) -> None:
        as_json = bool(kwargs.get("as_json"))
        try:
            command(*args, **kwargs)
        except Refusal as refusal:
            _refused(refusal.issues, as_json=as_json)
        except ModuleError as error:
            _show_faults([faults.fault(error)], as_json=as_json)
            raise typer.Exit(1) from None
        except OSError as error:
            raise ConfigurationError(f"{error.filename}: {error.strerror}") from None

    return told


@_refusals
def validate(modules: list[str] | None, mappings: Path | None, event_types: str, *, as_json: bool) -> None:
    """Check modules without running them: every fault with its line. Exit status 1 when there is one."""
    workspace = _workspace(mappings)
    events = {one.id for one in catalogue.layered(event_types)}
    found = faults.find(workspace, events, modules or ())
    _show_faults(found, as_json=as_json)
    if not found and not as_json:
        _say(f"{_count(len(workspace.files(modules or ())), 'module')}, no fault")
    raise typer.Exit(1 if found else 0)


@_refusals
def run_cases(modules: list[str] | None, mappings: Path | None, *, as_json: bool) -> None:
    """Run the cases beside modules, and tell what came out otherwise than they say. Exit status 1 when one did."""
    results, broken = cases.run_all(_workspace(mappings), modules or ())
    failed = [result for result in results if not result.passed]
    if as_json:
        _print_json({"cases": [_result(result) for result in results], "faults": broken})
    else:
        _show_faults(broken, as_json=False)
        for result in failed:
            _say(f"{result.file}\n" + "\n".join(f"    {line}" for line in str(result).splitlines()))
        _say(f"{_count(len(results), 'case')}, {len(failed)} failed")
    raise typer.Exit(1 if failed or broken else 0)


@_refusals
def run(  # noqa: PLR0913  # the options of a command
    module: str,
    file: Path,
    param: list[str] | None,
    inputs: list[str] | None,
    mappings: Path | None,
    *,
    as_xml: bool,
    case: str,
    as_json: bool,
) -> None:
    """Map one message, and print what comes out (JSON). Exit status 1 when it is refused; reason and place are told."""
    chosen, context = _module(_workspace(mappings), module, param)
    parsed = messages.read(file, forms()[chosen.source])
    _warn(parsed.warnings)
    further = _further(chosen.name, chosen.inputs, inputs)
    if case:
        _keep(chosen, case, cases.of(chosen, parsed.resource, context, further))
    output = chosen.apply(parsed.resource, cases.context(context, ""), further)
    if wrong := messages.errors(output, forms()[chosen.target]):
        raise Refusal(wrong)
    typer.echo(messages.as_xml(output, forms()[chosen.target]) if as_xml else messages.as_json(output))


@_refusals
def explain_output(
    module: str, file: Path, param: list[str] | None, inputs: list[str] | None, mappings: Path | None, *, as_json: bool
) -> None:
    """Map one message, and tell of every value that comes out: where it was, what made it, which ConceptMap row."""
    chosen, context = _module(_workspace(mappings), module, param)
    parsed = messages.read(file, forms()[chosen.source])
    found = explain(chosen, parsed.resource, cases.context(context, ""), _further(chosen.name, chosen.inputs, inputs))
    if as_json:
        _print_json([msgspec.to_builtins(one) | {"rows": [row._asdict() for row in one.rows]} for one in found])
        return
    for one in found:
        about = "from" if one.exact else "about"
        _say(f"{one.path} = {text(one.value)}")
        _say("".join(f"    {about} {source}\n" for source in one.sources) + f"    by {_place(one)}  {one.text}")
        for row in one.rows:
            _say(f"    ConceptMap {row.conceptmap}: {row.code} → {row.translation}  ({row.file})")


@_refusals
def cover(modules: list[str] | None, mappings: Path | None, *, check: bool, as_json: bool) -> None:
    """Tell which branches and codes of modules no case reaches, and which values of its cases a module never uses."""
    found = reach.reach(_workspace(mappings), modules or ())
    if as_json:
        _print_json({file: _coverage(one) for file, one in found.items()})
    else:
        for name, one in found.items():
            _say_coverage(name, one)
    raise typer.Exit(1 if check and any(one.unreached or one.unused for one in found.values()) else 0)


@_refusals
def round_trip(  # noqa: PLR0913  # the options of a command
    there: str,
    back: str,
    files: list[Path],
    param: list[str] | None,
    inputs: list[str] | None,
    mappings: Path | None,
    *,
    as_json: bool,
) -> None:
    """Map messages with one module and back with another, and tell what of them survives."""
    workspace = _workspace(mappings)
    first, second = workspace.module(there), workspace.module(back)
    context = cases.context(_pairs(param), "")
    form = forms()[first.source]
    further = _further(f"'{there}' and '{back}'", {**first.inputs, **second.inputs}, inputs)
    trips = {
        str(file): roundtrip.roundtrip(first, second, messages.read(file, form).resource, context, further)
        for file in files
    }
    if as_json:
        _print_json({file: _trip(trip) for file, trip in trips.items()})
        return
    for file, trip in trips.items():
        _say(f"{file}: {trip.survived} of {trip.values} values survive")
        for one in trip.differences:
            words = [text(value) for value in (one.before, one.after) if value is not None]
            _say(f"    {one.change:7}  {one.path}  {' → '.join(words)}")


@_refusals
def new(name: str, file: Path, target: str, source: str, mappings: Path | None, *, as_json: bool) -> None:
    """Begin a module from an example message, with what the message says as comments to choose from."""
    path = skeleton.create(mappings or folder("mappings"), name, file, target, source)
    if as_json:
        _print_json({"file": str(path)})
    else:
        _say(f"begun: {path}")


@_refusals
def schema() -> None:
    """Print a JSON Schema of module files, for editors; it is JSON with or without --json."""
    typer.echo(msgspec.json.encode(schemas.schema()))


@_refusals
def fmt(modules: list[str] | None, mappings: Path | None, *, check: bool, as_json: bool) -> None:
    """Lay modules and fragments out in the one way: the order of keys, indentation, blank lines, quotes."""
    changed = layout.write(_workspace(mappings).texts(modules or ()), check=check)
    if as_json:
        _print_json({"changed": [str(path) for path in changed]})
    else:
        for path in changed:
            _say(f"{'would change' if check else 'changed'}: {path}")
    raise typer.Exit(1 if check and changed else 0)


# --- what the commands share


def _workspace(mappings: Path | None) -> Workspace:
    if mappings and not mappings.is_dir():
        raise ConfigurationError(f"{mappings}: there is no such folder")
    return Workspace(mappings or folder("mappings"))


def _module(workspace: Workspace, name: str, given: Iterable[str] | None) -> tuple[Module, dict[str, str]]:
    """The module with its params set, and what of `given` is not a param but context."""
    values = _pairs(given)
    context = {name: value for name, value in values.items() if name in NAMES}
    return workspace.module(name, {name: value for name, value in values.items() if name not in NAMES}), context


def _pairs(given: Iterable[str] | None) -> dict[str, str]:
    pairs = {}
    for one in given or ():
        name, sign, value = one.partition("=")
        if not sign:
            raise ConfigurationError(f"{one}: write it as name=value")
        pairs[name] = value
    return pairs


def _further(who: str, known: Mapping[str, str], given: Iterable[str] | None) -> dict[str, dict[str, Any]]:
    """Further sources, read from files; `known` has the forms of those that there are."""
    pairs = _pairs(given)
    for name in pairs:
        if name not in known:
            raise ConfigurationError(f"{who} has no input '{name}'{suggestion(name, known)}")
    return {name: messages.read(Path(file), forms()[known[name]]).resource for name, file in pairs.items()}


def _keep(module: Module, name: str, case: cases.Case) -> None:
    path = cases.file(module, name)
    if path.exists():
        raise ConfigurationError(f"{path}: there is a case of that name already")
    cases.write(path, case)
    _aside(f"kept as {path}: read what it expects before you trust it")


def _show_faults(found: Iterable[faults.Fault], *, as_json: bool) -> None:
    if as_json:
        _print_json({"faults": [*found]})
        return
    for fault in found:
        _say(str(fault))


def _refused(issues: Iterable[Issue], *, as_json: bool) -> NoReturn:
    if as_json:
        _print_json({"refused": [*issues]})
    else:
        for issue in issues:
            _aside(f"refused: {_told(issue)}")
    raise typer.Exit(1)


def _warn(warnings: Iterable[Issue]) -> None:
    for issue in warnings:
        _aside(f"warning: {_told(issue)}")


def _told(issue: Issue) -> str:
    place = f" at {issue.location}" if issue.location else ""
    return f"{issue.reason}{place}: {issue.text}"


def _result(result: cases.Result) -> dict[str, Any]:
    return {
        "file": str(result.file),
        "passed": result.passed,
        "differences": result.differences,
        "faults": result.faults,
    }


def _trip(trip: roundtrip.RoundTrip) -> dict[str, Any]:
    return {"values": trip.values, "survived": trip.survived, "differences": trip.differences}


def _place(explained: Explained) -> str:
    return f"{explained.file}:{explained.line}:{explained.column}"


def _say_coverage(name: str, found: Coverage) -> None:
    _say(f"{name}: {found.reached} of {len(found.branches) + len(found.codes)} branches and codes reached")
    for missed in found.unreached:
        _say(f"    {_missed(missed)}")
    for path in found.unused:
        _say(f"    not used and not ignored: {path}")


def _missed(missed: Branch | Code) -> str:
    if isinstance(missed, Branch):
        return f"{missed.file}:{missed.line}:{missed.column}: {missed.kind}: never {missed.way}"
    return f"ConceptMap {missed.conceptmap}: never {missed.code}"


def _coverage(found: Coverage) -> dict[str, Any]:
    of = {Branch: "branches", Code: "codes"}
    missed: dict[str, list[Any]] = {name: [] for name in of.values()}
    for one in found.unreached:
        missed[of[type(one)]].append(one._asdict())
    return {
        "total": len(found.branches) + len(found.codes),
        "reached": found.reached,
        "unreached": missed,
        "unused": found.unused,
    }


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _say(line: str) -> None:
    plain_console().print(line, markup=False)


def _aside(line: str) -> None:
    typer.echo(line, err=True)


def _print_json(value: object) -> None:
    plain_console().print_json(msgspec.json.encode(value).decode(), indent=2)
