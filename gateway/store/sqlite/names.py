"""Which events there are whose ids are not to come twice, in SQLite: found by a hash of the publisher's id.

Hashes come in no order: put into the index one by one, each would change a page of its own, which is more than all else
that an event writes. So they are known in memory first, and from the events' own rows after a restart; when there are
many, they go into the index in its order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import Final

from gateway.store import rows
from gateway.store.sqlite.database import hash_of

Name = tuple[str, str, str]
"""A publisher's id of an event, its source, and the application."""
New = tuple[int, int | None]
"""The row id of an event, and its hash; None for one that may come again."""

MANY: Final = 8_192
"""Of so many new events the hashes go into the index together; of about twice as many, 4 MB, they are in memory."""
PART: Final = 1_024
"""So many of them in one transaction, neighbours in the index: a few milliseconds."""
UNTIL = "SELECT row_id FROM event_hashes_placed"
NEW = "SELECT id, hash FROM events WHERE id > ?"
PLACE_LATE = "INSERT OR IGNORE INTO event_hashes VALUES (?, ?)"
# Hashes by row ids; those of events that were erased meanwhile, or were not kept after all, are left out.
PLACE = (
    "INSERT OR IGNORE INTO event_hashes SELECT value, e.id"
    " FROM json_each(?) CROSS JOIN events e ON e.id = CAST(key AS INTEGER)"
)
PLACED = "UPDATE event_hashes_placed SET row_id = ?"
IN_PLACE = (
    "SELECT h.row_id, e.event_id, e.source, e.application FROM json_each(?) asked"
    " CROSS JOIN event_hashes h ON h.hash = asked.value AND h.row_id >= ? CROSS JOIN events e ON e.id = h.row_id"
)
OF_EVENT = "SELECT id, event_id, source, application FROM events WHERE id = ? AND id >= ?"
NAMED = (
    "SELECT id FROM events WHERE id IN (SELECT row_id FROM event_hashes WHERE hash = ?1"
    " UNION ALL SELECT value FROM json_each(?2)) AND event_id = ?3 ORDER BY id DESC"
)


class Names:
    """Finds events by their publishers' ids. What is in memory says only where to look: it may be of an event that was
    not kept after all.
    """

    def __init__(self) -> None:
        self._new: dict[int, list[int]] = {}
        self._on_their_way: dict[int, list[int]] = {}
        self._count = 0
        self._newest = self._until = 0
        self._is_loaded = False

    @property
    def are_many(self) -> bool:
        """Whether so many are new that they should go into the index."""
        return self._count >= MANY

    def load(self, connection: sqlite3.Connection) -> None:
        """Hold in memory what is new, and nothing else; what was there stays if that cannot be read."""
        (until,) = connection.execute(UNTIL).fetchone()
        found = connection.execute(NEW, (until,)).fetchall()
        known: dict[int, list[int]] = {}
        self._newest = self._until = until
        self._count = 0
        self._remember(found, known)
        self._is_loaded = True
        # In this order: `named` looks at them from another thread, the new ones first.
        self._new = known
        self._on_their_way = {}

    def begin_to_place(self) -> list[str]:
        """All that are known by now are about to go into the index, by `place`, in these parts; until they are, they
        stay in memory too.
        """
        if self._on_their_way:  # they did not get there
            for hashed, row_ids in self._new.items():
                self._on_their_way.setdefault(hashed, []).extend(row_ids)
        else:
            self._on_their_way = self._new
        self._new, self._count = {}, 0
        placed = sorted((hashed, row_id) for hashed, row_ids in self._on_their_way.items() for row_id in row_ids)
        self._until = self._newest
        parts = (placed[start : start + PART] for start in range(0, len(placed), PART))
        return [rows.json_text({row_id: hashed for hashed, row_id in part}) for part in parts]

    def are_placed(self, connection: sqlite3.Connection) -> None:
        """Those are there now, for good."""
        connection.execute(PLACED, (self._until,))
        self._on_their_way = {}

    def find(self, connection: sqlite3.Connection, hashes: Collection[int], since: int) -> dict[Name, int]:
        """The row ids, not under `since`, of the newest events that have these hashes."""
        if not hashes:
            return {}
        found = connection.execute(IN_PLACE, (rows.json_text(list(hashes)), since)).fetchall()
        for row_id in self._in_memory(hashes):
            found += connection.execute(OF_EVENT, (row_id, since))
        return {(event_id, source, application): row_id for row_id, event_id, source, application in sorted(found)}

    def named(self, connection: sqlite3.Connection, event_id: str) -> list[int]:
        """The row ids of the events that have this id of their publishers', newest first."""
        if not self._is_loaded:  # by a process that only reads
            self.load(connection)
        hashed = hash_of(event_id)
        known = rows.json_text(self._in_memory([hashed]))
        return [row_id for (row_id,) in connection.execute(NAMED, (hashed, known, event_id))]

    def add(self, connection: sqlite3.Connection, new: Sequence[New]) -> None:
        """Know new ones, which are in the rows of their events."""
        self._remember(new, self._new)
        # After a restart nobody would look for these there: a clock was set back, or another was quicker.
        if late := [(hashed, row_id) for row_id, hashed in new if row_id <= self._until and hashed is not None]:
            connection.executemany(PLACE_LATE, late)

    def _in_memory(self, hashes: Collection[int]) -> list[int]:
        return [
            row_id
            for known in (self._new, self._on_their_way)
            for hashed in hashes
            if hashed in known
            for row_id in known[hashed]
        ]

    def _remember(self, new: Sequence[New], known: dict[int, list[int]]) -> None:
        for row_id, hashed in new:
            if hashed is not None:
                known.setdefault(hashed, []).append(row_id)
        self._count += len(new)
        self._newest = max((self._newest, *(row_id for row_id, _ in new)))


def place(connection: sqlite3.Connection, part: str) -> None:
    """Put a part of the new ones, as `begin_to_place` gives it, into the index."""
    connection.execute(PLACE, (part,))
