"""Acknowledgements in SQLite."""

from __future__ import annotations

from dataclasses import astuple

from gateway.store.base import Answer
from gateway.store.sqlite.database import hash_of
from gateway.store.sqlite.engine import Engine

ADD = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?)"
OF = "SELECT * FROM answers WHERE event_id = ? ORDER BY answer_id"
NAMED = (
    "SELECT id FROM events WHERE id IN (SELECT row_id FROM event_hashes WHERE hash = ?1"
    " UNION ALL SELECT row_id FROM new_event_hashes WHERE hash = ?1) AND event_id = ?2 ORDER BY id DESC"
)


class Answers(Engine):
    """Keeps acknowledgements."""

    async def add_answer(self, answer: Answer) -> None:
        await self._write(lambda connection: connection.execute(ADD, astuple(answer)))

    async def answers(self, event_id: int) -> list[Answer]:
        found = await self._read(lambda connection: connection.execute(OF, (event_id,)).fetchall())
        return [Answer(*row) for row in found]

    async def events_named(self, event_id: str) -> list[int]:
        named = hash_of(event_id), event_id
        found = await self._read(lambda connection: connection.execute(NAMED, named).fetchall())
        return [row[0] for row in found]
