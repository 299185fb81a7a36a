"""A NEMS change of GP as XML in; read, validated, mapped to the signal of MNS, validated, JSON out: three ways.

fhir.resources validates as it reads XML, and again as it takes the signal. Its mapping is plain Python, once on its
objects, and once on the JSON form that they are written in, which is what a mapping that is not tied to it starts from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fhir.resources.R4B.bundle import Bundle as R4Bundle
from fhir.resources.STU3.bundle import Bundle as STU3Bundle

from gateway.errors import Refusal
from gateway.fhir.json import render_json
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from gateway.mapping.context import Context
from gateway.mapping.module import Module
from gateway.mapping.runtime import is_uuid
from gateway.nhs_number import is_nhs_number
from gateway.reader import check
from tests.bench import twins

GATEWAY: Final = "gateway"
OBJECTS: Final = "fhir.resources, mapped on its objects"
JSON_FORM: Final = "fhir.resources, mapped on its JSON form"

Way = Callable[[bytes], bytes]


def ways(to_event: Module, to_signal: Module, context: Context) -> dict[str, Way]:
    """The three ways from XML to JSON."""
    stu3, r4 = load("STU3"), load("R4")

    def gateway(body: bytes) -> bytes:
        message = parse_xml(body, stu3).resource
        check(message, stu3)
        signal = to_signal.apply(to_event.apply(message, context), context)
        check(signal, r4)
        return render_json(signal)

    def objects(body: bytes) -> bytes:
        return _written(_event(STU3Bundle.model_validate_xml(body)), context)

    def json_form(body: bytes) -> bytes:
        message = STU3Bundle.model_validate_xml(body).model_dump(mode="json")
        return _written(twins.change_of_gp(message, context, {}), context)

    return {GATEWAY: gateway, OBJECTS: objects, JSON_FORM: json_form}


def normal(signal: bytes) -> str:
    """A signal as fhir.resources writes it, whose spelling of a time is its own."""
    written: str = R4Bundle.model_validate_json(signal).model_dump_json()
    return written


def _written(event: dict[str, Any], context: Context) -> bytes:
    text: str = R4Bundle.model_validate(twins.signal(event, context, {})).model_dump_json()
    return text.encode()


def _event(bundle: Any) -> dict[str, Any]:
    """A change of GP in today's spelling as an event."""
    header = bundle.entry[0].resource
    change = number = ""
    for extension in header.extension:
        if extension.url == twins.CHANGE:
            change = extension.valueCodeableConcept.coding[0].code
        elif extension.url == twins.ROUTING:
            number = next(part.valueIdentifier.value for part in extension.extension if part.url == "nhsNumber")
    if change not in twins.ACTIONS or not is_uuid(header.id) or not is_nhs_number(number):
        raise Refusal.because("INVALID_RESOURCE", "not a change of GP")
    resources = {entry.fullUrl: entry.resource for entry in bundle.entry}
    patient = next(one for one in resources.values() if one.get_resource_type() == "Patient")
    event = {
        "id": header.id,
        "source": header.source.endpoint.replace(twins.ASID, twins.ASID_URL),
        "type": header.event.code,
        "time": header.timestamp.isoformat(),
        "subject": number,
        "dataref": f"{twins.PDS}/Patient/{number}",
    }
    if patient.meta and patient.meta.versionId:
        event["versionid"] = f'W/"{patient.meta.versionId}"'
    for practice in patient.generalPractitioner or ():
        identifiers = resources[practice.reference].identifier
        code = next(one.value for one in identifiers if one.system == twins.ODS_CODE)
        event["filtering"] = {"generalpractitioner": code}
    return event
