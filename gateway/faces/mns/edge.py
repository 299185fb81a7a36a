"""The edge of the MNS face: every answer mirrors the request's X-Correlation-ID and has an id of its own."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping

from starlette.types import Scope

from gateway.errors import Refusal

CORRELATION = "X-Correlation-ID"
_CORRELATION = CORRELATION.lower().encode()


class Correlation:
    """The headers that every answer of MNS has (OpenAPI description of MNS; its proxy's x-amzn-RequestId)."""

    def __init__(self) -> None:
        # Random once and counted from there: asking the system for each took longer than all the rest here.
        self._process, self._requests = secrets.token_hex(8).encode(), itertools.count()

    def __call__(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        marks = [(b"x-amzn-requestid", b"%s%016x" % (self._process, next(self._requests)))]
        given = dict(scope["headers"]).get(_CORRELATION)
        if given is not None:
            marks.append((_CORRELATION, given))
        return marks


def require_correlation(headers: Mapping[str, str]) -> None:
    """Check that the request says what it belongs to.

    Raises:
        Refusal: MISSING_OR_INVALID_HEADER.
    """
    if not headers.get(CORRELATION.lower(), "").strip():
        raise Refusal.because("MISSING_OR_INVALID_HEADER", f"Please provide a valid {CORRELATION}", CORRELATION)
