"""The command line for whoever writes mapping modules: `gateway mapping`.

What the commands do is imported late, so that other commands start quickly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.mapping.context import NAMES

app = typer.Typer(no_args_is_help=True, help="Write mapping modules, test them, and see what they do.")

_FACTS = ", ".join(NAMES)
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MODULE]...", help="A module's name or file; all when none is named."),
]
Name = Annotated[str, typer.Argument(metavar="MODULE", help="A module's name, or its file.")]
Message = Annotated[Path, typer.Argument(metavar="FILE", help="A message, XML or JSON.")]
Params = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help=f"A param of the module, or a fact: {_FACTS}."),
]
Inputs = Annotated[
    list[str] | None, typer.Option("--input", metavar="NAME=FILE", help="A further source of the module.")
]
Given = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help=f"A fact that the gateway gives: {_FACTS}."),
]
Folder = Annotated[
    Path | None, typer.Option("--mappings", metavar="DIR", help="The folder of modules; the shipped ones by default.")
]
EventTypes = Annotated[
    str,
    typer.Option(
        metavar="DIR", envvar="GATEWAY_EVENT_TYPES", help="Event types of your own, over those of the gateway."
    ),
]
Check = Annotated[bool, typer.Option("--check", help="Exit status 1 if something is not reached or not used.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def validate(
    modules: Names = None, mappings: Folder = None, event_types: EventTypes = "", as_json: AsJson = False
) -> None:
    """Check modules without running them: every fault with its line. Exit status 1 when there is one."""
    from gateway import mapping_commands

    mapping_commands.validate(modules, mappings, event_types, as_json=as_json)


@app.command("test")
def run_cases(modules: Names = None, mappings: Folder = None, as_json: AsJson = False) -> None:
    """Run the cases beside modules, and tell what came out otherwise than they say. Exit status 1 when one did."""
    from gateway import mapping_commands

    mapping_commands.run_cases(modules, mappings, as_json=as_json)


@app.command()
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
    from gateway import mapping_commands

    mapping_commands.run(module, file, param, inputs, mappings, case=case, as_xml=as_xml, as_json=as_json)


@app.command("explain")
def explain_output(
    module: Name,
    file: Message,
    param: Params = None,
    inputs: Inputs = None,
    mappings: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Map one message, and tell of every value that comes out: where it was, what made it, which ConceptMap row."""
    from gateway import mapping_commands

    mapping_commands.explain_output(module, file, param, inputs, mappings, as_json=as_json)


@app.command("coverage")
def cover(modules: Names = None, check: Check = False, mappings: Folder = None, as_json: AsJson = False) -> None:
    """Tell which branches and codes of modules no case reaches, and which values of its cases a module never uses.

    A branch of a fragment counts as reached when a case of any module of the folder reaches it.
    """
    from gateway import mapping_commands

    mapping_commands.cover(modules, mappings, check=check, as_json=as_json)


@app.command("roundtrip")
def round_trip(  # noqa: PLR0913, PLR0917  # the options of a command
    there: Annotated[str, typer.Argument(metavar="THERE")],
    back: Annotated[str, typer.Argument(metavar="BACK")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    param: Given = None,
    inputs: Inputs = None,
    mappings: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Map messages with one module and back with another, and tell what of them survives."""
    from gateway import mapping_commands

    mapping_commands.round_trip(there, back, files, param, inputs, mappings, as_json=as_json)


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new module's name.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An example of what it will read, XML or JSON.")],
    target: Annotated[str, typer.Option(metavar="FORM", help="The form that it will give.")] = "event",
    source: Annotated[str, typer.Option(metavar="FORM", help="The form of the example; guessed by default.")] = "",
    mappings: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Begin a module from an example message, with what the message says as comments to choose from."""
    from gateway import mapping_commands

    mapping_commands.new(name, file, target, source, mappings, as_json=as_json)


@app.command()
def schema(as_json: AsJson = False) -> None:
    """Print a JSON Schema of module files, for editors; it is JSON with or without --json."""
    from gateway import mapping_commands

    mapping_commands.schema()


@app.command()
def fmt(
    modules: Names = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit status 1 if something would be.")] = False,
    mappings: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Lay modules and fragments out in the one way: the order of keys, indentation, blank lines, quotes.

    Comments stay, and how long values are broken over lines.
    """
    from gateway import mapping_commands

    mapping_commands.fmt(modules, mappings, check=check, as_json=as_json)
