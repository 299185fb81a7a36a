"""What the store forgets: what has been kept long enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.ids import first_at


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Until when (epoch ms) events must have come in to have been kept long enough: those of the types in `types`, and
    all others; and audit rows.
    """

    default_ms: int
    types: Mapping[str, int] = field(default_factory=dict)
    audit_ms: int = 0

    @property
    def earliest_ms(self) -> int:
        """What came in before it has been kept long enough, whatever its type."""
        return min(self.default_ms, *self.types.values()) if self.types else self.default_ms

    @property
    def latest_ms(self) -> int:
        """What came in since has not, whatever its type."""
        return max(self.default_ms, *self.types.values()) if self.types else self.default_ms

    def ids(self) -> tuple[int, dict[str, int]]:
        """The same as row ids: the default, and by type."""
        return first_at(self.default_ms), {name: first_at(ms) for name, ms in self.types.items()}


@dataclass(frozen=True, slots=True)
class Erasure:
    """What a step has erased: how many `events`, up to the row id `last`; None when nothing is left to erase."""

    events: int
    last: int | None


@dataclass(frozen=True, slots=True)
class Audit:
    """What stays of an erased event: whose it was and what it was, but nothing of the patient; and what became of its
    deliveries.
    """

    row_id: int
    id: str
    type: str
    source: str
    face: str
    application: str
    delivered: int
    dead: int


class Retention(Protocol):
    """Forgets. An event goes with its original, its deliveries and their attempts, and an Audit stays of it; one that
    has a delivery still to be made goes nowhere.
    """

    async def expired(self, cutoffs: Cutoffs) -> Mapping[str, int]:
        """How many events of each type would be erased."""
        ...

    async def erase(self, cutoffs: Cutoffs, after: int, limit: int) -> Erasure:
        """Erase about `limit` of the oldest events behind the row id `after`. An engine that erases whole days at once
        may leave the last of them until it is over.
        """
        ...

    async def erase_rest(self, cutoffs: Cutoffs, limit: int) -> int:
        """Erase up to `limit` of each of the other things: audit rows, messages of the own mailboxes, and deleted
        subscriptions that no kept event can have matched; how many there were.
        """
        ...

    async def tidy(self, now_ms: int) -> None:
        """What the engine itself needs done every hour or so."""
        ...

    async def audit(self, row_id: int) -> Audit | None:
        """What stays of an erased event."""
        ...
