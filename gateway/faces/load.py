"""How much of requests is in memory, so that callers are told to come back before there is too much."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import Unavailable


class Load:
    """Counts the bodies of requests from their heads to their answers: up to `room` bytes in all. A head that says how
    long its body is is believed, up to `largest`; otherwise parts are counted as they come.
    """

    def __init__(self, room: int, largest: int) -> None:
        self._room, self._largest = room, largest
        self._bytes = 0

    async def __call__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Have `app` answer; where there is no room it finds, when it reads the body, that the gateway is busy."""
        size = _size(scope["headers"])
        if size == 0:
            await app(scope, receive, send)
            return
        body = _Body(self, receive)
        try:
            if size is not None:
                body.is_refused = not body.take(min(size, self._largest))
            await app(scope, receive if size and not body.is_refused else body.receive, send)
        finally:
            self._bytes -= body.taken

    def take(self, size: int) -> bool:
        """Count so many bytes; False when there is no room. Whoever is alone may have more than the room."""
        if self._bytes and self._bytes + size > self._room:
            return False
        self._bytes += size
        return True


class _Body:
    """The body of one request: so many bytes are `taken` for it."""

    def __init__(self, load: Load, receive: Receive) -> None:
        self._load, self._receive = load, receive
        self.taken = 0
        self.is_refused = False

    def take(self, size: int) -> bool:
        if not self._load.take(size):
            return False
        self.taken += size
        return True

    async def receive(self) -> Message:
        """The next part, counted.

        Raises:
            Unavailable: there is no room for it.
        """
        if self.is_refused:
            raise _busy()
        message = await self._receive()
        if not self.take(len(message.get("body", b""))):
            raise _busy()
        return message


def _size(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """How long a body is by its head; None when that does not say."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
        if name == b"transfer-encoding":
            return None
    return 0


def _busy() -> Unavailable:
    return Unavailable("too many bytes of requests are under way")
