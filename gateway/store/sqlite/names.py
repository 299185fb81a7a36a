"""Which events there are whose ids are not to come twice, in SQLite: found by a hash of the publisher's id.

Hashes come in no order: put into the index one by one, each would change a page of its own, which is more than all else
that an event writes. So they are appended first, and known in memory; when there are many, they go into the index in
its order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from gateway.store import rows

Name = tuple[str, str, str]
"""A publisher's id of an event, its source, and the application."""
New = tuple[int, int]
"""The row id of an event, and its hash."""

MANY: Final = 8_192
"""So many new hashes, 2 MB in memory, go into the index together."""
ADD = "INSERT INTO new_event_hashes VALUES (?, ?)"
NEW = "SELECT row_id, hash FROM new_event_hashes ORDER BY hash"
# Not from memory: the event may have been erased in the meantime.
PLACE = "INSERT OR IGNORE INTO event_hashes (row_id, hash) SELECT row_id, hash FROM new_event_hashes WHERE row_id = ?"
PLACED = "DELETE FROM new_event_hashes WHERE row_id = ?"
IN_PLACE = (
    "SELECT h.row_id, e.event_id, e.source, e.application FROM event_hashes h JOIN events e ON e.id = h.row_id"
    " WHERE h.hash IN (SELECT value FROM json_each(?)) AND h.row_id >= ?"
)
OF_EVENT = "SELECT id, event_id, source, application FROM events WHERE id = ? AND id >= ?"


class Names:
    """Finds events by their publishers' ids. What is in memory says only where to look: it may be of an event that was
    not kept after all.
    """

    def __init__(self) -> None:
        self._new: dict[int, list[int]] = {}
        self._count = 0

    @property
    def are_many(self) -> bool:
        """Whether so many are new that they should go into the index."""
        return self._count >= MANY

    def load(self, connection: sqlite3.Connection) -> list[New]:
        """Hold in memory what is new, and nothing else; what that is, in the order of the index."""
        newest = connection.execute(NEW).fetchall()
        self._new, self._count = {}, 0
        self._remember(newest)
        return newest

    def find(self, connection: sqlite3.Connection, hashes: Collection[int], since: int) -> dict[Name, int]:
        """The row ids, not under `since`, of the newest events that have these hashes."""
        if not hashes:
            return {}
        found = connection.execute(IN_PLACE, (rows.json_text(list(hashes)), since)).fetchall()
        for row_id in [each for one in hashes for each in self._new.get(one, ())]:
            found += connection.execute(OF_EVENT, (row_id, since))
        return {(event_id, source, application): row_id for row_id, event_id, source, application in sorted(found)}

    def add(self, connection: sqlite3.Connection, new: Sequence[New]) -> None:
        """Add new ones."""
        connection.executemany(ADD, new)
        self._remember(new)

    def forget(self, placed: Iterable[New]) -> None:
        """Hold these no more in memory, which are in the index for good."""
        for row_id, hashed in placed:
            known = self._new.pop(hashed, [])
            if others := [one for one in known if one != row_id]:
                self._new[hashed] = others
            self._count -= len(known) - len(others)

    def _remember(self, new: Sequence[New]) -> None:
        for row_id, hashed in new:
            self._new.setdefault(hashed, []).append(row_id)
        self._count += len(new)


def place(connection: sqlite3.Connection, new: Sequence[New]) -> None:
    """Put new ones into the index."""
    row_ids = [(row_id,) for row_id, _ in new]
    connection.executemany(PLACE, row_ids)
    connection.executemany(PLACED, row_ids)
