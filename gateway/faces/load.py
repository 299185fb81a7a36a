"""How much of requests is in memory, so that publishers are told to come back before there is too much."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import Message

from gateway.errors import Unavailable


class Load:
    """Counts the bodies of requests under way, by what their heads say of them: up to `room` bytes in all.

    One whose head does not say is counted as the largest that may be, `largest`.
    """

    def __init__(self, room: int, largest: int) -> None:
        self._room, self._largest = room, largest
        self._bytes = 0

    def take(self, size: int) -> bool:
        """Count a body; False when there is no room. One alone may be larger than the room."""
        if self._bytes and self._bytes + size > self._room:
            return False
        self._bytes += size
        return True

    def give(self, size: int) -> None:
        """The request is answered."""
        self._bytes -= size

    def size(self, headers: Iterable[tuple[bytes, bytes]]) -> int:
        """What a body is counted as."""
        for name, value in headers:
            if name == b"content-length" and value.isdigit():
                return min(int(value), self._largest)
            if name == b"transfer-encoding":
                return self._largest
        return 0


async def overloaded() -> Message:
    """What is received of a body for which there is no room.

    Raises:
        Unavailable: always.
    """
    raise Unavailable("too many bytes of requests are under way")
