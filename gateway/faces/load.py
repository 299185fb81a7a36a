"""How much of requests is in memory, so that callers are told to come back before there is too much."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import Unavailable
from gateway.faces.http import body_size


class Load:
    """Counts the bodies of requests from their heads to their answers, those that the two publish routes get whole from
    when they are: up to `room` bytes in all. A head that says how long its body is is believed, up to `largest`;
    otherwise parts are counted as they come.
    """

    def __init__(self, room: int, largest: int) -> None:
        self._room, self._largest = room, largest
        self._bytes = 0

    async def __call__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Have `app` answer; where there is no room it finds, when it reads the body, that the gateway is busy."""
        size = body_size(scope["headers"])
        if size is None:
            await self._counted(app, scope, receive, send)
            return
        size = min(size, self._largest)
        if size and not self.take(size):
            await app(scope, refused, send)
            return
        try:
            await app(scope, receive, send)
        finally:
            self.give_back(size)

    async def _counted(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Have `app` answer, and count the parts of the body as they come."""
        body = _Body(self, receive)
        try:
            await app(scope, body.receive, send)
        finally:
            self.give_back(body.taken)

    def take(self, size: int) -> bool:
        """Count so many bytes; False when there is no room. Whoever is alone may have more than the room."""
        if self._bytes and self._bytes + size > self._room:
            return False
        self._bytes += size
        return True

    def give_back(self, size: int) -> None:
        """Count so many bytes no more."""
        self._bytes -= size


class _Body:
    """The body of one request: so many bytes are `taken` for it."""

    def __init__(self, load: Load, receive: Receive) -> None:
        self._load, self._receive = load, receive
        self.taken = 0

    async def receive(self) -> Message:
        """The next part, counted.

        Raises:
            Unavailable: there is no room for it.
        """
        message = await self._receive()
        size = len(message.get("body", b""))
        if not self._load.take(size):
            raise _busy()
        self.taken += size
        return message


async def refused() -> Message:
    """What a request finds instead of its body when there is no room for it.

    Raises:
        Unavailable: always.
    """
    raise _busy()


def _busy() -> Unavailable:
    return Unavailable("too many bytes of requests are under way")
