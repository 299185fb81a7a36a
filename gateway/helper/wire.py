"""What a gateway and its helpers tell each other: messages on a socket between processes of one release."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import ClassVar, Final, cast

import msgspec

from gateway.delivery.channels.base import Outcome
from gateway.errors import Issue
from gateway.events import Delivery, Event, Record
from gateway.subscriptions.subscription import Subscription

SUBSCRIPTIONS: Final = 4096
"""How many subscriptions a helper remembers."""
_LENGTH: Final = 4
_TOGETHER: Final = 8
"""So many messages go together at most: the other side works on them while this one makes more."""


class Hello(Record, frozen=True, array_like=True):
    """The first message: the store's own number, of which notifications have their ids."""

    instance: int


class Send(Record, frozen=True, array_like=True, tag=1):
    """An attempt to be made. The event, whose filtering is in `filtering`, unless the helper remembers it; and the
    subscription that it is for, the id of one that the helper remembers, or None where there is none.
    """

    SHOWN: ClassVar = ("number",)

    number: int
    delivery: Delivery
    event: Event | None
    filtering: bytes
    subscription: Subscription | str | None


class Read(Record, frozen=True, array_like=True, tag=2):
    """A NEMS message to be read, that the application of that id has published, of which the event gets `row_id`."""

    SHOWN: ClassVar = ("number",)

    number: int
    row_id: int
    body: bytes
    media_type: str
    interaction: str
    application: str


class Follow(Record, frozen=True, array_like=True, tag=3):
    """The mapping modules that `mark` stands for are to be loaded."""

    number: int
    mark: bytes


class Ping(Record, frozen=True, array_like=True, tag=4):
    """It is asked whether it is well."""

    number: int


class Sent(Record, frozen=True, array_like=True, tag=1):
    """What came of an attempt."""

    SHOWN: ClassVar = ("number",)

    number: int
    outcome: Outcome


class WasRead(Record, frozen=True, array_like=True, tag=2):
    """The event that a message tells of, without the message, and what its publisher is told of its type. `facts` is
    what the event is matched by.
    """

    SHOWN: ClassVar = ("number",)

    number: int
    event: Event
    facts: bytes
    notices: tuple[Issue, ...]


class Refused(Record, frozen=True, array_like=True, tag=3):
    """Why a message is refused."""

    SHOWN: ClassVar = ("number",)

    number: int
    issues: tuple[Issue, ...]


class Followed(Record, frozen=True, array_like=True, tag=4):
    """Whether the mapping modules are those."""

    number: int
    are_those: bool


class Pong(Record, frozen=True, array_like=True, tag=5):
    """It is well, and the process of that id."""

    number: int
    pid: int


class Failed(Record, frozen=True, array_like=True, tag=6):
    """It could not be done, for a fault of ours."""

    number: int


Asked = Send | Read | Follow | Ping
Answer = Sent | WasRead | Refused | Followed | Pong | Failed

# Numbers with a fraction are Decimals, which MessagePack has not, and whole ones may be longer than it has them.
packed = msgspec.json.Encoder(decimal_format="number").encode
"""JSON of what an event is matched by."""
unpacked = msgspec.json.Decoder(float_hook=Decimal).decode
"""What was `packed`."""


class Link(asyncio.Protocol):
    """Messages in both directions; those that are sent in one turn of the event loop go together. `take` gets each that
    comes, `lost` is told when the other side is gone.
    """

    def __init__(self, take: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        self._take, self._lost = take, lost
        self._unread = bytearray()
        self._unsent: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self.is_open = False
        self.lost = asyncio.Event()

    def send(self, message: bytes) -> None:
        """Send a message when this turn of the event loop ends, or sooner."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent += (len(message).to_bytes(_LENGTH), message)
        if len(self._unsent) >= 2 * _TOGETHER:
            self._flush()

    def close(self) -> None:
        """Be gone, once all is sent."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Be gone at once, if it is there."""
        if self.is_open:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        self.lost.set()
        self._lost()

    def data_received(self, data: bytes) -> None:
        unread = self._unread
        unread += data
        start = 0
        while (body := start + _LENGTH) <= len(unread):
            end = body + int.from_bytes(unread[start:body])
            if end > len(unread):
                break
            self._take(bytes(unread[body:end]))
            start = end
        del unread[:start]

    def _flush(self) -> None:
        # One that is closing loses what is sent, and tells of that soon.
        if self._unsent and not self._transport.is_closing():
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()
