"""What the store keeps of the acknowledgements of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """An application's acknowledgement: `answer_id` is the row id of the event that it became, `event_id` that of the
    event it answers; `kind` is `technical` or `business`, `code` is FHIR's ok, transient-error or fatal-error.
    """

    event_id: int
    answer_id: int
    received_ms: int
    application: str
    kind: str
    code: str


class Answers(Protocol):
    """Keeps acknowledgements."""

    async def add_answer(self, answer: Answer) -> None:
        """Keep an acknowledgement; one that is there already stays as it is."""
        ...

    async def answers(self, event_id: int) -> list[Answer]:
        """The acknowledgements of an event, in the order they came."""
        ...

    async def events_named(self, event_id: str) -> list[int]:
        """The row ids of the events, of those that are kept once, whose publishers gave them that id; newest first."""
        ...
