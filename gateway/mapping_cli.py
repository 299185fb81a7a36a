"""The command line for whoever writes mapping modules: `gateway mapping`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NoReturn, ParamSpec

import msgspec
import typer

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

app = typer.Typer(no_args_is_help=True, help="Write mapping modules, test them, and see what they do.")

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MODULE]...", help="A module's name or file; all when none is named."),
]
Name = Annotated[str, typer.Argument(metavar="MODULE", help="A module's name, or its file.")]
Message = Annotated[Path, typer.Argument(metavar="FILE", help="A message, XML or JSON.")]
Params = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="A param of the module, or a fact: claimCheck, …"),
]
Inputs = Annotated[
    list[str] | None, typer.Option("--input", metavar="NAME=FILE", help="A further source of the module.")
]
Given = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A fact that the gateway gives: claimCheck, …")
]
Folder = Annotated[
    Path | None, typer.Option("--mappings", metavar="DIR", help="The folder of modules; the shipped ones by default.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

P = ParamSpec("P")


def _refusals(command: Callable[P, None]) -> Callable[P, None]:
    """Tell of a message or a module that is refused as every command does: where and why, and exit status 1."""

    @wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> None:
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


@app.command()
def validate(modules: Names = None, mappings: Folder = None, as_json: AsJson = False) -> None:
    """Check modules without running them: every fault with its line. Exit status 1 when there is one."""
    workspace = _workspace(mappings)
    found = faults.find(workspace, modules or ())
    _show_faults(found, as_json=as_json)
    if not found and not as_json:
        _say(f"{_count(len(workspace.files(modules or ())), 'module')}, no fault")
    raise typer.Exit(1 if found else 0)


@app.command("test")
@_refusals
def run_cases(modules: Names = None, mappings: Folder = None, as_json: AsJson = False) -> None:
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


@app.command()
@_refusals
def run(  # noqa: PLR0913, PLR0917  # the options of a command
    module: Name,
    file: Message,
    param: Params = None,
    as_xml: Annotated[bool, typer.Option("--xml", help="Print XML; for a FHIR form only.")] = False,
    inputs: Inputs = None,
    case: Annotated[str, typer.Option(metavar="NAME", help="Keep what came out as a golden case of that name.")] = "",
    mappings: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Map one message, and print what comes out (JSON). Exit status 1 when it is refused; reason and place are told."""
    chosen, context = _module(_workspace(mappings), module, param)
    parsed = messages.read(file, forms()[chosen.source])
    _warn(parsed.warnings)
    further = _further(chosen, inputs)
    if case:
        _keep(chosen, case, cases.of(chosen, parsed.resource, context, further))
    output = chosen.apply(parsed.resource, cases.context(context, ""), further)
    if wrong := messages.errors(output, forms()[chosen.target]):
        raise Refusal(wrong)
    typer.echo(messages.as_xml(output, forms()[chosen.target]) if as_xml else messages.as_json(output))


@app.command("explain")
@_refusals
def explain_output(
    module: Name,
    file: Message,
    param: Params = None,
    inputs: Inputs = None,
    mappings: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Map one message, and tell of every value that comes out: where it was, what made it, which ConceptMap row."""
    chosen, context = _module(_workspace(mappings), module, param)
    parsed = messages.read(file, forms()[chosen.source])
    found = explain(chosen, parsed.resource, cases.context(context, ""), _further(chosen, inputs))
    if as_json:
        _print_json([msgspec.to_builtins(one) | {"rows": [row._asdict() for row in one.rows]} for one in found])
        return
    for one in found:
        about = "from" if one.exact else "about"
        _say(f"{one.path} = {text(one.value)}")
        _say("".join(f"    {about} {source}\n" for source in one.sources) + f"    by {_place(one)}  {one.text}")
        for row in one.rows:
            _say(f"    ConceptMap {row.conceptmap}: {row.code} → {row.translation}  ({row.file})")


@app.command("coverage")
@_refusals
def cover(modules: Names = None, mappings: Folder = None, as_json: AsJson = False) -> None:
    """Tell which branches and codes of modules no case reaches, and which values of its cases a module never uses.

    A branch of a fragment counts as reached when a case of any module that is looked at reaches it.
    """
    found = reach.reach(_workspace(mappings), modules or ())
    if as_json:
        _print_json({file: _coverage(one) for file, one in found.items()})
        return
    for name, one in found.items():
        _say(f"{name}: {one.reached} of {len(one.branches) + len(one.codes)} branches and codes reached")
        for missed in one.unreached:
            _say(f"    {_missed(missed)}")
        for path in one.unused:
            _say(f"    not used and not ignored: {path}")


@app.command("roundtrip")
@_refusals
def round_trip(
    there: Annotated[str, typer.Argument(metavar="THERE")],
    back: Annotated[str, typer.Argument(metavar="BACK")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    param: Given = None,
    mappings: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Map messages with one module and back with another, and tell what of them survives."""
    workspace = _workspace(mappings)
    first, second = workspace.module(there), workspace.module(back)
    context = cases.context(_pairs(param), "")
    form = forms()[first.source]
    trips = {
        str(file): roundtrip.roundtrip(first, second, messages.read(file, form).resource, context) for file in files
    }
    if as_json:
        _print_json({file: _trip(trip) for file, trip in trips.items()})
        return
    for file, trip in trips.items():
        _say(f"{file}: {trip.survived} of {trip.values} values survive")
        for one in trip.differences:
            words = [text(value) for value in (one.before, one.after) if value is not None]
            _say(f"    {one.change:7}  {one.path}  {' → '.join(words)}")


@app.command()
@_refusals
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new module's name.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An example of what it will read, XML or JSON.")],
    target: Annotated[str, typer.Option(metavar="FORM", help="The form that it will give.")] = "event",
    source: Annotated[str, typer.Option(metavar="FORM", help="The form of the example; guessed by default.")] = "",
    mappings: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Begin a module from an example message, with what the message says as comments to choose from."""
    path = skeleton.create(mappings or folder("mappings"), name, file, target, source)
    if as_json:
        _print_json({"file": str(path)})
    else:
        _say(f"begun: {path}")


@app.command()
def schema(as_json: AsJson = False) -> None:
    """Print a JSON Schema of module files, for editors; it is JSON with or without --json."""
    typer.echo(msgspec.json.encode(schemas.schema()))


@app.command()
@_refusals
def fmt(
    modules: Names = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit status 1 if something would be.")] = False,
    mappings: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Lay modules and fragments out in the one way: the order of keys, indentation, blank lines, quotes.

    Comments stay, and how long values are broken over lines.
    """
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


def _further(module: Module, given: Iterable[str] | None) -> dict[str, dict[str, Any]]:
    """The further sources of a module, read from files."""
    pairs = _pairs(given)
    for name in pairs:
        if name not in module.inputs:
            raise ConfigurationError(f"{module.name} has no input '{name}'{suggestion(name, module.inputs)}")
    return {name: messages.read(Path(file), forms()[module.inputs[name]]).resource for name, file in pairs.items()}


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
