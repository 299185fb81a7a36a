"""The PostgreSQL database: connected to, migrated, numbered."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import asyncpg

from gateway.clock import now_ms
from gateway.errors import Away, ConfigurationError, Unavailable
from gateway.ids import INSTANCE_BITS
from gateway.store.migration import Migration, missing

Connection = Any
"""asyncpg has no types."""
MIGRATIONS = Path(__file__).with_name("migrations")
CONNECT_SECONDS, STATEMENT_SECONDS = 5, 20
LOST = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError,
        asyncpg.OperatorInterventionError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError)  # fmt: skip
"""What is raised when the server is away or going away, rather than when it refuses a statement."""
_TLS_FILES = frozenset({"sslrootcert", "sslcert", "sslkey", "sslcrl"})
# Any number that no other program at this database is likely to use.
MIGRATION_LOCK = 5_274_901_337_001
SETTINGS = {
    "application_name": "fhir-event-gateway",
    # Every statement finds its rows by an index, in the order of it. Where the planner knows too little of a fresh
    # partition it may think otherwise, and a claim of a hundred would read all that is due and sort it.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    # One that died in the middle of a transaction must not hold its locks.
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",
}


def place(url: str) -> str:
    """Which database `url` names, without the password: for messages."""
    parts = urlsplit(url)
    return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"


@contextlib.asynccontextmanager
async def connection(url: str) -> AsyncIterator[Connection]:
    """A connection of its own, for a moment.

    Raises:
        ConfigurationError: the server cannot be reached, or does not let us in; a file that `url` names cannot be read.
    """
    _require_files(url)
    try:
        opened = await asyncpg.connect(url, timeout=CONNECT_SECONDS, server_settings=SETTINGS)
    except (*LOST, asyncpg.PostgresError, ValueError) as error:
        raise ConfigurationError(f"store {place(url)}: {told(error)}") from None
    try:
        yield opened
    finally:
        await opened.close()


def told(error: BaseException) -> str:
    """An error in one line, without any value of a statement."""
    if isinstance(error, asyncpg.PostgresError):
        return f"{type(error).__name__} ({error.sqlstate})"
    return getattr(error, "strerror", None) or type(error).__name__


def _require_files(url: str) -> None:
    """Look for the files of TLS that `url` names: when one cannot be read, the library does not say which."""
    for name, path in parse_qsl(urlsplit(url).query):
        if name in _TLS_FILES and not os.access(path, os.R_OK):
            raise ConfigurationError(f"store {place(url)}: {name}: {path} is not there, or cannot be read")


def refusal(error: BaseException) -> Unavailable:
    """What the caller is told when the database is away, or refuses."""
    if isinstance(error, LOST):
        return Away(f"the database is away: {told(error)}")
    return Unavailable(f"the database refuses: {told(error)}")


async def missing_migrations(opened: Connection) -> list[Migration]:
    """The migrations of this release that the database has not had.

    Raises:
        ConfigurationError: a later release has been at the database.
    """
    if await opened.fetchval("SELECT to_regclass('migrations')") is None:
        return missing(MIGRATIONS, ())
    return missing(MIGRATIONS, {row[0] for row in await opened.fetch("SELECT number FROM migrations")})


async def migrate(url: str) -> list[Migration]:
    """Bring the database up to this release; what was applied.

    Raises:
        ConfigurationError: it cannot be reached or changed, or is of a later release.
    """
    async with connection(url) as opened:
        # Of several at once one migrates, and the others find that it is done.
        await opened.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        try:
            await opened.execute(
                "CREATE TABLE IF NOT EXISTS migrations"
                " (number integer PRIMARY KEY, name text NOT NULL, applied_ms bigint NOT NULL)"
            )
            steps = await missing_migrations(opened)
            for step in steps:
                async with opened.transaction():
                    await opened.execute(step.sql)
                    await opened.execute("INSERT INTO migrations VALUES ($1, $2, $3)", step.number, step.name, now_ms())
        except asyncpg.PostgresError as error:
            raise ConfigurationError(f"store {place(url)}: {told(error)}") from None
    return steps


async def instance(opened: Connection) -> int:
    """The store's own number, drawn when it is first asked for."""
    number = secrets.randbits(INSTANCE_BITS)
    await opened.execute("INSERT INTO instance (number, checked_ms) VALUES ($1, 0) ON CONFLICT DO NOTHING", number)
    return int(await opened.fetchval("SELECT number FROM instance"))
