"""Events in SQLite, and their bodies: a small one is in the event's row, so that this is one insert; a large one is
apart, so that looking through events does not read it. SQLite itself would leave a body of up to a page in the row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from gateway.events import Event
from gateway.store import rows

LARGE_BYTES: Final = 2_048
"""A body of more is apart, as in PostgreSQL."""
EVENT: Final = rows.EVENT.replace(
    "e.body", "COALESCE(e.body, (SELECT body FROM large_bodies WHERE large_bodies.event_id = e.id))"
)
ADD_EVENT = (
    f"INSERT INTO events (hash, {rows.EVENT.replace('e.', '')})"  # noqa: S608  # our own column names
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
ADD_BODY = "INSERT INTO large_bodies VALUES (?, ?)"


def add_events(connection: sqlite3.Connection, new: Sequence[tuple[Event, int | None]]) -> None:
    """Add events, each with the hash of its publisher's id; None for one that may come again."""
    added, large = [], []
    for event, hashed in new:
        row, body = rows.event_row(event), event.original.body
        if len(body) > LARGE_BYTES:
            large.append((event.row_id, body))
            row = (*row[:-1], None)
        added.append((hashed, *row))
    connection.executemany(ADD_EVENT, added)
    connection.executemany(ADD_BODY, large)
