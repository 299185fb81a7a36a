"""What a channel is: the way to one kind of endpoint."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Protocol

from gateway.events import Delivery, Event, Record


class Result(StrEnum):
    """What came of an attempt.

    DELIVERED  the endpoint has it.
    REFUSED    the endpoint will never take it: no further attempt.
    FAILED     it did not arrive; try again.
    UNCERTAIN  it may have arrived; find out where that can be done, then try again.
    """

    DELIVERED = "delivered"
    REFUSED = "refused"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


class Outcome(Record, frozen=True):
    """What came of an attempt.

    `detail` is for an operator and holds nothing of the notification; `answer` is the start of what the other side
    said, which may, so it is kept in the store and nowhere else; `ours` says that the other side had no part in it.
    """

    SHOWN: ClassVar = ("result", "status", "detail")

    result: Result
    status: int | None = None
    detail: str = ""
    remote_id: str = ""
    retry_after_seconds: float | None = None
    answer: str = ""
    ours: bool = False


class Notification(Record, frozen=True):
    """An event rendered for a delivery, or a notice of a subscription's state, which has no event; `id`, a UUID, never
    changes between attempts, so that a receiver can tell a repeat.
    """

    SHOWN: ClassVar = ("id", "media_type")

    id: str
    delivery: Delivery
    event: Event | None
    body: bytes
    media_type: str


class Channel(Protocol):
    """The way to one kind of endpoint; `slots` is how many attempts it can make at once, None for any number."""

    @property
    def slots(self) -> int | None: ...

    async def send(self, notification: Notification) -> Outcome:
        """Make one attempt; never raises for what the other side does."""
        ...

    async def close(self) -> None:
        """Finish what is under way, and let go of connections and threads."""
        ...
