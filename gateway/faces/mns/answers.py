"""The answers of MNS, as its OpenAPI description has them: none is an OperationOutcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import Issue
from gateway.faces.http import RawResponse

NOT_AUTHORISED: Final = "User is not authorized to handle the requested event type"
NO_RIGHTS: Final = "Unauthorised"
_MEDIA_TYPE: Final = "application/json"
_encode = msgspec.json.Encoder().encode

# What the API platform before MNS says of tokens and quotas: HTTP status, words, code.
FAULTS: Final = {
    "TOKEN_MISSING": (401, "Missing access token", "oauth.v2.MissingAccessToken"),
    "TOKEN_INVALID": (401, "Invalid access token", "oauth.v2.InvalidAccessToken"),
    "TOKEN_EXPIRED": (401, "Access Token expired", "keymanagement.service.access_token_expired"),
    "QUOTA_EXCEEDED": (429, "Rate limit quota violation. Quota limit exceeded.", "policies.ratelimit.QuotaViolation"),
}
# HTTP status, and the words where the issue's own are not the ones that MNS uses.
ERRORS: Final = {
    "ACCESS_DENIED": (403, ""),
    "BAD_REQUEST": (400, ""),
    "DUPLICATE_REJECTED": (409, ""),
    "INTERNAL_SERVER_ERROR": (500, "Internal server error"),
    "METHOD_NOT_ALLOWED": (405, ""),
    "NO_RECORD_FOUND": (404, "Not found"),
    "NOT_ACCEPTABLE": (406, ""),
    "TOO_LARGE": (413, ""),
    "UNAVAILABLE": (503, "Service unavailable"),
    "UNSUPPORTED_MEDIA_TYPE": (415, ""),
}


def answer(value: object, status: int = 200, media_type: str = _MEDIA_TYPE) -> Response:
    """`value` as JSON."""
    return RawResponse(_encode(value), status, (b"content-type", media_type.encode()))


def refusal_response(_: Request, issues: Sequence[Issue], headers: dict[str, str]) -> Response:
    """The issues in the form that MNS has for the first; validation errors are told together, each at its key."""
    status, body = _refusal(issues)
    return Response(_encode(body), status, headers, _MEDIA_TYPE)


def _refusal(issues: Sequence[Issue]) -> tuple[int, dict[str, Any]]:
    first = issues[0]
    if fault := FAULTS.get(first.reason):
        status, words, code = fault
        return status, {"fault": {"faultstring": words, "detail": {"errorcode": code}}}
    if error := ERRORS.get(first.reason):
        return error[0], {"errors": error[1] or first.text}
    return 400, {"validationErrors": {_key(issue): issue.text for issue in reversed(issues)}}


def _key(issue: Issue) -> str:
    """The attribute's name, without the type that a mapping module writes before it; `body` for what is none."""
    root, dot, rest = issue.location.partition(".")
    name = rest if dot and root in {"CloudEvent", "Event"} else issue.location
    return "body" if not name or issue.reason == "MESSAGE_NOT_WELL_FORMED" else name
