"""What of a message is wrong to no harm."""

from __future__ import annotations

from gateway.catalogue import EventType
from gateway.faces.nems.leniency import faults
from gateway.fhir.json import parse_json
from gateway.fhir.tables import load
from gateway.fhir.validate import validate
from tests.bench.messages import message

STU3 = load("STU3")
TYPE = EventType(id="pds-change-of-gp-1", name="Change of GP", topic="http://example.org/topic")


def test_an_element_whose_name_is_reference_may_be_a_reference_itself() -> None:
    """Consent.data.reference of STU3."""
    bundle = parse_json(message("json").body, STU3).resource
    consent = {
        "resourceType": "Consent",
        "status": "active",
        "patient": {"reference": "Patient/1"},
        "policyRule": "http://example.org/policy",
        "data": [{"meaning": "instance", "reference": {"reference": "urn:uuid:0531985d-0000-4000-8000-000000000000"}}],
    }
    bundle["entry"].append({"fullUrl": "urn:uuid:7531985d-0000-4000-8000-000000000000", "resource": consent})
    assert validate(bundle, STU3) == []
    (fault,) = faults(bundle, TYPE)
    assert (fault.location, fault.text) == ("Bundle.entry[6].resource.patient", "refers to no entry")
