"""The edge of the MNS face: every answer mirrors the request's X-Correlation-ID and has an id of its own."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import Refusal

CORRELATION = "X-Correlation-ID"
_CORRELATION = CORRELATION.lower()


class Correlated:
    """`app`, each answer of which has the headers that MNS gives (OpenAPI description of MNS; its proxy's
    x-amzn-RequestId).
    """

    __slots__ = ("_app", "_process", "_requests")

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # Random once and counted from there: asking the system for each took longer than all the rest here.
        self._process, self._requests = secrets.token_hex(8).encode(), itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = [(b"x-amzn-requestid", b"%s%016x" % (self._process, next(self._requests)))]
        own += [(name, value) for name, value in scope["headers"] if name == b"x-correlation-id"][:1]

        async def correlated(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *own]
            await send(message)

        await self._app(scope, receive, correlated)


def require_correlation(headers: Mapping[str, str]) -> None:
    """Check that the request says what it belongs to.

    Raises:
        Refusal: MISSING_OR_INVALID_HEADER.
    """
    if not headers.get(_CORRELATION, "").strip():
        raise Refusal.because("MISSING_OR_INVALID_HEADER", f"Please provide a valid {CORRELATION}", CORRELATION)
