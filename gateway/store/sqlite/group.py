"""Writes to SQLite in groups: the jobs of a group are one transaction.

The statements run on the event loop's thread and only COMMIT, which waits for the disk, in the writer thread: were the
statements there too, each would have to win the interpreter lock back from the loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from gateway.errors import Unavailable
from gateway.store.group import Group

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], Any]


class GroupWriter:
    """Runs jobs on one connection, in the order they came, many to a transaction.

    A job is a function of the connection; it may be run a second time when the group it was in fails.
    """

    def __init__(self, connection: sqlite3.Connection, max_waiting: int) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._group: Group[Job, Any] = Group(self._commit, max_waiting)

    @property
    def crowded(self) -> bool:
        """Whether as many jobs wait as may wait."""
        return self._group.crowded

    def submit(self, job: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Have `job` run; the future holds its result once that is durable.

        The future raises Unavailable when the database refuses, and whatever else the job raises.
        """
        return cast("asyncio.Future[T]", self._group.submit(job))

    async def close(self) -> None:
        """Finish what waits, and stop."""
        await self._group.close()
        self._thread.shutdown()

    async def _commit(self, jobs: Sequence[Job]) -> list[Any]:
        try:
            return await self._transact(jobs)
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            raise Unavailable(f"the database refuses: {name}") from error

    async def _transact(self, jobs: Sequence[Job]) -> list[Any]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            results = [job(connection) for job in jobs]
            await asyncio.get_running_loop().run_in_executor(self._thread, connection.execute, "COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results
