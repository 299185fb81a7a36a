"""The errors of the R4 face: a plain R4 OperationOutcome for each reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import Issue
from gateway.fhir.json import render_json
from gateway.fhir.outcome import OutcomeIssue, outcome

MEDIA_TYPE = "application/fhir+json"

# Reason: HTTP status, issue type (FHIR R4, IssueType).
CODES = {
    "ACCESS_DENIED": (403, "forbidden"),
    "ASID_CHECK_FAILED": (403, "forbidden"),
    "DUPLICATE_REJECTED": (422, "duplicate"),
    "INTERNAL_SERVER_ERROR": (500, "exception"),
    "INVALID_REQUEST_MESSAGE": (400, "required"),
    "MESSAGE_NOT_WELL_FORMED": (400, "structure"),
    "METHOD_NOT_ALLOWED": (405, "not-supported"),
    "MISSING_OR_INVALID_HEADER": (401, "login"),
    "NO_RECORD_FOUND": (404, "not-found"),
    "NOT_ACCEPTABLE": (406, "not-supported"),
    "NOT_SUPPORTED": (422, "not-supported"),
    "QUOTA_EXCEEDED": (429, "throttled"),
    "TOKEN_EXPIRED": (401, "expired"),
    "TOKEN_INVALID": (401, "login"),
    "TOKEN_MISSING": (401, "login"),
    "TOO_LARGE": (413, "too-long"),
    "UNAVAILABLE": (503, "transient"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "not-supported"),
}
OTHER = (422, "invalid")


def refusal_response(_: Request, issues: Sequence[Issue], headers: dict[str, str]) -> Response:
    """The issues as an OperationOutcome; the status is that of the first."""
    status = CODES.get(issues[0].reason, OTHER)[0]
    return fhir_response(outcome([_issue(issue) for issue in issues]), status, headers)


def fhir_response(resource: dict[str, Any], status: int, headers: dict[str, str] | None = None) -> Response:
    """`resource` as JSON."""
    return Response(render_json(resource), status, headers, MEDIA_TYPE)


def asked_url(request: Request, url: str) -> str:
    """What was asked, as the outside writes it; `url` is that of the face."""
    query = request.url.query
    return url + request.url.path.removeprefix("/R4") + (f"?{query}" if query else "")


def _issue(issue: Issue) -> OutcomeIssue:
    expression = (issue.location,) if issue.location else ()
    return OutcomeIssue(issue.severity, CODES.get(issue.reason, OTHER)[1], None, issue.text, (), expression)
