"""The options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None, typer.Option("--config", envvar=[], help="A settings file (TOML) over config/default.toml.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
