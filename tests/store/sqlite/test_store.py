from __future__ import annotations

import contextlib
import functools
import resource
import signal
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.errors import ConfigurationError, Unavailable
from gateway.store.base import Room
from gateway.store.sqlite import SqliteStore, database
from gateway.store.sqlite.database import MIGRATIONS, migrate_file
from tests.store.acts import LATER, MUCH_LATER, SOON, accept


async def test_what_was_accepted_survives_a_crash(tmp_path: Path, store: SqliteStore) -> None:
    one, _ = await accept(store)
    # A copy of the files as they are is what a machine finds after it lost power.
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("gateway.db", "gateway.db-wal"):
        (crashed / name).write_bytes((tmp_path / name).read_bytes())
    again = SqliteStore(crashed / "gateway.db")
    await again.open()
    assert await again.events(9) == [one]
    assert again.instance == store.instance
    await again.close()


async def test_commits_are_on_disk_before_they_are_answered(store: SqliteStore) -> None:
    level = await store._writer.submit(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0])
    mode = await store._writer.submit(lambda connection: connection.execute("PRAGMA journal_mode").fetchone()[0])
    assert (level, mode) == (2, "wal")


async def test_what_a_dead_process_had_claimed_is_due_at_once_and_uncertain(tmp_path: Path, store: SqliteStore) -> None:
    _, (made,) = await accept(store, lease_ms=MUCH_LATER)
    await store.close()
    await store.open()
    (claimed,) = await store.claim(Room(10), SOON, LATER)
    assert claimed.delivery == replace(made, uncertain=True, claim=1)


async def test_two_processes_cannot_open_one_database(tmp_path: Path, store: SqliteStore) -> None:
    with pytest.raises(ConfigurationError, match="another gateway has it open"):
        await SqliteStore(tmp_path / "gateway.db").open()
    with pytest.raises(ConfigurationError, match="another gateway has it open"):
        migrate_file(tmp_path / "gateway.db")


async def test_a_database_may_be_read_while_a_gateway_has_it_open(tmp_path: Path, store: SqliteStore) -> None:
    one, _ = await accept(store)
    reader = SqliteStore(tmp_path / "gateway.db")
    await reader.open_to_read()
    assert await reader.events(5) == [one]
    await reader.close()


async def test_a_store_that_cannot_be_written_says_so_and_recovers(tmp_path: Path, store: SqliteStore) -> None:
    """The size that files may have is limited, as a full disk does it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "gateway.db-wal").stat().st_size, hard))
    try:
        with pytest.raises(Unavailable):
            await accept(store)
        assert (await store.check())["store"] != "ok"
        assert await store.events(9) == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert await store.check() == {"store": "ok", "migrations": "ok"}
    one, _ = await accept(store)
    assert await store.events(9) == [one]


async def test_a_database_of_a_later_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    migrate_file(path)
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO migrations VALUES (9999, 'later', 0)")
    connection.commit()
    connection.close()
    with pytest.raises(ConfigurationError, match="of a later release, by migration 9999"):
        await SqliteStore(path).open()


def test_migrations_are_applied_once(tmp_path: Path) -> None:
    applied = [migration.number for migration in migrate_file(tmp_path / "new" / "gateway.db")]
    assert applied == list(range(1, len(list(MIGRATIONS.glob("*.sql"))) + 1))
    assert migrate_file(tmp_path / "new" / "gateway.db") == []


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(ConfigurationError, match="not a database"):
        await SqliteStore(path).open()
    with pytest.raises(ConfigurationError, match="not a database"):
        await SqliteStore(path).open_to_read()


_UNNUMBERED, _LATER = "DROP TABLE instance", "INSERT INTO migrations VALUES (9999, 'later', 0)"


@pytest.mark.parametrize(
    ("open_it", "spoil"),
    [
        (SqliteStore.open, _UNNUMBERED), (SqliteStore.open, _LATER),
        (SqliteStore.open_beside, _UNNUMBERED), (SqliteStore.open_beside, _LATER),
        (SqliteStore.open_to_read, _LATER),
    ],
)  # fmt: skip
async def test_what_cannot_be_opened_is_left_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_it: Callable[[SqliteStore], Awaitable[None]], spoil: str
) -> None:
    path = tmp_path / "gateway.db"
    migrate_file(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(spoil)
    left_open: set[sqlite3.Connection] = set()

    class Counted(sqlite3.Connection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            left_open.add(self)

        def close(self) -> None:
            super().close()
            left_open.discard(self)

    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Counted))
    with pytest.raises(ConfigurationError):
        await open_it(SqliteStore(path))
    assert not left_open
    database.lock(path).close()


async def test_a_missing_database_is_not_made_by_a_reader(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such database"):
        await SqliteStore(tmp_path / "none.db").open_to_read()
    assert not (tmp_path / "none.db").exists()


async def test_an_unmigrated_database_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE migrations (number INTEGER PRIMARY KEY)")
    connection.commit()
    connection.close()
    with pytest.raises(ConfigurationError, match="run `gateway migrate` first; migrations are missing: initial"):
        await SqliteStore(path).open_to_read()
