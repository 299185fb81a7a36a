"""What every concern of the SQLite store stands on: one connection that writes in groups, one that reads."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gateway.clock import now_ms
from gateway.errors import ConfigurationError, Unavailable
from gateway.store.migration import names
from gateway.store.sqlite import database
from gateway.store.sqlite.group import GroupWriter

T = TypeVar("T")
Item = TypeVar("Item")

RELEASE_ALL = "UPDATE deliveries SET next_ms = ? WHERE state = 'sending'"
PROBE = "UPDATE instance SET checked_ms = ?"


class Engine:
    """The database file at `path`, open for this process alone."""

    def __init__(self, path: Path, max_waiting: int = 10_000) -> None:
        self._path = path
        self._max_waiting = max_waiting
        self._instance = 0

    @property
    def instance(self) -> int:
        """The store's own number."""
        return self._instance

    async def open(self) -> None:
        """Make the file if it is missing, migrate it, and release what a dead process left claimed."""
        async with self._opening() as opened:
            opened.callback(database.lock(self._path).close)
            connection = self._connect(opened)
            try:
                database.migrate(connection)
            except ConfigurationError as error:
                raise ConfigurationError(f"store {self._path}: {error}") from None
            self._instance = database.instance(connection)
            # We hold the lock, so whoever claimed these is gone: their leases end now.
            connection.execute(RELEASE_ALL, (now_ms(),))
            self._read_by(opened)
            self._write_by(connection, opened)

    async def open_to_read(self) -> None:
        """Connect to a file that is there and migrated; nothing of it is changed."""
        async with self._opening() as opened:
            self._read_by(opened)

    async def open_beside(self) -> None:
        """Write into a file that another process holds: the two wait for each other, so this is for a word or two."""
        async with self._opening() as opened:
            self._read_by(opened)
            connection = self._connect(opened)
            self._instance = database.instance(connection)
            self._write_by(connection, opened)

    async def close(self) -> None:
        await self._closing.aclose()

    async def check(self) -> dict[str, str]:
        try:
            # Written, not only read: a full disk still reads well.
            await self._write(lambda connection: connection.execute(PROBE, (now_ms(),)))
            missing = await self._read(database.missing_migrations)
        except (Unavailable, sqlite3.Error) as error:
            return {"store": str(error), "migrations": "unknown"}
        return {"store": "ok", "migrations": f"missing: {names(missing)}" if missing else "ok"}

    @contextlib.asynccontextmanager
    async def _opening(self) -> AsyncIterator[contextlib.AsyncExitStack]:
        """What is opened, for `close` to close, the last first; it is closed at once when opening fails.

        Raises:
            ConfigurationError: SQLite refuses.
        """
        async with contextlib.AsyncExitStack() as opened:
            try:
                yield opened
            except sqlite3.Error as error:
                raise ConfigurationError(f"store {self._path}: {error}") from None
            self._closing = opened.pop_all()

    def _connect(self, opened: contextlib.AsyncExitStack) -> sqlite3.Connection:
        return opened.enter_context(contextlib.closing(database.connect(self._path)))

    def _read_by(self, opened: contextlib.AsyncExitStack) -> None:
        self._reading = opened.enter_context(contextlib.closing(database.connect_to_read(self._path)))
        self._read_thread = opened.enter_context(ThreadPoolExecutor(1, thread_name_prefix="read"))

    def _write_by(self, connection: sqlite3.Connection, opened: contextlib.AsyncExitStack) -> None:
        self._writer = GroupWriter(connection, self._max_waiting)
        opened.push_async_callback(self._writer.close)

    def _write(self, job: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Have `job` run in the next group; the future holds its result once that is durable."""
        return self._writer.submit(job)

    def _write_item(
        self, work: Callable[[sqlite3.Connection, Sequence[Item]], Sequence[T]], item: Item
    ) -> asyncio.Future[T]:
        """Have `work` done in the next group, on `item` together with others; the future holds the item's result."""
        return self._writer.submit_item(work, item)

    async def _read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Ask `question` of the connection that reads, in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._read_thread, question, self._reading)
