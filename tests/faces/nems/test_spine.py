"""Spine Core, "Error handling": the status, issue code and display of every code."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from gateway.errors import Issue
from gateway.faces.nems.spine import CODES, PROFILE, STU3, SYSTEM, refusal_response
from gateway.fhir.json import parse_json
from gateway.fhir.validate import validate
from gateway.fhir.xml import parse_xml

# The table of the page, and of the codes that NEMS has besides the displays of Spine-ErrorOrWarningCode-1.
TABLE = {
    "INVALID_NHS_NUMBER": (400, "error", "value", "NHS number invalid"),
    "INVALID_PATIENT_DEMOGRAPHICS": (400, "error", "business-rule", "Invalid patient demographics"),
    "ORGANISATION_NOT_FOUND": (404, "error", "not-found", "Organisation record not found"),
    "PATIENT_NOT_FOUND": (404, "error", "not-found", "Patient record not found"),
    "PRACTITIONER_NOT_FOUND": (404, "error", "not-found", "Practitioner record not found"),
    "NO_RECORD_FOUND": (404, "error", "not-found", "No record found"),
    "REQUEST_UNMATCHED": (400, "error", "invalid", "Request does not match authorisation token"),
    "NO_PATIENT_CONSENT": (403, "error", "forbidden", "Patient has not provided consent to share data"),
    "NO_ORGANISATION_CONSENT": (403, "error", "forbidden", "Organisation has not provided consent to share data"),
    "ACCESS_DENIED": (403, "error", "forbidden", "Access has been denied to process this request"),
    "ACCESS_DENIED_SSL": (403, "error", "forbidden", "SSL Protocol or Cipher requirements not met"),
    "ASID_CHECK_FAILED": (
        403, "error", "forbidden", "The sender or receiver\u2019s ASID is not authorised for this interaction",
    ),
    "AUTHOR_CREDENTIALS_ERROR": (401, "fatal", "forbidden", "Author credentials error"),
    "INVALID_REQUEST_MESSAGE": (400, "error", "value", "Invalid Request Message"),
    "INVALID_IDENTIFIER_SYSTEM": (400, "error", "value", "Invalid identifier system"),
    "INVALID_IDENTIFIER_VALUE": (400, "error", "value", "Invalid identifier value"),
    "INVALID_ELEMENT": (400, "error", "value", "Invalid element"),
    "INVALID_CODE_SYSTEM": (400, "error", "code-invalid", "Invalid code system"),
    "INVALID_CODE_VALUE": (400, "error", "code-invalid", "Invalid code value"),
    "INVALID_RESOURCE": (422, "error", "invalid", "Invalid validation of resource"),
    "INVALID_PARAMETER": (422, "error", "invalid", "Invalid parameter"),
    "REFERENCE_NOT_FOUND": (422, "error", "invalid", "Referenced resource not found."),
    "DUPLICATE_REJECTED": (422, "error", "duplicate", "Create would lead to creation of a duplicate resource."),
    "MSG_RESOURCE_ID_FAIL": (405, "error", "forbidden", "Client is not permitted to assign an id"),
    "BAD_REQUEST": (400, "error", "invalid", "Bad Request"),
    "MISSING_OR_INVALID_HEADER": (400, "error", "invalid", "There is a required header missing or invalid"),
    "MESSAGE_NOT_WELL_FORMED": (400, "error", "structure", "Message not well formed"),
    "NOT_IMPLEMENTED": (501, "error", "not-supported", "FHIR resource or operation not implemented at server"),
    "INTERNAL_SERVER_ERROR": (500, "error", "exception", "Unexpected internal server error."),
    "UNSUPPORTED_MEDIA_TYPE": (415, "error", "invalid", "Unsupported Media Type"),
    "NO_LONGER_SUPPORTED": (422, "fatal", "not-supported", "Event message type is no longer supported"),
    "WITHDRAWN": (422, "fatal", "not-supported", "Event message type has been withdrawn"),
    "DEPRECATED": (202, "error", "informational", "The operation being performed has been deprecated"),
}  # fmt: skip
# Reasons of ours, for which Spine has a code of another name.
OURS = {"TOO_LARGE": "INVALID_REQUEST_MESSAGE", "UNAVAILABLE": "INTERNAL_SERVER_ERROR"}


def answer(accept: str, *issues: Issue) -> tuple[int, dict[str, Any]]:
    """The status and the OperationOutcome for issues."""
    scope = {"type": "http", "query_string": b"", "headers": [(b"accept", accept.encode())]}
    response = refusal_response(Request(scope), issues, {})
    assert response.headers["content-type"] == f"{accept};charset=utf-8"
    parse = parse_xml if accept.endswith("xml") else parse_json
    return response.status_code, parse(bytes(response.body), STU3).resource


@pytest.mark.rule("nems-error-codes", "nems-outcome", "nems-outcome-form")
@pytest.mark.parametrize("accept", ["application/fhir+xml", "application/fhir+json"])
@pytest.mark.parametrize("reason", TABLE)
def test_a_code_is_told_as_spine_tells_it(reason: str, accept: str) -> None:
    status, severity, code, display = TABLE[reason]
    found, outcome = answer(accept, Issue(reason, "Bundle.entry[0]", "is wrong"))
    assert found == status
    assert outcome == {
        "resourceType": "OperationOutcome",
        "meta": {"profile": [PROFILE]},
        "issue": [
            {
                "severity": severity,
                "code": code,
                "details": {"coding": [{"system": SYSTEM, "code": reason, "display": display}]},
                "diagnostics": "Bundle.entry[0]: is wrong",
            }
        ],
    }
    assert validate(outcome, STU3) == []


def test_every_reason_is_in_the_table() -> None:
    assert CODES.keys() == TABLE.keys() | OURS.keys()


@pytest.mark.parametrize("reason", OURS)
def test_a_reason_of_ours_has_a_code_of_spines(reason: str) -> None:
    _, outcome = answer("application/fhir+json", Issue(reason, "", "x"))
    assert outcome["issue"][0]["details"]["coding"][0]["code"] == OURS[reason]


def test_the_first_of_several_issues_gives_the_status() -> None:
    issues = [Issue("INVALID_NHS_NUMBER", "", "x"), Issue("INVALID_RESOURCE", "", "y", "warning")]
    status, outcome = answer("application/fhir+json", *issues)
    assert status == 400
    assert [issue["severity"] for issue in outcome["issue"]] == ["error", "warning"]
