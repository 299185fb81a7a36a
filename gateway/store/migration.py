"""Migrations: numbered SQL files, a folder for each engine, applied in order and never undone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ConfigurationError

_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str
    sql: str


def missing(folder: Path, done: Collection[int]) -> list[Migration]:
    """Of the migrations in `folder`, those whose numbers are not in `done`, in order.

    Raises:
        ConfigurationError: a later release has been at the database.
    """
    known = sorted(_read(folder), key=lambda migration: migration.number)
    if newer := set(done) - {migration.number for migration in known}:
        raise ConfigurationError(f"the database is of a later release, by migration {max(newer)}: run that release")
    return [migration for migration in known if migration.number not in done]


def names(migrations: Iterable[Migration]) -> str:
    """The names of `migrations`, for a message."""
    return ", ".join(migration.name for migration in migrations)


def _read(folder: Path) -> Iterator[Migration]:
    for path in folder.iterdir():
        if match := _NAME.fullmatch(path.name):
            yield Migration(int(match[1]), match[2], path.read_text(encoding="utf-8"))
