"""Writes to SQLite in groups: a group is one transaction, and what is much the same in it few statements.

The statements run on the event loop's thread, and COMMIT, which waits for the disk, in the writer thread: were the
statements there too, each would have to win the interpreter lock back from the loop. So only those go there that do
much at once.
"""

from __future__ import annotations

import asyncio
import itertools
import operator
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from gateway.errors import Unavailable
from gateway.store.group import Group

T = TypeVar("T")
Item = TypeVar("Item")
Job = Callable[[sqlite3.Connection], Any]
Work = Callable[[sqlite3.Connection, Sequence[Any]], Sequence[Any]]


class GroupWriter:
    """Does what is to be written on one connection, in the order it came but for what is long, much of it in a
    transaction.

    All of it may be done a second time when the group it was in fails.
    """

    def __init__(self, connection: sqlite3.Connection, max_waiting: int) -> None:
        self._connection = connection
        self._begun = threading.Lock()
        self._begun.acquire()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._group: Group[tuple[Work, Any], Any] = Group(self._commit, max_waiting)

    @property
    def crowded(self) -> bool:
        """Whether as much waits as may wait."""
        return self._group.crowded

    def submit(self, job: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Have `job` run; the future holds its result once that is durable.

        The future raises Unavailable when the database refuses, and whatever else the job raises.
        """
        return self.submit_item(_run_each, job)

    def submit_item(
        self, work: Callable[[sqlite3.Connection, Sequence[Item]], Sequence[T]], item: Item
    ) -> asyncio.Future[T]:
        """Have `work` done on `item` and on its neighbours that have the same, in one go; the future holds the item's
        result, or raises, as that of a job.
        """
        return cast("asyncio.Future[T]", self._group.submit((work, item)))

    def submit_long(self, job: Job) -> asyncio.Future[None]:
        """Have `job` run in the writer thread, beside the loop: in its group's transaction, after all else in that. For
        statements that take long, and need the interpreter lock but at their end; what they give is dropped.
        """
        return self.submit_item(_leave, job)

    async def close(self) -> None:
        """Finish what waits, and stop."""
        await self._group.close()
        self._thread.shutdown()

    async def _commit(self, group: Sequence[tuple[Work, Any]]) -> list[Any]:
        try:
            return await self._transact(group)
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            raise Unavailable(f"the database refuses: {name}") from error

    def _run_commit(self, jobs: Sequence[Job]) -> None:
        self._begun.release()
        for job in jobs:
            job(self._connection)
        self._connection.execute("COMMIT")

    async def _transact(self, group: Sequence[tuple[Work, Any]]) -> list[Any]:
        connection, results = self._connection, list[Any]()
        connection.execute("BEGIN IMMEDIATE")
        try:
            for work, part in itertools.groupby(group, operator.itemgetter(0)):
                results += work(connection, [item for _, item in part])
            long = [item for work, item in group if work is _leave]
            committing = asyncio.get_running_loop().run_in_executor(self._thread, self._run_commit, long)
            # Or the thread would wait for the interpreter lock until the loop has nothing to do.
            self._begun.acquire()
            await committing
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results


def _run_each(connection: sqlite3.Connection, jobs: Sequence[Job]) -> list[Any]:
    return [job(connection) for job in jobs]


def _leave(_: sqlite3.Connection, jobs: Sequence[Job]) -> list[None]:
    """Leave them to the writer thread."""
    return [None] * len(jobs)
