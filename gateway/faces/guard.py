"""The edge of a face: whatever a handler raises becomes an answer in the face's own form, and nothing else gets out."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway import metrics
from gateway.errors import Issue, Refusal, Throttled, Unavailable, WrongVerb
from gateway.events import Face

log = structlog.get_logger()
Handler = Callable[[Request], Awaitable[Response]]
Refuse = Callable[[Request, Sequence[Issue], dict[str, str]], Response]
Mark = Callable[[Request], Iterable[tuple[bytes, bytes]]]
# What goes with an answer 401 (RFC 6750, section 3), by the reason.
_CHALLENGES: Final[Mapping[str, str]] = {
    "TOKEN_MISSING": "Bearer",
    "TOKEN_INVALID": 'Bearer error="invalid_token"',
    "TOKEN_EXPIRED": 'Bearer error="invalid_token"',
}
_NOT_ALLOWED: Final = Issue("METHOD_NOT_ALLOWED", "", "Method not allowed")


class Guard:
    """Guards the handlers of one face; `refuse` writes issues in the face's form, and `mark` gives what headers each
    answer has besides its own.
    """

    def __init__(self, face: Face | Literal["oauth"], refuse: Refuse, mark: Mark | None = None) -> None:
        self._face, self._refuse, self.mark = face, refuse, mark

    def __call__(self, action: str, handler: Handler) -> Guarded:
        """`handler`, guarded; `action` is its name in the log."""
        return Guarded(self, action, handler)

    def answer(self, action: str, request: Request, error: Exception) -> Response:
        """The answer to a request whose handler raised `error`."""
        if isinstance(error, Refusal):
            reason = error.issues[0].reason
            log.info(action, face=self._face, outcome="refused", reason=reason, issues=len(error.issues))
            metrics.received(self._face, reason)
            challenge = _CHALLENGES.get(reason)
            return self._refuse(request, error.issues, {"WWW-Authenticate": challenge} if challenge else {})
        if isinstance(error, WrongVerb):
            log.info(action, face=self._face, outcome="refused", reason="METHOD_NOT_ALLOWED", issues=1)
            metrics.received(self._face, "METHOD_NOT_ALLOWED")
            return self._refuse(request, [_NOT_ALLOWED], {"Allow": str(error)})
        if isinstance(error, Throttled):
            log.info(action, face=self._face, outcome="throttled")
            metrics.received(self._face, "throttled")
            issue = Issue("QUOTA_EXCEEDED", "", "The quota of requests is used up; try again later")
            return self._refuse(request, [issue], {"Retry-After": str(error.retry_after_seconds)})
        if isinstance(error, Unavailable):
            log.warning(action, face=self._face, outcome="unavailable", why=str(error))
            metrics.received(self._face, "unavailable")
            issue = Issue("UNAVAILABLE", "", "The gateway is busy; try again later")
            return self._refuse(request, [issue], {"Retry-After": str(error.retry_after_seconds)})
        # Neither the error's text nor its traceback is logged: they may hold what the message held.
        log.error(action, face=self._face, outcome="failed", error=type(error).__name__, at=place_of(error))
        metrics.received(self._face, "failed")
        return self._refuse(request, [Issue("INTERNAL_SERVER_ERROR", "", "Unexpected internal server error.")], {})


class Guarded:
    """A handler that is guarded: an ASGI application."""

    __slots__ = ("_action", "_guard", "_handler")

    def __init__(self, guard: Guard, action: str, handler: Handler) -> None:
        self._guard, self._action, self._handler = guard, action, handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(ClientDisconnect):
            response = await self.respond(Request(scope, receive))
            await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """The answer.

        Raises:
            ClientDisconnect: nobody waits for it any more.
        """
        try:
            response = await self._handler(request)
        except ClientDisconnect:
            raise
        except Exception as error:
            response = self._guard.answer(self._action, request, error)
        if self._guard.mark:
            response.raw_headers += self._guard.mark(request)
        return response


def wrong_verb(*allowed: str) -> Handler:
    """The handler of a place for the verbs that it does not have."""

    async def refuse(_: Request) -> Response:
        raise WrongVerb(allowed)

    return refuse


def place_of(error: Exception) -> str:
    """The module and line that raised `error`."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else ""
