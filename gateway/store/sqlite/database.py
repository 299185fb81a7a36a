"""The SQLite file: opened, held by one process, migrated, numbered."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from gateway.clock import now_ms
from gateway.errors import ConfigurationError
from gateway.ids import INSTANCE_BITS
from gateway.store.migration import Migration, missing, names

MIGRATIONS = Path(__file__).with_name("migrations")
# Bodies are 4 to 20 KB: pages of 16 KB would stay half empty, pages of 4 KB chain several.
PRAGMAS = (
    "PRAGMA page_size = 8192",
    "PRAGMA auto_vacuum = INCREMENTAL",  # heeded in a new file only
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",  # what is erased is overwritten: it was about patients
    "PRAGMA foreign_keys = OFF",  # every writer is in this folder, and the checks cost a look-up a row
    "PRAGMA busy_timeout = 5000",
    "PRAGMA cache_size = -16000",  # KiB: the newest events are looked at again when their hashes go into the index
)


def connect(path: Path) -> sqlite3.Connection:
    """A connection for writing, whose commits are on disk when they return."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    with _closed_if_it_fails(connection):
        for pragma in PRAGMAS:
            connection.execute(pragma)
        connection.create_function("hash_of", 1, hash_of, deterministic=True)
    return connection


@contextlib.contextmanager
def _closed_if_it_fails(connection: sqlite3.Connection) -> Iterator[None]:
    """`connection` stays open unless something is raised."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def hash_of(event_id: str) -> int:
    """What a publisher's id is found by: 64 bits, so different ids may have the same."""
    return int.from_bytes(hashlib.blake2b(event_id.encode(), digest_size=8).digest(), "big", signed=True)


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that only reads; of one thread at a time.

    Raises:
        ConfigurationError: there is no database at `path`, or it cannot be read.
    """
    if not path.is_file():
        raise ConfigurationError(
            f"{path}: there is no such database; start `gateway serve` first, or set GATEWAY_STORE__URL"
        )
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        with _closed_if_it_fails(connection):
            if steps := missing_migrations(connection):
                raise ConfigurationError(f"{path}: run `gateway migrate` first; migrations are missing: {names(steps)}")
    except sqlite3.Error as error:
        raise ConfigurationError(f"{path}: not a database of the gateway ({error})") from None
    return connection


def missing_migrations(connection: sqlite3.Connection) -> list[Migration]:
    """The migrations of this release that the database has not had.

    Raises:
        ConfigurationError: a later release has been at the database.
    """
    return missing(MIGRATIONS, {number for (number,) in connection.execute("SELECT number FROM migrations")})


def migrate(connection: sqlite3.Connection) -> list[Migration]:
    """Apply the migrations that are missing, and return them.

    Raises:
        ConfigurationError: a later release has been at the database.
    """
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations"
        " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_ms INTEGER NOT NULL)"
    )
    steps = missing_migrations(connection)
    for step in steps:
        # A script takes no parameters; the values are our own.
        row = f"({step.number}, '{step.name}', {now_ms()})"
        connection.executescript(f"BEGIN IMMEDIATE;\n{step.sql}\nINSERT INTO migrations VALUES {row};\nCOMMIT;")
    return steps


def lock(path: Path) -> IO[bytes]:
    """Hold the database at `path` for this process, until what is returned is closed.

    Two processes that write one SQLite file wait for each other up to a second at a time, so there is to be one.

    Raises:
        ConfigurationError: another process holds it, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = path.with_name(path.name + ".lock").open("ab")
    except OSError as error:
        raise ConfigurationError(f"store {path}: {error.strerror}") from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        raise ConfigurationError(
            f"store {path}: another gateway has it open; stop it, or set GATEWAY_STORE__URL"
        ) from None
    return held


def instance(connection: sqlite3.Connection) -> int:
    """The store's own number, drawn when it is first asked for."""
    row = connection.execute("SELECT number FROM instance").fetchone()
    if row:
        return int(row[0])
    number = secrets.randbits(INSTANCE_BITS)
    connection.execute("INSERT INTO instance VALUES (?, 0)", (number,))
    return number


def migrate_file(path: Path) -> list[Migration]:
    """Bring the database at `path` up to this release, making it if it is missing; what was applied.

    Raises:
        ConfigurationError: another process has it open, it is no database, or it is of a later release.
    """
    with contextlib.closing(lock(path)):
        try:
            with contextlib.closing(connect(path)) as connection:
                return migrate(connection)
        except sqlite3.Error as error:
            raise ConfigurationError(f"store {path}: {error}") from None
