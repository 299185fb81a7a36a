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
import sys
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, Final, TypeVar, cast

from gateway.errors import Unavailable
from gateway.store.group import Group

T = TypeVar("T")
Item = TypeVar("Item")
Job = Callable[[sqlite3.Connection], Any]
Work = Callable[[sqlite3.Connection, Sequence[Any]], Sequence[Any]]
_SWITCH_SECONDS: Final = 0.0005


class GroupWriter:
    """Does what is to be written on one connection, in the order it came but for what is long, much of it in a
    transaction.

    All of it may be done a second time when the group it was in fails.
    """

    def __init__(self, connection: sqlite3.Connection, max_waiting: int) -> None:
        self._connection = connection
        self._thread = _WriterThread(connection)
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
        self._thread.close()

    async def _commit(self, group: Sequence[tuple[Work, Any]]) -> list[Any]:
        try:
            return await self._transact(group)
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            raise Unavailable(f"the database refuses: {name}") from error

    async def _transact(self, group: Sequence[tuple[Work, Any]]) -> list[Any]:
        connection, results = self._connection, list[Any]()
        connection.execute("BEGIN IMMEDIATE")
        try:
            for work, part in itertools.groupby(group, operator.itemgetter(0)):
                results += work(connection, [item for _, item in part])
            await self._thread.commit([item for work, item in group if work is _leave])
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results


class _WriterThread:
    """Commits, one transaction after the other. An executor would do the same, with two futures for each."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        # Or a commit would wait for as long as five milliseconds until a busy loop gives up the interpreter lock.
        sys.setswitchinterval(min(_SWITCH_SECONDS, sys.getswitchinterval()))
        self._asked: SimpleQueue[tuple[Sequence[Job], asyncio.Future[None]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    def commit(self, jobs: Sequence[Job]) -> asyncio.Future[None]:
        """Do these, and commit; the future raises what they raise."""
        done = self._loop.create_future()
        self._asked.put((jobs, done))
        return done

    def close(self) -> None:
        """Stop, once what was asked is done."""
        self._asked.put(None)
        self._thread.join()

    def _run(self) -> None:
        while asked := self._asked.get():
            jobs, done = asked
            error: Exception | None = None
            try:
                for job in jobs:
                    job(self._connection)
                self._connection.execute("COMMIT")
            except Exception as raised:
                error = raised
            self._loop.call_soon_threadsafe(_end, done, error)


def _end(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():  # whoever waited was cancelled
        return
    if error:
        done.set_exception(error)
    else:
        done.set_result(None)


def _run_each(connection: sqlite3.Connection, jobs: Sequence[Job]) -> list[Any]:
    return [job(connection) for job in jobs]


def _leave(_: sqlite3.Connection, jobs: Sequence[Job]) -> list[None]:
    """Leave them to the writer thread."""
    return [None] * len(jobs)
