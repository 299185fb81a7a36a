"""OperationOutcome resources, alike in FHIR STU3 and R4."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Coding:
    """A code for people and programs in `issue.details`."""

    system: str
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class OutcomeIssue:
    """One `OperationOutcome.issue`.

    `code` is of the value set issue-type ("invalid", "structure"). `location` and `expression` say where: free text in
    the first (a header, a line), FHIRPaths in the second.
    """

    severity: Literal["fatal", "error", "warning", "information"]
    code: str
    coding: Coding | None = None
    diagnostics: str = ""
    location: tuple[str, ...] = ()
    expression: tuple[str, ...] = ()


def outcome(issues: Iterable[OutcomeIssue], *, profile: str = "") -> dict[str, Any]:
    """An OperationOutcome in FHIR JSON form, for either version; `profile` is the canonical it claims, if any.

    Raises ValueError if there is no issue: FHIR requires one.
    """
    written = [_issue(issue) for issue in issues]
    if not written:
        raise ValueError("an OperationOutcome has at least one issue")
    meta = {"meta": {"profile": [profile]}} if profile else {}
    return {"resourceType": "OperationOutcome", **meta, "issue": written}


def _issue(issue: OutcomeIssue) -> dict[str, Any]:
    out: dict[str, Any] = {"severity": issue.severity, "code": issue.code}
    if issue.coding is not None:
        coding = {"system": issue.coding.system, "code": issue.coding.code, "display": issue.coding.display}
        out["details"] = {"coding": [coding]}
    if issue.diagnostics:
        out["diagnostics"] = issue.diagnostics
    if issue.location:
        out["location"] = list(issue.location)
    if issue.expression:
        out["expression"] = list(issue.expression)
    return out
