"""The HTTP of uvicorn and httptools, with a bound on what comes before a request is one.

Neither limits the size of a request's head, nor how long it may take, and an ASGI application sees a head only when it
is whole. So the bound has to be here, where bytes come in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

import structlog
from starlette.responses import PlainTextResponse, Response
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

log = structlog.get_logger()
Headers = list[tuple[bytes, bytes]]
Respond = Callable[[Any, bytes], Awaitable[Response]]
"""How a request is answered without ASGI's messages, when its body is there."""
SHORT_BYTES: Final = 16_384
"""A body up to this length is short: uvicorn reads four times as much of any without being asked."""
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_MUCH: Final = 16_384
"""So many bytes are worth a system call of their own."""
_BUSY: Final[Any] = PlainTextResponse("Service Unavailable", 503, {"Retry-After": "5", "Connection": "close"})
"""What uvicorn answers beyond `limit_concurrency`, and when to come back."""
_FAILED: Final = PlainTextResponse("Internal Server Error", 500)


class JoinedWrites:
    """A transport that sends what is written in one turn of the event loop together: uvicorn writes the head of an
    answer and its body apart, and each would be a system call. What it does not do itself, `transport` does.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []
        self._bytes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send `data` when the loop's turn ends; much of it at once, so that the transport can say that it is full."""
        if not self._parts:
            self._loop.call_soon(self.send)
        self._parts.append(data)
        self._bytes += len(data)
        if self._bytes > _MUCH:
            self.send()

    def write_alone(self, data: bytes) -> None:
        """Send `data`, beside which nothing is written in this turn; after what was written before."""
        if self._parts:
            self.write(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Send what was written, and close."""
        self.send()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()

    def send(self) -> None:
        """Send what was written, unless the connection is gone meanwhile."""
        parts, self._parts, self._bytes = self._parts, [], 0
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))


class _Nobody:
    """An event that nobody waits for."""

    def set(self) -> None:
        """Wake nobody."""


class _ShortCycle:
    """Stands in for uvicorn's RequestResponseCycle where no ASGI application is asked: what HttpToolsProtocol looks at,
    and nothing else, since it is made for each request.
    """

    __slots__ = ("disconnected", "keep_alive", "response_complete", "task")
    message_event = _Nobody()
    task: asyncio.Task[None]
    """What answers."""

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.disconnected = self.response_complete = False


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections whose requests have too large a head, or take too long to come; asks the application for a
    shortcut, where it has `shortcuts`: by the target of a POST whose body is short, how it is answered without ASGI.
    """

    head_bytes = 65_536
    """A head may come to about this much, one read of the socket more or less; trailers too."""
    request_seconds = 60.0
    """A request may take so long from its first byte to its last, the first one from when the connection is made."""
    _unread = 0
    """The bytes that came since the last head was whole or a part of a body came."""
    _whole = True
    """Whether the request that was begun last has come to its end."""
    _timer: asyncio.TimerHandle | None = None
    _respond: Respond | None = None
    """What answers the request that was begun last, once its body is there."""
    _body = b""
    """What has come of that."""
    _idle_since = 0.0
    """When the last answer was given, in the event loop's seconds."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._writes = JoinedWrites(transport, self.loop)
        super().connection_made(cast("asyncio.Transport", self._writes))
        self._shortcuts: Mapping[bytes, Respond] = getattr(self.app, "shortcuts", {})
        self._start_timer()

    def eof_received(self) -> None:
        """The other side sends no more, and the connection closes: what was written goes out before."""
        self._writes.send()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self.timeout_keep_alive_task:
            self.timeout_keep_alive_task.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        if self.pipeline:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self._idle_since = self.loop.time()
            # One timer at a time: uvicorn makes one for each answer, and cancels it with the next request.
            if self.timeout_keep_alive_task is None:
                self._wait_for_next(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        """Let the timer be: it looks for itself whether there was a request."""

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self.cycle.response_complete:
            left = self._idle_since + self.timeout_keep_alive - self.loop.time()
            if not self._whole:  # it was answered before its body had come; how long that may take, another timer says
                left = self.timeout_keep_alive
            if left > 0:
                self._wait_for_next(left)
            else:
                super().timeout_keep_alive_handler()

    def _wait_for_next(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

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

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._unread = 0
        named = dict(self.headers)
        self.expect_100_continue = named.get(b"expect", b"").lower() == b"100-continue"
        self._respond = self._find_shortcut(named)
        if self._respond:
            scope, target = self.scope, self.url
            scope["method"], scope["path"] = "POST", target.decode("ascii")
            scope["raw_path"], scope["query_string"] = target, b""
            self.cycle = _ShortCycle(self.parser.should_keep_alive())  # type: ignore[assignment]
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        if self._respond:
            self._body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread, self._whole = 0, True
        self._stop_timer()
        if self._respond:
            # Another request may have begun by the time that the task does.
            cycle = cast(_ShortCycle, self.cycle)
            answering = self._answer(self._respond, self.scope, self._body, cycle)
            self._respond, self._body = None, b""
            # With a name, since one would be made up for it otherwise; create_task makes that first.
            cycle.task = asyncio.Task(answering, loop=self.loop, name="answer")
            self.tasks.add(cycle.task)
        else:
            super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, _BUSY if app is service_unavailable else app)

    def _find_shortcut(self, headers: Mapping[bytes, bytes]) -> Respond | None:
        """What may answer the request whose head is whole, unless it needs more of uvicorn: one before it is not
        answered yet, there are too many others, Expect, Upgrade; or its body is not short.
        """
        respond = self._shortcuts.get(self.url)
        if respond is None:
            return None
        parser, busy, limit = self.parser, self.cycle, self.limit_concurrency
        if (
            parser.get_method() != b"POST"
            or not _is_short(headers)
            or (busy is not None and not busy.response_complete)
            or (limit is not None and (len(self.connections) >= limit or len(self.tasks) >= limit))
            or self.expect_100_continue
            or parser.should_upgrade()
            # One of HTTP/1.0 that would be kept has to be told so.
            or (b"connection" in headers and parser.get_http_version() == "1.0")
        ):
            return None
        return respond

    async def _answer(self, respond: Respond, scope: Any, body: bytes, cycle: _ShortCycle) -> None:
        """Answer a request in one write, where uvicorn takes the way by messages of ASGI, and writes twice."""
        try:
            try:
                answer = _written(await respond(scope, body), self.server_state.default_headers, cycle.keep_alive)
            except (Exception, asyncio.CancelledError) as error:  # cancelled when the time to shut down is over
                log.error("answer", error=type(error).__name__)
                cycle.keep_alive = False
                answer = _written(_FAILED, self.server_state.default_headers, cycle.keep_alive)
            if self.flow.write_paused:
                await self.flow.drain()
            if not cycle.disconnected:
                cycle.response_complete = True
                self._writes.write_alone(answer)
                if not cycle.keep_alive:
                    self._writes.close()
                self.on_response_complete()
        finally:
            self.tasks.discard(cycle.task)

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


def _is_short(headers: Mapping[bytes, bytes]) -> bool:
    return b"transfer-encoding" not in headers and int(headers.get(b"content-length", b"0")) <= SHORT_BYTES


def _written(response: Response, default: Headers, keep_alive: bool) -> bytes:
    """The answer as it goes over the wire.

    Raises:
        ValueError: a header would end within itself.
    """
    headers = [*default, *response.raw_headers]
    if not keep_alive:
        headers.append((b"connection", b"close"))
    lines = b"\r\n".join(map(b": ".join, headers))
    if lines.count(b"\n") != len(headers) - 1 or b"\0" in lines:
        raise ValueError("not a header")
    return b"%b%b\r\n\r\n%b" % (STATUS_LINE[response.status_code], lines, bytes(response.body))
