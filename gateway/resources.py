"""Where the files that come with the gateway are: `config/` and `mappings/`."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder `config` or `mappings`: at the top of a checkout, inside the package once installed from a wheel."""
    shipped = _PACKAGE / "_share" / name
    return shipped if shipped.is_dir() else _PACKAGE.parent / name
