"""HTTP/1.1 on one connection, as a client that posts: a request at a time, and the start of its answer (RFC 9112).

What comes in is parsed by httptools; bounded here is how much of it is read, and how long that may take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar, Final, cast

import httptools

from gateway.events import Record

IDLE_SECONDS: Final = 15.0
"""A connection is kept for the next request for so long."""
_HEAD_BYTES: Final = 65_536
# Of an answer's body so much is read, in so long, and at least so much of it is handed on: once the status is known the
# rest matters little, and is read only so that the connection can be used again.
_BODY_BYTES: Final = 16_384
_BODY_SECONDS: Final = 2.0
_START_BYTES: Final = 500
_SWITCHING: Final = 101


class Answer(Record, frozen=True):
    """What was answered: `retry_after` is the header of that name, "" without; `start` that of the body."""

    SHOWN: ClassVar = ("status",)

    status: int
    retry_after: str
    start: bytes


class Connection(asyncio.Protocol):
    """Sends a request, waits for its answer, and sends the next; `free` is told whenever it may be asked again. `lost`
    is done when it is closed.
    """

    def __init__(self, free: Callable[[Connection], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._free = free
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wakes = self._deadline = 0.0
        self._begin()

    def ask(self, request: bytes, seconds: float) -> asyncio.Future[Answer]:
        """Send a request on a connection that is open; the future holds what is answered.

        The future raises TimeoutError when nothing is in time, and ConnectionError when the connection ends before, or
        what comes is no HTTP. The request may have arrived all the same.
        """
        answer = self._answer = self._loop.create_future()
        self._begin()
        self._end_at(self._loop.time() + seconds)
        self._transport.write(request)
        return answer

    @property
    def is_open(self) -> bool:
        """Whether it may be asked."""
        return not self._transport.is_closing()

    def abort(self) -> None:
        """Close it at once, whatever is under way."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()
        if self._answer:
            self._break(ConnectionError("the connection was closed before an answer"))
        self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:  # nobody asked for it
            self.abort()
            return
        self._read += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._break(ConnectionError("the answer is not HTTP"))
            return
        if self._answer:
            self._bound()

    def on_message_begin(self) -> None:
        if self._answer is None:  # a second answer, or the beginning of one
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        # What comes before the answer proper (RFC 9110, section 15.2), but for what ends HTTP on this connection.
        if status >= 200 or status == _SWITCHING:
            self._status, self._read = status, 0
        else:
            self._retry_after = ""

    def on_body(self, body: bytes) -> None:
        if len(self._start) < _START_BYTES:
            self._start += body

    def on_message_complete(self) -> None:
        if self._status:
            self._finish(keep=self._parser.should_keep_alive() and self._status != _SWITCHING)

    def _begin(self) -> None:
        """Nothing is known of the next answer."""
        self._status, self._retry_after, self._start = 0, "", b""
        self._read, self._ending = 0, False

    def _bound(self) -> None:
        """Hold an answer that is not whole yet to what may be read of it."""
        if self._read > (_BODY_BYTES if self._status else _HEAD_BYTES):
            self._break(ConnectionError("the answer is too long"))
        elif self._status and not self._ending:
            self._ending = True
            self._end_at(min(self._deadline, self._loop.time() + _BODY_SECONDS))

    def _break(self, error: Exception) -> None:
        """Nothing more is read of the answer. What its status says counts, where that is known."""
        if self._status:
            self._finish(keep=False)
            return
        answer, self._answer = self._answer, None
        if answer and not answer.done():
            answer.set_exception(error)
        self.abort()

    def _finish(self, *, keep: bool) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer.done():  # whoever waited was cancelled
            self.abort()
            return
        answer.set_result(Answer(self._status, self._retry_after, self._start))
        # What is still to be sent would come between this request and the next.
        if keep and not self._transport.get_write_buffer_size():
            self._end_at(self._loop.time() + IDLE_SECONDS)
            self._free(self)
        else:
            self.abort()

    def _end_at(self, moment: float) -> None:
        """Let nothing last longer than until `moment`. One timer serves many requests, which it mostly finds ended."""
        self._deadline = moment
        if self._timer and self._wakes <= moment:
            return
        if self._timer:
            self._timer.cancel()
        self._wakes, self._timer = moment, self._loop.call_at(moment, self._look)

    def _look(self) -> None:
        self._timer = None
        # Loops count in milliseconds.
        if self._deadline - self._loop.time() > 0.001:
            self._end_at(self._deadline)
        elif self._answer:
            self._break(TimeoutError("no answer in time"))
        else:
            self.abort()
