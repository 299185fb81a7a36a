"""The HTTP of uvicorn and httptools, with a bound on what comes before a request is one.

Neither limits the size of a request's head, nor how long it may take, and an ASGI application sees a head only when it
is whole. So the bound has to be here, where bytes come in.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from starlette.responses import PlainTextResponse
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_MUCH: Final = 16_384
"""So many bytes are worth a system call of their own."""
_BUSY: Final[Any] = PlainTextResponse("Service Unavailable", 503, {"Retry-After": "5", "Connection": "close"})
"""What uvicorn answers beyond `limit_concurrency`, and when to come back."""


class JoinedWrites:
    """A transport that sends what is written in one turn of the event loop together: uvicorn writes the head of an
    answer and its body apart, and each would be a system call. What it does not do itself, `transport` does.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send `data` when the loop's turn ends; much of it at once, so that the transport can say that it is full."""
        if not self._parts:
            self._loop.call_soon(self._send)
        self._parts.append(data)
        if len(data) > _MUCH:
            self._send()

    def close(self) -> None:
        """Send what was written, and close."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections whose requests have too large a head, or take too long to come."""

    head_bytes = 65_536
    """A head may come to about this much, one read of the socket more or less; trailers too."""
    request_seconds = 60.0
    """A request may take so long from its first byte to its last, the first one from when the connection is made."""
    _unread = 0
    """The bytes that came since the last head was whole or a part of a body came."""
    _whole = True
    """Whether the request that was begun last has come to its end."""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport, self.loop)))
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._whole = False

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        super().data_received(data)
        if self._unread > self.head_bytes:
            self._refuse()
        elif not self._whole and self._timer is None:
            self._start_timer()

    def on_headers_complete(self) -> None:
        self._unread = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread, self._whole = 0, True
        self._stop_timer()
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, _BUSY if app is service_unavailable else app)

    def _refuse(self) -> None:
        if not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.request_seconds, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
