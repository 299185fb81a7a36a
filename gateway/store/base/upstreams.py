"""What the store keeps of the gateway's own subscriptions at other FHIR servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Heard:
    """A notification of a subscription at another server, which it names by its URL `reference`.

    `application` is the server's; `kind` and `state` are the type of the notification and the status of the
    subscription as FHIR has them; `events` is how many events it has had, None if it did not say; `numbers` are those
    of the events that were taken in.
    """

    reference: str
    application: str
    kind: str
    state: str
    events: int | None
    numbers: Sequence[int]
    heard_ms: int
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Upstream:
    """How a subscription at another server is: what was last heard of it, and the numbers up to `events` of events that
    are missing, the first of them.
    """

    reference: str
    application: str
    topic: str
    kind: str
    state: str
    events: int
    heard_ms: int
    missing: tuple[int, ...] = ()


class Upstreams(Protocol):
    """Keeps how subscriptions at other servers are, and which of their events were taken in."""

    async def hear(self, heard: Heard) -> None:
        """Remember a notification. Of a subscription not heard of before, the events before it are not missed."""
        ...

    async def expect(self, reference: str, application: str, topic: str, now_ms: int) -> None:
        """Remember a subscription that was just made, and its topic. What was heard of it in the meantime stays."""
        ...

    async def upstreams(self, missing: int) -> list[Upstream]:
        """All that were heard of, each with up to so many of the numbers that are missing."""
        ...


def beginning(heard: Heard, known: tuple[int, int] | None) -> tuple[int, int]:
    """How many events there were, and up to which number they are all here, before those of `heard` are taken."""
    told = max(heard.events or 0, *heard.numbers, 0)
    if known is None:
        return told, min((one - 1 for one in heard.numbers), default=told)
    # A handshake that tells of fewer events is of a server that counts anew.
    if heard.kind == "handshake" and told < known[0]:
        return told, min(told, known[1])
    return max(told, known[0]), known[1]


def missing_numbers(events: int, complete: int, taken: frozenset[int], limit: int) -> tuple[int, ...]:
    """The first `limit` numbers up to `events` that are not `taken`."""
    found = (number for number in range(complete + 1, events + 1) if number not in taken)
    return tuple(number for number, _ in zip(found, range(limit), strict=False))
