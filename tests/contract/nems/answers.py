"""What the NEMS face answers, read."""

from __future__ import annotations

import httpx

from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml


def outcome(answer: httpx.Response, status: int, code: str) -> str:
    """Check that an answer is Spine's OperationOutcome in XML; its diagnostics."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/fhir+xml")
    resource = parse_xml(answer.content, load("STU3")).resource
    assert resource["resourceType"] == "OperationOutcome"
    coding = resource["issue"][0]["details"]["coding"][0]
    assert coding["system"] == "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1"
    assert coding["code"] == code
    assert "Traceback" not in answer.text
    return "\n".join(issue["diagnostics"] for issue in resource["issue"])
