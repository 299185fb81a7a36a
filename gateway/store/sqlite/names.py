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
"""So many new hashes go into the index together; about twice as many, 4 MB, are in memory."""
_PART_BITS: Final = 3
PARTS: Final = 1 << _PART_BITS
"""In so many transactions, each with the hashes of one range, which are neighbours in the index: a few milliseconds."""
ADD = "INSERT INTO new_event_hashes VALUES (?, ?)"
NEW = "SELECT row_id, hash FROM new_event_hashes"
_PART = f"((hash >> {64 - _PART_BITS}) & {PARTS - 1}) = ?"
PLACE = f"INSERT OR IGNORE INTO event_hashes SELECT hash, row_id FROM new_event_hashes WHERE {_PART} ORDER BY hash"  # noqa: S608  # our own words
PLACED = f"DELETE FROM new_event_hashes WHERE {_PART}"  # noqa: S608
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
        self._on_their_way: dict[int, list[int]] = {}
        self._count = 0

    @property
    def are_many(self) -> bool:
        """Whether so many are new that they should go into the index."""
        return self._count >= MANY

    def load(self, connection: sqlite3.Connection) -> None:
        """Hold in memory what is new, and nothing else."""
        self._new, self._on_their_way, self._count = {}, {}, 0
        self._remember(connection.execute(NEW))

    def begin_to_place(self) -> None:
        """All that are known by now are about to go into the index; until they are, they stay in memory too."""
        if self._on_their_way:  # they did not get there
            for hashed, row_ids in self._new.items():
                self._on_their_way.setdefault(hashed, []).extend(row_ids)
        else:
            self._on_their_way = self._new
        self._new, self._count = {}, 0

    def are_placed(self) -> None:
        """Those are there now, for good."""
        self._on_their_way = {}

    def find(self, connection: sqlite3.Connection, hashes: Collection[int], since: int) -> dict[Name, int]:
        """The row ids, not under `since`, of the newest events that have these hashes."""
        if not hashes:
            return {}
        found = connection.execute(IN_PLACE, (rows.json_text(list(hashes)), since)).fetchall()
        for known in self._new, self._on_their_way:
            for row_id in [each for one in hashes if one in known for each in known[one]]:
                found += connection.execute(OF_EVENT, (row_id, since))
        return {(event_id, source, application): row_id for row_id, event_id, source, application in sorted(found)}

    def add(self, connection: sqlite3.Connection, new: Sequence[New]) -> None:
        """Add new ones."""
        connection.executemany(ADD, new)
        self._remember(new)

    def _remember(self, new: Iterable[New]) -> None:
        for row_id, hashed in new:
            self._new.setdefault(hashed, []).append(row_id)
            self._count += 1


def place(connection: sqlite3.Connection, part: int) -> None:
    """Put the new ones of a part into the index: from the table, where those of erased events are no longer."""
    connection.execute(PLACE, (part,))
    connection.execute(PLACED, (part,))
