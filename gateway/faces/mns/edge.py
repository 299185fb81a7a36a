"""The edge of the MNS face: every answer mirrors the request's X-Correlation-ID and has an id of its own."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping

from starlette.requests import Request

from gateway.errors import Refusal

CORRELATION = "X-Correlation-ID"
_NAME = CORRELATION.lower()
_NAME_BYTES = _NAME.encode()


class Correlation:
    """The headers that every answer of MNS has (OpenAPI description of MNS; its proxy's x-amzn-RequestId)."""

    def __init__(self) -> None:
        # Random once and counted from there: asking the system for each took longer than all the rest here.
        self._process, self._requests = secrets.token_hex(8).encode(), itertools.count()

    def __call__(self, request: Request) -> list[tuple[bytes, bytes]]:
        marks = [(b"x-amzn-requestid", b"%s%016x" % (self._process, next(self._requests)))]
        given = request.headers.get(_NAME)
        if given is not None:
            marks.append((_NAME_BYTES, given.encode("latin-1")))
        return marks


def require_correlation(headers: Mapping[str, str]) -> None:
    """Check that the request says what it belongs to.

    Raises:
        Refusal: MISSING_OR_INVALID_HEADER.
    """
    if not headers.get(_NAME, "").strip():
        raise Refusal.because("MISSING_OR_INVALID_HEADER", f"Please provide a valid {CORRELATION}", CORRELATION)
