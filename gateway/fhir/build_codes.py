"""The codes of required bindings, for the type tables.

fhir.resources has them from the short text of each element ("planned | arrived | +"), which may leave codes out or name
the codes of a binding that is not required. Those are put right here, by the value sets of FHIR STU3 and R4.
"""

from __future__ import annotations

from typing import Any, Final

# Bound to an open code system such as BCP 13, or by a binding that is not required.
_OPEN: Final = frozenset(("CapabilityStatement.format", "Expression.language", "Sequence.type"))

_ENCOUNTER: Final = "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown"
_OBSERVATION: Final = "registered preliminary final amended corrected cancelled entered-in-error unknown"
_REQUEST: Final = "draft active suspended cancelled completed entered-in-error unknown"
_INTENT: Final = "proposal plan order original-order reflex-order filler-order instance-order option"
_UDI_ENTRY: Final = "barcode rfid manual card self-reported unknown"
_ISSUE: Final = (
    "invalid structure required value invariant security login unknown expired forbidden suppressed processing"
    " not-supported duplicate not-found too-long code-invalid extension too-costly business-rule conflict incomplete"
    " transient lock-error no-store exception timeout throttled informational"
)

_BOTH: Final = {
    "DetectedIssue.status": _OBSERVATION,
    "DeviceUseStatement.status": "active completed entered-in-error intended stopped on-hold",
    "DiagnosticReport.status": (
        "registered partial preliminary final amended corrected appended cancelled entered-in-error unknown"
    ),
    "Encounter.status": _ENCOUNTER,
    "Encounter.statusHistory.status": _ENCOUNTER,
    "Observation.status": _OBSERVATION,
    "Quantity.comparator": "< <= >= >",
    "Questionnaire.item.type": (
        "group display question boolean decimal integer date dateTime time string text url choice open-choice"
        " attachment reference quantity"
    ),
    "RiskAssessment.status": _OBSERVATION,
    "StructureMap.group.rule.target.transform": (
        "create copy truncate escape cast append translate reference dateOp uuid pointer evaluate cc c qty id cp"
    ),
    "SupplyRequest.status": _REQUEST,
    "Task.status": (
        "draft requested received accepted rejected ready cancelled in-progress on-hold failed completed"
        " entered-in-error"
    ),
}

_CORRECTED: Final = {
    "STU3": {
        **_BOTH,
        "AppointmentResponse.participantStatus": "accepted declined tentative needs-action",
        "Communication.status": "preparation in-progress suspended aborted completed entered-in-error unknown",
        "Device.udi.entryType": _UDI_ENTRY,
        "DeviceComponent.measurementPrinciple": (
            "other chemical electrical impedance nuclear optical thermal biological mechanical acoustical manual"
        ),
        "DeviceRequest.status": _REQUEST,
        "DocumentReference.docStatus": "preliminary final amended entered-in-error",
        "OperationOutcome.issue.code": _ISSUE,
        "ProcedureRequest.intent": _INTENT,
        "ProcedureRequest.status": _REQUEST,
        "ReferralRequest.intent": _INTENT,
        "RequestGroup.intent": _INTENT,
        "Task.intent": _INTENT,
        "Task.priority": "routine urgent asap stat",
    },
    "R4": {
        **_BOTH,
        "Device.udiCarrier.entryType": _UDI_ENTRY,
        "OperationOutcome.issue.code": f"{_ISSUE} multiple-matches deleted",
    },
}


def required_codes(version: str, path: str, described: Any) -> str:
    """The codes of the required binding of an element, with a space between; "" if it has none.

    `path` is that of the element ("Encounter.status"), `described` what fhir.resources says of it.
    """
    if path in _OPEN:
        return ""
    return _CORRECTED[version].get(path) or " ".join(described.get("enum_values", ()))
