"""The token endpoint: `POST /oauth2/token` (RFC 6749, section 4.4, with RFC 7523 for who is asking)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway import metrics
from gateway.clock import now_ms
from gateway.errors import Issue, Refusal, Throttled
from gateway.faces.http import media_type, read_body
from gateway.faces.oauth.assertion import AssertionRefused, Assertions
from gateway.faces.oauth.quota import Quota
from gateway.faces.oauth.tokens import SECONDS, Tokens

log = structlog.get_logger()
PATH: Final = "/oauth2/token"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MAX_BYTES: Final = 16_384
# No store of a proxy or browser may keep a token (RFC 6749, section 5.1).
_HEADERS: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class TokenEndpoint:
    """Gives out access tokens; `quota` bounds how many each application may ask for."""

    def __init__(self, assertions: Assertions, tokens: Tokens, quota: Quota) -> None:
        self._assertions, self._tokens, self._quota = assertions, tokens, quota

    async def __call__(self, request: Request) -> Response:
        """200 with a token; 400 or 401 with the error codes of RFC 6749, section 5.2."""
        try:
            return await self._token(request)
        except AssertionRefused as refused:
            log.info("token", outcome="refused", why=str(refused))
            metrics.received("oauth", refused.error)
            return _error(refused.error, str(refused), 401 if refused.error == "invalid_client" else 400)
        except Refusal as refusal:
            return _error("invalid_request", refusal.issues[0].text, 400)
        except Throttled as throttled:
            answer = _error("temporarily_unavailable", "Too many requests; try again later", 429)
            answer.headers["Retry-After"] = str(throttled.retry_after_seconds)
            return answer

    async def _token(self, request: Request) -> Response:
        form = await _form(request)
        _require(form, "grant_type", "client_credentials", "unsupported_grant_type")
        _require(form, "client_assertion_type", ASSERTION_TYPE, "invalid_request")
        if not form.get("client_assertion"):
            raise AssertionRefused("Missing client_assertion")
        now = now_ms()
        application = await self._assertions.application(form["client_assertion"], now)
        self._quota.take(application)
        token = self._tokens.issue(application.id, now)
        log.info("token", outcome="issued", application=application.id)
        metrics.received("oauth", "issued")
        # As the NHS API platform does, which tells the seconds as text and leaves some for the way.
        answer = {
            "access_token": token, "expires_in": str(SECONDS - 1), "token_type": "Bearer", "issued_at": str(now),
        }  # fmt: skip
        return JSONResponse(answer, headers=_HEADERS)


async def _form(request: Request) -> dict[str, str]:
    if media_type(request.headers.get("content-type", "")) != "application/x-www-form-urlencoded":
        raise AssertionRefused("Content-Type must be application/x-www-form-urlencoded")
    body = await read_body(request, _MAX_BYTES)
    try:
        pairs = parse_qsl(body.decode("ascii"), max_num_fields=20)
    except (UnicodeDecodeError, ValueError):
        raise AssertionRefused("The body is not a form") from None
    if len(dict(pairs)) != len(pairs):
        raise AssertionRefused("A parameter is there twice")
    return dict(pairs)


def _require(form: dict[str, str], name: str, value: str, error: str) -> None:
    if form.get(name) != value:
        wrong = f"{name} is missing or invalid - must be '{value}'"
        raise AssertionRefused(wrong, error if name in form else "invalid_request")


def refusal_response(_: Request, issues: Sequence[Issue], headers: dict[str, str]) -> Response:
    """What went wrong on our side, in the form of RFC 6749."""
    busy = issues[0].reason == "UNAVAILABLE"
    answer = _error("temporarily_unavailable" if busy else "server_error", issues[0].text, 503 if busy else 500)
    answer.headers.update(headers)
    return answer


def _error(code: str, text: str, status: int) -> JSONResponse:
    return JSONResponse({"error": code, "error_description": text}, status, headers=_HEADERS)
