"""Acknowledgements in SQLite."""

from __future__ import annotations

from dataclasses import astuple

from gateway.store.base import Answer
from gateway.store.sqlite.engine import Engine

ADD = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?)"
OF = "SELECT * FROM answers WHERE event_id = ? ORDER BY answer_id"


class Answers(Engine):
    """Keeps acknowledgements."""

    async def add_answer(self, answer: Answer) -> None:
        await self._write(lambda connection: connection.execute(ADD, astuple(answer)))

    async def answers(self, event_id: int) -> list[Answer]:
        found = await self._read(lambda connection: connection.execute(OF, (event_id,)).fetchall())
        return [Answer(*row) for row in found]
