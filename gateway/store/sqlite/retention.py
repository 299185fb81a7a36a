"""Retention in SQLite: small steps, and freed pages given back, so that the file stays level."""

from __future__ import annotations

import sqlite3
import uuid

from gateway.ids import first_at
from gateway.store import rows
from gateway.store.base import Audit, Cutoffs, Erasure
from gateway.store.sqlite.engine import Engine

_UNFINISHED = (
    "EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.state IN ('pending', 'sending', 'held'))"
)
# ?1: the default, ?2: by type, ?3: the latest of all.
_EXPIRED = (
    "e.id < ?3 AND e.id < COALESCE((SELECT value FROM json_each(?2) WHERE key = e.type), ?1)"  # noqa: S608
    f" AND NOT {_UNFINISHED}"
)
COUNT = f"SELECT e.type, COUNT(*) FROM events e WHERE {_EXPIRED} GROUP BY e.type"  # noqa: S608  # our own words
FIND = (
    "SELECT e.id, e.event_id, e.type, e.source, e.face, e.application FROM events e"  # noqa: S608
    f" WHERE e.id > ?4 AND {_EXPIRED} ORDER BY e.id LIMIT ?5"
)
# An operator may have sent one again since it was found.
BUSY = f"SELECT {_UNFINISHED} FROM events e WHERE e.id = ?"  # noqa: S608
KIND = "INSERT OR IGNORE INTO audit_kinds (type, source, face, application) VALUES (?, ?, ?, ?)"
ADD_AUDIT = (
    "INSERT OR IGNORE INTO audit SELECT ?1, kind, ?2,"
    " (SELECT COUNT(*) FROM deliveries WHERE event_id = ?1 AND state = 'delivered'),"
    " (SELECT COUNT(*) FROM deliveries WHERE event_id = ?1 AND state = 'dead')"
    " FROM audit_kinds WHERE (type, source, face, application) = (?3, ?4, ?5, ?6)"
)
ERASE = (
    "DELETE FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE event_id = ?1)",
    "DELETE FROM deliveries WHERE event_id = ?1",
    "DELETE FROM large_bodies WHERE event_id = ?1",
    "DELETE FROM event_hashes WHERE row_id = ?1 AND hash = (SELECT hash FROM events WHERE id = ?1)",
    "DELETE FROM answers WHERE event_id = ?1",
    "DELETE FROM events WHERE id = ?1",
)
_DELETED = "(SELECT id FROM subscriptions WHERE deleted_ms < ?1 LIMIT ?2)"
REST = (
    "DELETE FROM mesh_inbox WHERE message_id IN (SELECT message_id FROM mesh_inbox WHERE received_ms < ?1 LIMIT ?2)",
    f"DELETE FROM event_counts WHERE subscription_id IN {_DELETED}",  # noqa: S608
    f"DELETE FROM subscription_resources WHERE subscription_id IN {_DELETED}",  # noqa: S608
    f"DELETE FROM subscriptions WHERE id IN {_DELETED}",  # noqa: S608
)
REST_OF_ANSWERS = (
    "DELETE FROM answers WHERE (event_id, answer_id) IN"
    " (SELECT event_id, answer_id FROM answers WHERE event_id < ? LIMIT ?)"
)
REST_OF_AUDIT = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < ? ORDER BY id LIMIT ?)"
AUDIT = (
    "SELECT id, event_id, type, source, face, application, delivered, dead FROM audit JOIN audit_kinds USING (kind)"
    " WHERE id = ?"
)
FREE_PAGES = "PRAGMA freelist_count"
GIVE_BACK = 200
"""Pages given back to the file system at a time, some 1.6 MB; as many again stay for what comes in next."""


class Retention(Engine):
    """Forgets."""

    async def expired(self, cutoffs: Cutoffs) -> dict[str, int]:
        return dict(await self._read(lambda connection: connection.execute(COUNT, _values(cutoffs)).fetchall()))

    async def erase(self, cutoffs: Cutoffs, after: int, limit: int) -> Erasure:
        values = (*_values(cutoffs), after, limit)
        found = await self._read(lambda connection: connection.execute(FIND, values).fetchall())
        if not found:
            return Erasure(0, None)
        return Erasure(await self._write(lambda connection: _erase(connection, found)), found[-1][0])

    async def erase_rest(self, cutoffs: Cutoffs, limit: int) -> int:
        return await self._write(lambda connection: _erase_rest(connection, cutoffs, limit))

    async def tidy(self, now_ms: int) -> None:
        while await self._read(lambda connection: connection.execute(FREE_PAGES).fetchone()[0]) > 2 * GIVE_BACK:
            before = await self._write(_give_back)
            if before == 0:
                return

    async def audit(self, row_id: int) -> Audit | None:
        row = await self._read(lambda connection: connection.execute(AUDIT, (row_id,)).fetchone())
        return Audit(row[0], _name_of(row[1]), *row[2:]) if row else None


def _values(cutoffs: Cutoffs) -> tuple[object, ...]:
    default, types = cutoffs.ids()
    return default, rows.json_text(types), first_at(cutoffs.latest_ms)


def _erase(connection: sqlite3.Connection, found: list[rows.Row]) -> int:
    erased = 0
    for row_id, name, *kind in found:
        if (busy := connection.execute(BUSY, (row_id,)).fetchone()) is None or busy[0]:
            continue
        connection.execute(KIND, kind)
        connection.execute(ADD_AUDIT, (row_id, _packed(name), *kind))
        for statement in ERASE:
            connection.execute(statement, (row_id,))
        erased += 1
    return erased


def _erase_rest(connection: sqlite3.Connection, cutoffs: Cutoffs, limit: int) -> int:
    rest = [(statement, cutoffs.earliest_ms) for statement in REST]
    rest += [(REST_OF_ANSWERS, first_at(cutoffs.earliest_ms)), (REST_OF_AUDIT, first_at(cutoffs.audit_ms))]
    return sum(connection.execute(statement, (before, limit)).rowcount for statement, before in rest)


def _give_back(connection: sqlite3.Connection) -> int:
    """Freed pages to the file system; how many that were."""
    before = connection.execute(FREE_PAGES).fetchone()[0]
    connection.execute(f"PRAGMA incremental_vacuum({GIVE_BACK})").fetchall()
    return int(before - connection.execute(FREE_PAGES).fetchone()[0])


def _packed(name: str) -> bytes | str:
    """A UUID as its bytes, if it comes back the same."""
    try:
        packed = uuid.UUID(name)
    except ValueError:
        return name
    return packed.bytes if str(packed) == name else name


def _name_of(packed: bytes | str) -> str:
    return str(uuid.UUID(bytes=packed)) if isinstance(packed, bytes) else packed
