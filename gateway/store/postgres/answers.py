"""Acknowledgements in PostgreSQL."""

from __future__ import annotations

from dataclasses import astuple

from gateway.store.base import Answer
from gateway.store.postgres.engine import Engine

ADD = "INSERT INTO answers VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
OF = "SELECT * FROM answers WHERE event_id = $1 ORDER BY answer_id"
NAMED = "SELECT row_id FROM event_names WHERE event_id = $1 ORDER BY row_id DESC"


class Answers(Engine):
    """Keeps acknowledgements."""

    async def add_answer(self, answer: Answer) -> None:
        await self._execute(ADD, *astuple(answer))

    async def answers(self, event_id: int) -> list[Answer]:
        return [Answer(*row) for row in await self._fetch(OF, event_id)]

    async def events_named(self, event_id: str) -> list[int]:
        return [row[0] for row in await self._fetch(NAMED, event_id)]
