"""Reads a SQLite store from another process, for the command line while a gateway runs."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.events import Event
from gateway.store.base import EventTrace, InboxMessage
from gateway.store.migration import names
from gateway.store.sqlite import database, events, inbox, traces


class SqliteReader:
    """A connection that only reads; of one thread at a time.

    Raises:
        ConfigurationError: there is no database at `path`, or it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ConfigurationError(
                f"{path}: there is no such database; start `gateway serve` first, or set GATEWAY_STORE__URL"
            )
        try:
            self._connection = database.connect_to_read(path)
            missing = database.missing_migrations(self._connection)
        except sqlite3.Error as error:
            raise ConfigurationError(f"{path}: not a database of the gateway ({error})") from None
        if missing:
            raise ConfigurationError(f"{path}: run `gateway migrate` first; migrations are missing: {names(missing)}")

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def events(self, limit: int) -> list[Event]:
        """The newest events, newest first."""
        return events.newest(self._connection, limit)

    def trace(self, row_id: int) -> EventTrace | None:
        """An event and where its deliveries stand."""
        return traces.trace(self._connection, row_id)

    def inbox(self, message_id: str) -> InboxMessage | None:
        """What became of a message of the own mailbox."""
        return inbox.message(self._connection, message_id)
