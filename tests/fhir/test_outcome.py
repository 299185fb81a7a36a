"""OperationOutcomes that Spine and MNS could have sent."""

from __future__ import annotations

import pytest

from gateway.fhir.outcome import Coding, OutcomeIssue, outcome
from gateway.fhir.tables import Tables
from gateway.fhir.validate import validate
from gateway.fhir.xml import parse_xml, render_xml

PROFILE = "https://fhir.nhs.uk/STU3/StructureDefinition/Spine-OperationOutcome-1"
HEADER_MISSING = OutcomeIssue(
    "error",
    "invalid",
    Coding(
        "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1",
        "MISSING_OR_INVALID_HEADER",
        "There is a required header missing or invalid",
    ),
    "fromASID HTTP Header is missing",
)


def test_an_issue_says_all_that_it_was_given(stu3: Tables, r4: Tables) -> None:
    where = OutcomeIssue("warning", "value", location=("line 3",), expression=("Bundle.type", "Bundle.id"))
    resource = outcome(
        [HEADER_MISSING, where], profile="https://fhir.nhs.uk/STU3/StructureDefinition/Spine-OperationOutcome-1"
    )
    assert resource == {
        "resourceType": "OperationOutcome",
        "meta": {"profile": [PROFILE]},
        "issue": [
            {
                "severity": "error",
                "code": "invalid",
                "details": {
                    "coding": [
                        {
                            "system": "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1",
                            "code": "MISSING_OR_INVALID_HEADER",
                            "display": "There is a required header missing or invalid",
                        }
                    ]
                },
                "diagnostics": "fromASID HTTP Header is missing",
            },
            {
                "severity": "warning",
                "code": "value",
                "location": ["line 3"],
                "expression": ["Bundle.type", "Bundle.id"],
            },
        ],
    }
    for tables in (stu3, r4):
        assert validate(resource, tables) == []
        assert parse_xml(render_xml(resource, tables), tables).resource == resource


def test_no_issue_is_no_outcome() -> None:
    with pytest.raises(ValueError, match="at least one"):
        outcome([])
