"""The page of every command and its options, as the commands themselves tell them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from gateway.cli import app


def command_line() -> str:
    """The page without its heading."""
    return "\n".join(_commands(typer.main.get_command(app), "gateway"))


def _commands(group: Any, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield f"## `{path} {name}`\n\n{command.help}\n"
            yield from _commands(command, f"{path} {name}")
        else:
            heading = "##" if path == "gateway" else "###"
            yield f"{heading} `{_synopsis(f'{path} {name}', command)}`\n\n{command.help}\n"
            if rows := [_row(param) for param in command.params if param.help]:
                yield "\n".join(["| | |", "|---|---|", *rows]) + "\n"


def _synopsis(path: str, command: Any) -> str:
    arguments = [param.metavar or param.name.upper() for param in command.params if param.param_type_name == "argument"]
    return " ".join([path, *arguments])


def _row(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"| `{param.metavar or param.name.upper()}` | {param.help} |"
    value = "" if param.is_flag else f" {param.metavar or param.name.upper()}"
    default = f" Default: `{_shown(param.default)}`." if param.default and not param.is_flag else ""
    return f"| `{param.opts[0]}{value}` | {param.help}{default} |"


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
