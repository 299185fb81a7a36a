"""The engines that the tests of the store run against."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from gateway.store.base import Store
from gateway.store.postgres import PostgresStore
from gateway.store.sqlite import SqliteStore


class Engine(Protocol):
    """An empty database of one engine, of which stores can be made."""

    def store(self, max_waiting: int = 10_000) -> Store:
        """A store on the database, not yet open; any number may be made one after the other."""
        ...


class Sqlite:
    """A SQLite file in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gateway.db"

    def store(self, max_waiting: int = 10_000) -> SqliteStore:
        return SqliteStore(self.path, max_waiting)


class Postgres:
    """A PostgreSQL database at `url`, migrated."""

    def __init__(self, url: str) -> None:
        self.url = url

    def store(self, max_waiting: int = 10_000) -> PostgresStore:
        return PostgresStore(self.url, max_waiting)
