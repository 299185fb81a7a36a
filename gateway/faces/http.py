"""What the faces share of HTTP: bodies within a limit, and FHIR's media types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Scope

from gateway.clock import instant_ms, now_ms
from gateway.errors import Refusal
from gateway.subscriptions.subscription import Subscription

Syntax = Literal["xml", "json"]

SYNTAXES: dict[str, Syntax] = {
    "application/fhir+xml": "xml",
    "application/xml+fhir": "xml",
    "application/xml": "xml",
    "text/xml": "xml",
    "xml": "xml",
    "application/fhir+json": "json",
    "application/json+fhir": "json",
    "application/json": "json",
    "json": "json",
}
_DRAINED = 8
"""How many times the limit is read on and thrown away, so that a sender in the middle of its body hears the answer."""


class WholeRequest(Request):
    """A request whose body is there: nothing is left to receive."""

    def __init__(self, scope: Scope, whole: bytes) -> None:
        HTTPConnection.__init__(self, scope)
        self.whole = whole
        self._once = _Headers(scope["headers"])

    @property
    def headers(self) -> _Headers:  # type: ignore[override]
        """The headers, to be asked for in lower case."""
        return self._once


class _Headers(dict[str, str]):
    """Headers, the first of each, read once: Starlette reads all of them for each that is asked for."""

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        super().__init__({name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(raw)})
        self._raw = raw

    def getlist(self, name: str) -> list[str]:
        """All of that name."""
        return [value.decode("latin-1") for known, value in self._raw if known.decode("latin-1") == name.lower()]


class RawResponse(Response):
    """A response whose headers, but for its length, are bytes already: Starlette writes and looks for each anew."""

    def __init__(self, body: bytes, status: int, *headers: tuple[bytes, bytes]) -> None:
        self.status_code, self.body, self.background = status, body, None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), *headers]


def media_type(header: str) -> str:
    """The media type of a Content-Type, in lower case and without parameters."""
    return header.partition(";")[0].strip().lower()


def content_syntax(request: Request, default: Syntax) -> Syntax:
    """The syntax that Content-Type names.

    Raises:
        Refusal: UNSUPPORTED_MEDIA_TYPE.
    """
    require_plain(request.headers)
    header = request.headers.get("content-type")
    if not header:
        return default
    named = media_type(header)
    if named not in SYNTAXES:
        raise Refusal.because(
            "UNSUPPORTED_MEDIA_TYPE", "must be application/fhir+xml or application/fhir+json", "Content-Type"
        )
    return SYNTAXES[named]


def require_plain(headers: Mapping[str, str]) -> None:
    """Check that the body comes as it is; `headers` are found in lower case.

    Raises:
        Refusal: UNSUPPORTED_MEDIA_TYPE; it is compressed.
    """
    if headers.get("content-encoding", "identity") != "identity":
        raise Refusal.because("UNSUPPORTED_MEDIA_TYPE", "the body must not be compressed", "Content-Encoding")


def has_body(request: Request) -> bool:
    """Whether a request says that it has a body."""
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def body_size(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """How long a body is by its head; None when that does not say."""
    named = dict(headers)
    return None if b"transfer-encoding" in named else int(named.get(b"content-length", b"0"))


async def read_body(request: Request, limit: int) -> bytes:
    """The body.

    Raises:
        Refusal: it is empty, or larger than `limit` bytes.
    """
    body = request.whole if isinstance(request, WholeRequest) else await _read(request, limit)
    if len(body) > limit:
        raise _too_large(limit)
    if not body:
        raise Refusal.because("INVALID_REQUEST_MESSAGE", "the body is empty")
    return body


async def _read(request: Request, limit: int) -> bytes:
    if (body_size(request.scope["headers"]) or 0) > limit * _DRAINED:
        raise _too_large(limit)
    chunks, size, more = [], 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        elif size > limit * _DRAINED:
            break
    if size > limit:
        raise _too_large(limit)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def end_ms(subscription: dict[str, Any]) -> int | None:
    """When a Subscription ends (epoch milliseconds); None for never.

    Raises:
        Refusal: `end` is not an instant, or has passed.
    """
    if "end" not in subscription:
        return None
    try:
        end = instant_ms(subscription["end"])
    except ValueError:
        end = 0
    if end <= now_ms():
        raise Refusal.because("INVALID_RESOURCE", "must be an instant that is still to come", "Subscription.end")
    return end


def status(subscription: Subscription) -> str:
    """The status that its owner is told."""
    return subscription.status(now_ms())


def _too_large(limit: int) -> Refusal:
    return Refusal.because("TOO_LARGE", f"the body is larger than {limit} bytes")
