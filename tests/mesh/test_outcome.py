"""The table of outcomes, by answer and by exception. test_mailbox.py meets the same over HTTP."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
)

from mesh.outcome import Outcome, Result, from_error, from_response

POOL = urllib3.HTTPConnectionPool("mesh.example")


def answer(status: int, body: object = None, **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = b"<html/>" if body is None else json.dumps(body).encode()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


@pytest.mark.parametrize("body", [{"message_id": "M1"}, {"messageID": "M1"}], ids=["v2", "v1"])
@pytest.mark.parametrize("status", [200, 202])
def test_an_answer_with_a_message_id_is_accepted(status: int, body: object) -> None:
    assert from_response(answer(status, body)) == Outcome(Result.ACCEPTED, "M1", status)


@pytest.mark.parametrize("body", [None, {}, [], "M1", {"message_id": ""}])
def test_success_without_a_message_id_is_unknown(body: object) -> None:
    assert from_response(answer(202, body)).result is Result.UNKNOWN


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (302, Result.UNKNOWN),
        (400, Result.REJECTED),
        (401, Result.AUTH),
        (403, Result.AUTH),
        (404, Result.REJECTED),
        (407, Result.AUTH),
        (408, Result.UNKNOWN),
        (413, Result.REJECTED),
        (417, Result.REJECTED),
        (425, Result.THROTTLED),
        (429, Result.THROTTLED),
        (500, Result.UNKNOWN),
        (501, Result.UNKNOWN),
        (502, Result.UNKNOWN),
        (503, Result.UNKNOWN),
        (504, Result.UNKNOWN),
    ],
)
def test_an_answer_is_sorted_by_its_status(status: int, result: Result) -> None:
    assert from_response(answer(status)) == Outcome(result, status=status)
    assert from_response(answer(status, {"message_id": "M1"})).message_id == ""


def test_the_code_and_words_of_mesh_are_kept() -> None:
    body = {"message_id": None, "detail": [{"event": "SEND", "code": "12", "msg": "Unregistered to address"}]}
    assert from_response(answer(417, body)) == Outcome(Result.REJECTED, "", 417, "12", "Unregistered to address")


def test_a_validation_error_has_words_but_no_code_and_never_the_value() -> None:
    body = {"detail": [{"type": "string_too_long", "loc": ["header"], "msg": "too long", "input": "canary"}]}
    assert from_response(answer(400, body)) == Outcome(Result.REJECTED, "", 400, "", "too long")


@pytest.mark.parametrize("detail", ["Not Found", [], ["text"], None, {"msg": 1}])
def test_a_detail_in_another_form_is_no_harm(detail: object) -> None:
    assert from_response(answer(400, {"detail": detail})) == Outcome(Result.REJECTED, status=400)


def test_retry_after_is_read_in_seconds() -> None:
    assert from_response(answer(429, Retry_After="7")).retry_after_seconds == 7


def test_retry_after_is_read_as_a_date() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    seconds = from_response(answer(503, Retry_After=at)).retry_after_seconds
    assert seconds is not None
    assert 50 < seconds <= 60


def test_a_retry_after_that_has_passed_is_now() -> None:
    assert from_response(answer(503, Retry_After="Fri, 21 Nov 2025 10:00:00 GMT")).retry_after_seconds == 0


@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "\N{SUPERSCRIPT TWO}"])
def test_a_retry_after_that_says_nothing_is_left_out(value: str) -> None:
    assert from_response(answer(429, Retry_After=value)).retry_after_seconds is None


def wrapped(reason: Exception) -> requests.ConnectionError:
    """What requests raises for a failure to connect."""
    return requests.ConnectionError(MaxRetryError(POOL, "/", reason))


CONNECTION = urllib3.connection.HTTPConnection("mesh.example")


@pytest.mark.parametrize(
    "error",
    [
        wrapped(NewConnectionError(CONNECTION, "refused")),
        wrapped(NameResolutionError("mesh.example", CONNECTION, OSError("no such host"))),
        requests.ConnectTimeout(MaxRetryError(POOL, "/", ConnectTimeoutError())),
        requests.exceptions.ProxyError(MaxRetryError(POOL, "/", ProxyError("no proxy", OSError()))),
        requests.exceptions.SSLError(MaxRetryError(POOL, "/", SSLError(ssl.SSLCertVerificationError("self-signed")))),
    ],
    ids=lambda error: type(error.args[0].reason).__name__,
)
def test_what_fails_before_a_byte_is_written_is_not_sent(error: Exception) -> None:
    assert from_error(error) == Outcome(Result.NOT_SENT, reason=type(error).__name__)


@pytest.mark.parametrize(
    "error",
    [
        requests.ReadTimeout(),
        requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError())),
        requests.exceptions.ChunkedEncodingError(),
        requests.exceptions.SSLError(MaxRetryError(POOL, "/", SSLError(ssl.SSLError("bad record mac")))),
        ProtocolError("broken"),
        ValueError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_anything_else_is_unknown(error: Exception) -> None:
    assert from_error(error) == Outcome(Result.UNKNOWN, reason=type(error).__name__)


def test_an_error_that_carries_an_answer_is_sorted_by_the_answer() -> None:
    assert from_error(requests.HTTPError(response=answer(403))).result is Result.AUTH


def test_an_older_error_that_was_being_handled_does_not_count() -> None:
    lost = requests.ReadTimeout()
    lost.__context__ = NewConnectionError(CONNECTION, "refused")
    assert from_error(lost).result is Result.UNKNOWN


def test_an_error_that_wraps_itself_ends() -> None:
    error = requests.ConnectionError()
    error.args = (error,)
    assert from_error(error).result is Result.UNKNOWN
