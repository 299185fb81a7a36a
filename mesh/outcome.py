"""What became of one attempt, as a value that says what may be done next.

MESH takes a message twice if it is posted twice, even with one local id. So the line that matters runs between
attempts that certainly put nothing in a mailbox and those that may have.
"""

from __future__ import annotations

import email.utils
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import requests
import urllib3.exceptions

TRANSPORT_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError)
"""What mesh-client raises when its own retries are off; a download that breaks off raises urllib3's own errors."""


class Result(StrEnum):
    """The kinds of outcome.

    ACCEPTED   MESH has the message.
    REJECTED   MESH has refused it, or would: sending it again unchanged cannot help.
    AUTH       MESH, or a proxy, refused the mailbox itself: wrong password, shared key, certificate or clock. Stop
               using the mailbox and tell somebody; the message is as good as it was.
    THROTTLED  MESH did not take it yet; wait `retry_after_seconds`.
    NOT_SENT   Nothing reached MESH; send again when you like.
    PARTIAL    MESH has some of its chunks, so nobody can collect it; `Mailbox.resend` sends the rest.
    UNKNOWN    It may be in MESH or not. Look it up before sending again: `Mailbox.resend`.
    """

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    AUTH = "auth"
    THROTTLED = "throttled"
    NOT_SENT = "not_sent"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt.

    `message_id` is MESH's, when accepted or partial, and known. `status` is the HTTP status, 0 without an answer.
    `code` is MESH's own ("12": unregistered recipient) and `reason` its words, or the type of the exception.
    `retry_after_seconds` is what the answer asked for, without a cap.
    """

    result: Result
    message_id: str = ""
    status: int = 0
    code: str = ""
    reason: str = ""
    retry_after_seconds: float | None = None


def from_response(response: requests.Response) -> Outcome:
    """Sort an answer of MESH to a send (MESH API, POST /outbox: 202, 400, 403, 417)."""
    answer = _json(response)
    message_id = str(answer.get("message_id") or answer.get("messageID") or answer.get("messageId") or "")
    result = _result(response.status_code, message_id)
    code, reason = _detail(answer)
    return Outcome(
        result=result,
        message_id=message_id if result is Result.ACCEPTED else "",
        status=response.status_code,
        code=code,
        reason=reason,
        retry_after_seconds=_retry_after(response),
    )


def from_error(error: BaseException) -> Outcome:
    """Sort what was raised instead of an answer, or the answer it carries. UNKNOWN unless certainly never sent."""
    response = getattr(error, "response", None)
    if isinstance(response, requests.Response):
        return from_response(response)
    never_sent = any(isinstance(cause, _NEVER_SENT) for cause in _causes(error))
    return Outcome(Result.NOT_SENT if never_sent else Result.UNKNOWN, reason=type(error).__name__)


# Refused, no such host and connect timeout; a proxy that cannot be reached; a server whose certificate is not trusted.
# Other TLS errors can come after the request was written.
_NEVER_SENT = (
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ProxyError,
    ssl.SSLCertVerificationError,
)

_BY_STATUS = {
    401: Result.AUTH,
    403: Result.AUTH,
    407: Result.AUTH,
    408: Result.UNKNOWN,
    425: Result.THROTTLED,
    429: Result.THROTTLED,
}


def _result(status: int, message_id: str) -> Result:
    if status in (200, 202) and message_id:
        return Result.ACCEPTED
    return _BY_STATUS.get(status, Result.REJECTED if 400 <= status < 500 else Result.UNKNOWN)


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except (
        ValueError,
        RuntimeError,
        *TRANSPORT_ERRORS,
    ):  # not JSON; or a body that was streamed and cannot be read now
        return {}
    return answer if isinstance(answer, dict) else {}


def _detail(answer: dict[str, Any]) -> tuple[str, str]:
    detail = answer.get("detail")
    first = detail[0] if isinstance(detail, list) and detail else None
    if not isinstance(first, dict):
        return "", ""
    return str(first.get("code") or ""), str(first.get("msg") or "")[:200]


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those it wraps, without `__context__`: the caller may have been handling an older error."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [cause.__cause__, getattr(cause, "reason", None), *cause.args]
