"""What every concern of the PostgreSQL store stands on: a pool of connections, and writes in groups."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import asyncpg

from gateway import clock
from gateway.errors import ConfigurationError, Unavailable
from gateway.store.migration import names
from gateway.store.postgres import database, partitions
from gateway.store.postgres.database import CONNECT_SECONDS, SETTINGS, STATEMENT_SECONDS, Connection

T = TypeVar("T")
CONNECTIONS = 8
"""A node's connections: two that write in groups, one that claims, the rest for questions. One more listens."""
PROBE = "UPDATE instance SET checked_ms = clock_ms()"
_FAULTS = (*database.LOST, asyncpg.PostgresError, UnicodeError)


class Engine:
    """The database at `url`, together with any number of other nodes."""

    def __init__(self, url: str, max_waiting: int = 10_000, clock: Callable[[], int] = clock.now_ms) -> None:
        self._url, self._max_waiting, self._clock = url, max_waiting, clock
        self._instance = 0
        self._pool: Any = None

    @property
    def instance(self) -> int:
        """The store's own number."""
        return self._instance

    async def open(self) -> None:
        """Connect, and make the partitions of the days to come. What other nodes have claimed stays theirs."""
        await self.open_to_read()
        await self._run(lambda connection: partitions.make(connection, self._clock()))

    async def open_to_read(self) -> None:
        """Connect."""
        async with database.connection(self._url) as opened:
            if steps := await database.missing_migrations(opened):
                raise ConfigurationError(
                    f"store {database.place(self._url)}: run `gateway migrate` first;"
                    f" migrations are missing: {names(steps)}"
                )
            self._instance = await database.instance(opened)
        self._pool = await asyncpg.create_pool(
            self._url, min_size=0, max_size=CONNECTIONS, timeout=CONNECT_SECONDS, command_timeout=STATEMENT_SECONDS,
            server_settings=SETTINGS, reset=_as_it_is,
        )  # fmt: skip
        self._closing = contextlib.AsyncExitStack()
        self._closing.push_async_callback(self._pool.close)

    async def open_beside(self) -> None:
        """Connect, as one node more."""
        await self.open_to_read()

    async def close(self) -> None:
        await self._closing.aclose()
        self._pool = None

    async def check(self) -> dict[str, str]:
        try:
            await self._execute(PROBE)
            missing = await self._run(database.missing_migrations)
        except Unavailable as error:
            return {"store": str(error), "migrations": "unknown"}
        except ConfigurationError as error:
            return {"store": "ok", "migrations": str(error)}
        return {"store": "ok", "migrations": f"missing: {names(missing)}" if missing else "ok"}

    async def _fetch(self, sql: str, *values: object) -> list[Any]:
        """The rows of one statement, which is a transaction of its own.

        Raises:
            Unavailable: the database is away, or refuses.
        """
        return list(await self._run(lambda connection: connection.fetch(sql, *values)))

    async def _first(self, sql: str, *values: object) -> Any:
        """The first row of a statement; None when it has none."""
        return await self._run(lambda connection: connection.fetchrow(sql, *values))

    async def _execute(self, sql: str, *values: object) -> int:
        """Run a statement; how many rows it wrote."""
        return int((await self._run(lambda connection: connection.execute(sql, *values))).rpartition(" ")[2])

    async def _transact(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """What `act` gives, in one transaction."""

        async def run(connection: Connection) -> T:
            async with connection.transaction():
                return await act(connection)

        return await self._run(run)

    async def _run(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """What `act` gives on a connection of the pool.

        Raises:
            Unavailable: the database is away, or refuses.
        """
        if self._pool is None:
            raise Unavailable("the store is closed")
        try:
            async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
                return await act(connection)
        except _FAULTS as error:
            raise database.refusal(error) from error


def columns(rows: Iterable[Sequence[object]], width: int) -> list[list[object]]:
    """The rows turned into `width` arrays, for `unnest`. PostgreSQL keeps no NUL in a text; it becomes U+FFFD."""
    turned = [list(column) for column in zip(*rows, strict=True)]
    return [_without_nul(column) for column in turned] or [[] for _ in range(width)]


def _without_nul(column: list[object]) -> list[object]:
    if "\0" not in "".join([value for value in column if type(value) is str]):
        return column
    return [value.replace("\0", "\ufffd") if type(value) is str else value for value in column]


async def _as_it_is(_: object) -> None:
    """Nothing of ours changes a connection's settings, so none need be set back when it returns to the pool."""
