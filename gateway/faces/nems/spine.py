"""Spine's errors: each reason's HTTP status, issue code and display, and the OperationOutcome that tells them.

The table is Spine Core's ("Error handling"), with the codes of Spine-ErrorOrWarningCode-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import Issue
from gateway.faces.accept import answer_syntax
from gateway.fhir.json import render_json
from gateway.fhir.outcome import Coding, OutcomeIssue, outcome
from gateway.fhir.tables import load
from gateway.fhir.xml import render_xml

PROFILE = "https://fhir.nhs.uk/STU3/StructureDefinition/Spine-OperationOutcome-1"
SYSTEM = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1"
MEDIA_TYPES = {"xml": "application/fhir+xml;charset=utf-8", "json": "application/fhir+json;charset=utf-8"}
STU3 = load("STU3")


@dataclass(frozen=True, slots=True)
class Code:
    """What Spine says for a reason: the HTTP status, the issue code, the display; its own name for it, where that is
    another; and how severe it is.
    """

    status: int
    issue: str
    display: str
    name: str = ""
    severity: Literal["fatal", "error"] = "error"


CODES = {
    "INVALID_NHS_NUMBER": Code(400, "value", "NHS number invalid"),
    "INVALID_REQUEST_MESSAGE": Code(400, "value", "Invalid Request Message"),
    "INVALID_PATIENT_DEMOGRAPHICS": Code(400, "business-rule", "Invalid patient demographics"),
    "INVALID_IDENTIFIER_SYSTEM": Code(400, "value", "Invalid identifier system"),
    "INVALID_IDENTIFIER_VALUE": Code(400, "value", "Invalid identifier value"),
    "INVALID_ELEMENT": Code(400, "value", "Invalid element"),
    "INVALID_CODE_SYSTEM": Code(400, "code-invalid", "Invalid code system"),
    "INVALID_CODE_VALUE": Code(400, "code-invalid", "Invalid code value"),
    "MISSING_OR_INVALID_HEADER": Code(400, "invalid", "There is a required header missing or invalid"),
    "REQUEST_UNMATCHED": Code(400, "invalid", "Request does not match authorisation token"),
    "BAD_REQUEST": Code(400, "invalid", "Bad Request"),
    "MESSAGE_NOT_WELL_FORMED": Code(400, "structure", "Message not well formed"),
    "AUTHOR_CREDENTIALS_ERROR": Code(401, "forbidden", "Author credentials error", severity="fatal"),
    "NO_PATIENT_CONSENT": Code(403, "forbidden", "Patient has not provided consent to share data"),
    "NO_ORGANISATION_CONSENT": Code(403, "forbidden", "Organisation has not provided consent to share data"),
    "ACCESS_DENIED": Code(403, "forbidden", "Access has been denied to process this request"),
    "ACCESS_DENIED_SSL": Code(403, "forbidden", "SSL Protocol or Cipher requirements not met"),
    "ASID_CHECK_FAILED": Code(
        403,
        "forbidden",
        "The sender or receiver’s ASID is not authorised for this interaction",  # noqa: RUF001  # Spine's own apostrophe
    ),
    "NO_RECORD_FOUND": Code(404, "not-found", "No record found"),
    "ORGANISATION_NOT_FOUND": Code(404, "not-found", "Organisation record not found"),
    "PATIENT_NOT_FOUND": Code(404, "not-found", "Patient record not found"),
    "PRACTITIONER_NOT_FOUND": Code(404, "not-found", "Practitioner record not found"),
    "MSG_RESOURCE_ID_FAIL": Code(405, "forbidden", "Client is not permitted to assign an id"),
    "TOO_LARGE": Code(413, "too-long", "Invalid Request Message", "INVALID_REQUEST_MESSAGE"),
    "UNSUPPORTED_MEDIA_TYPE": Code(415, "invalid", "Unsupported Media Type"),
    "INVALID_RESOURCE": Code(422, "invalid", "Invalid validation of resource"),
    "INVALID_PARAMETER": Code(422, "invalid", "Invalid parameter"),
    "REFERENCE_NOT_FOUND": Code(422, "invalid", "Referenced resource not found."),
    "DUPLICATE_REJECTED": Code(422, "duplicate", "Create would lead to creation of a duplicate resource."),
    "DEPRECATED": Code(202, "informational", "The operation being performed has been deprecated"),
    "NO_LONGER_SUPPORTED": Code(422, "not-supported", "Event message type is no longer supported", severity="fatal"),
    "WITHDRAWN": Code(422, "not-supported", "Event message type has been withdrawn", severity="fatal"),
    "INTERNAL_SERVER_ERROR": Code(500, "exception", "Unexpected internal server error."),
    "NOT_IMPLEMENTED": Code(501, "not-supported", "FHIR resource or operation not implemented at server"),
    "UNAVAILABLE": Code(503, "transient", "Unexpected internal server error.", "INTERNAL_SERVER_ERROR"),
}
# A mapping module names a reason of its own only if this table has none that fits.
_OTHER = Code(422, "invalid", "Invalid validation of resource", "INVALID_RESOURCE")


def refusal_response(request: Request, issues: Sequence[Issue], headers: dict[str, str]) -> Response:
    """The issues as an OperationOutcome, in the syntax that the request asks for; XML by default.

    The status is that of the first issue.
    """
    status = CODES.get(issues[0].reason, _OTHER).status
    return fhir_response(request, operation_outcome(issues), status, headers)


def fhir_response(
    request: Request, resource: dict[str, Any], status: int, headers: dict[str, str] | None = None
) -> Response:
    """`resource` in the syntax that the request asks for."""
    syntax = answer_syntax(request, "xml")
    body = render_xml(resource, STU3) if syntax == "xml" else render_json(resource)
    return Response(body, status, headers, MEDIA_TYPES[syntax])


def operation_outcome(issues: Sequence[Issue]) -> dict[str, Any]:
    """The issues as a Spine-OperationOutcome-1, which forbids `expression`: the place stands before the words."""
    return outcome([_issue(issue) for issue in issues], profile=PROFILE)


def _issue(issue: Issue) -> OutcomeIssue:
    code = CODES.get(issue.reason, _OTHER)
    name = code.name or (issue.reason if issue.reason in CODES else "INVALID_RESOURCE")
    return OutcomeIssue(
        severity=code.severity if issue.severity == "error" else issue.severity,
        code=code.issue,
        coding=Coding(SYSTEM, name, code.display),
        diagnostics=f"{issue.location}: {issue.text}" if issue.location else issue.text,
    )
