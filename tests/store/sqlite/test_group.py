"""The writer of the SQLite store: what is written together, and what fails alone."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from gateway.errors import Unavailable
from gateway.store.sqlite.database import connect
from gateway.store.sqlite.group import GroupWriter


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[GroupWriter]:
    connection = connect(tmp_path / "numbers.db")
    connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
    made = GroupWriter(connection, 1000)
    yield made
    await made.close()
    connection.close()


def add(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[int]:
    connection.executemany("INSERT INTO numbers VALUES (?)", [(number,) for number in numbers])
    return [len(numbers)] * len(numbers)


def numbers_of(connection: sqlite3.Connection) -> list[int]:
    return [number for (number,) in connection.execute("SELECT number FROM numbers ORDER BY number")]


async def test_neighbours_that_have_the_same_work_are_one_call(writer: GroupWriter) -> None:
    # The first to come finds nobody to wait for.
    alone = writer.submit_item(add, 0)
    together = [writer.submit_item(add, number) for number in range(1, 6)]
    between = writer.submit(numbers_of)
    after = writer.submit_item(add, 6)
    assert await asyncio.gather(alone, *together, after) in ([1, 5, 5, 5, 5, 5, 1], [6, 6, 6, 6, 6, 6, 1])
    assert await between == [0, 1, 2, 3, 4, 5], "what comes before is done before"


async def test_one_that_fails_does_not_fail_its_neighbours(writer: GroupWriter) -> None:
    found = await asyncio.gather(*(writer.submit_item(add, number) for number in (1, 2, 1, 3)), return_exceptions=True)
    assert [isinstance(one, Unavailable) for one in found] == [False, False, True, False]
    assert await writer.submit(numbers_of) == [1, 2, 3]


async def test_what_takes_long_is_written_with_its_group(writer: GroupWriter) -> None:
    threads: list[int] = []

    def add_long(connection: sqlite3.Connection, number: int) -> None:
        threads.append(threading.get_ident())
        add(connection, [number])

    jobs = [writer.submit_long(functools.partial(add_long, number=number)) for number in (1, 2, 2)]
    found = await asyncio.gather(writer.submit_item(add, 3), *jobs, return_exceptions=True)
    assert [isinstance(one, Unavailable) for one in found] == [False, False, False, True]
    assert await writer.submit(numbers_of) == [1, 2, 3]
    assert threading.get_ident() not in threads


async def test_what_is_submitted_after_the_end_is_refused(tmp_path: Path) -> None:
    connection = connect(tmp_path / "closed.db")
    writer = GroupWriter(connection, 1000)
    await writer.close()
    with pytest.raises(Unavailable):
        await writer.submit(numbers_of)
    connection.close()
