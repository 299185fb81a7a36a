from __future__ import annotations

import pytest

from gateway.upstream.outcome import told

NAMESPACE = ' xmlns="http://hl7.org/fhir"'
ISSUE = """<OperationOutcome{}><issue><severity value="error"/><code value="invalid"/><details><coding>
<system value="https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1"/><code value="INVALID_NHS_NUMBER"/>
<display value="Invalid NHS number"/></coding></details><diagnostics value="{}"/></issue></OperationOutcome>"""
JSON = b"""{"resourceType": "OperationOutcome", "issue": [{"details": {"coding": [{"code": "ACCESS_DENIED",
"display": "Access has been denied"}]}}, {"diagnostics": "and more"}, 7, {"details": 8}]}"""


@pytest.mark.parametrize("namespace", [NAMESPACE, ""], ids=["FHIR", "no namespace"])
def test_codes_and_words_are_told_and_no_number_of_a_patient(namespace: str) -> None:
    body = ISSUE.format(namespace, "The NHS number does not conform: 9464250569, 946 425 0569.").encode()
    said = told(body)
    assert said == "INVALID_NHS_NUMBER: Invalid NHS number: The NHS number does not conform: [number], [number]"


def test_the_id_of_a_subscription_that_is_there_is_told() -> None:
    body = ISSUE.format(NAMESPACE, "subscription already exists : 8965851501ce40bdb85841f84b726d93").encode()
    assert told(body).endswith("subscription already exists : 8965851501ce40bdb85841f84b726d93")


def test_json_is_read_too() -> None:
    assert told(JSON) == "ACCESS_DENIED: Access has been denied; and more"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html><body>Bad Gateway</body></html>", b"<html><br></html>", b"{", b"[]", b'{"resourceType": "Patient"}',
        b'{"resourceType": "OperationOutcome", "issue": {}}', b"<!DOCTYPE x><OperationOutcome/>", b"\xff\xfe",
    ],
)  # fmt: skip
def test_what_is_no_outcome_says_nothing(body: bytes) -> None:
    assert told(body) == ""


def test_what_is_told_is_one_line_of_bounded_length() -> None:
    said = told(ISSUE.format(NAMESPACE, "one&#10;two " + "x" * 1000).encode())
    assert "one two x" in said
    assert len(said) == 500
