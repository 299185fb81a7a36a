"""Migrations: numbered SQL files, applied in order, each in a transaction of its own, and never undone."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ConfigurationError

FOLDER = Path(__file__).with_name("migrations")
_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str
    sql: str


def available() -> list[Migration]:
    """All migrations that this release knows, in order."""
    return sorted(_read(FOLDER), key=lambda migration: migration.number)


def applied(connection: sqlite3.Connection) -> set[int]:
    """The numbers of those that the database has had."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations"
        " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_ms INTEGER NOT NULL)"
    )
    return {number for (number,) in connection.execute("SELECT number FROM migrations")}


def migrate(connection: sqlite3.Connection, now_ms: int) -> list[Migration]:
    """Apply those that are missing, and return them.

    Raises:
        ConfigurationError: a later release has been at the database.
    """
    done = applied(connection)
    if newer := done - {migration.number for migration in available()}:
        raise ConfigurationError(f"the database is of a later release, by migration {max(newer)}: run that release")
    missing = [migration for migration in available() if migration.number not in done]
    for migration in missing:
        # A script takes no parameters; the values are our own.
        row = f"({migration.number}, '{migration.name}', {int(now_ms)})"
        connection.executescript(f"BEGIN IMMEDIATE;\n{migration.sql}\nINSERT INTO migrations VALUES {row};\nCOMMIT;")
    return missing


def _read(folder: Path) -> Iterator[Migration]:
    for path in folder.iterdir():
        if match := _NAME.fullmatch(path.name):
            yield Migration(int(match[1]), match[2], path.read_text(encoding="utf-8"))
