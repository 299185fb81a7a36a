"""Modules that read several sources."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import ModuleError, Refusal
from tests.mapping.conftest import HEAD, OUTPUT, Load

SIGNAL = HEAD.replace("source: nems-message", "source: mns-signal")
INPUTS = SIGNAL + "inputs: {original: nems-message, retrieved: r4-patient}\n"
ORIGINAL: dict[str, Any] = {
    "resourceType": "Bundle",
    "id": "o",
    "entry": [
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Organization", "name": "STU3"}},
        {
            "resource": {
                "resourceType": "MessageHeader",
                "responsible": {"reference": "urn:uuid:1"},
                "receiver": {"reference": "#in"},
                "contained": [{"resourceType": "Organization", "id": "in", "name": "Inner"}],
            }
        },
    ],
}
PATIENT = {
    "resourceType": "Patient",
    "contained": [{"resourceType": "Organization", "id": "gp", "name": "Practice"}],
    "generalPractitioner": [{"reference": "#gp"}],
    "managingOrganization": {"reference": "#none"},
}


def test_further_sources_are_read_by_their_names(load: Load) -> None:
    module = load(INPUTS + OUTPUT + "  filtering: {a: '{{ Bundle.id }}{{ %original.id }}', b: '{{ %retrieved.id }}'}\n")
    assert module.inputs == {"original": "nems-message", "retrieved": "r4-patient"}
    given = {"original": {"id": "o"}, "retrieved": {"id": "r"}, "other": {}}
    assert module.apply({"id": "s"}, inputs=given)["filtering"] == {"a": "so", "b": "r"}
    assert module.apply({"id": "s"}, inputs={"retrieved": {"id": "r"}})["filtering"] == {"b": "r"}
    assert "filtering" not in module.apply({"id": "s"})


def test_each_source_has_the_types_of_its_own_form(load: Load) -> None:
    header = "%original.entry.resource.ofType(MessageHeader)"
    with pytest.raises(ModuleError, match=r"say which type is meant, e\.g\. \.ofType\(Coding\)"):
        load(SIGNAL + OUTPUT + "  subject: '{{ Bundle.entry.resource.ofType(MessageHeader).event.code }}'\n")
    text = INPUTS + OUTPUT + f"  subject: '{{{{ {header}.event.code }}}}'\n  versionid: '{{{{ %retrieved.id }}}}'\n"
    original = {"entry": [{"resource": {"resourceType": "MessageHeader", "event": {"code": "x"}}}]}
    assert load(text).apply({}, inputs={"original": original})["subject"] == "x"


def test_a_reference_leads_to_a_resource_of_its_own_source(load: Load) -> None:
    header = "%original.entry.resource.ofType(MessageHeader)"
    text = (
        INPUTS
        + OUTPUT
        + f"""\
  filtering:
    a: "{{{{ {header}.responsible.resolve().ofType(Organization).name }}}}"
    b: "{{{{ {header}.receiver.resolve().ofType(Organization).name }}}}"
    c: "{{{{ %retrieved.generalPractitioner.resolve().ofType(Organization).name }}}}"
    d: "{{{{ %retrieved.managingOrganization.resolve().ofType(Organization).name }}}}"
    e: "{{{{ Bundle.entry.fullUrl.resolve().ofType(Organization).name }}}}"
"""
    )
    own = {"entry": [{"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Organization", "name": "R4"}}]}
    found = load(text).apply(own, inputs={"original": ORIGINAL, "retrieved": PATIENT})
    assert found["filtering"] == {"a": "STU3", "b": "Inner", "c": "Practice", "e": "R4"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (INPUTS + OUTPUT + "  subject: '{{ %original.id }}'\n", "%retrieved is not used"),
        (SIGNAL + "inputs: {a: nems-mesage}\n" + OUTPUT, "there is no form 'nems-mesage'; did you mean 'nems-message'"),
        (SIGNAL + "inputs: {a: [nems]}\n" + OUTPUT, "the name of a form is expected"),
        (SIGNAL + "inputs: {mnsType: event}\n" + OUTPUT, "%mnsType is given by the gateway"),
        (SIGNAL + "inputs: {a: event}\nvars: {a: Bundle.id}\n" + OUTPUT, "%a is an input already"),
        (SIGNAL + "inputs: {a: event}\nparams: {a: x}\n" + OUTPUT, "%a is given by the gateway, or a param"),
        (INPUTS + OUTPUT + "  subject: '{{ iif(true, %original, Bundle).id }}'\n", "they must be alike"),
    ],
)
def test_a_wrong_input_is_an_error(load: Load, text: str, message: str) -> None:
    with pytest.raises(ModuleError, match=message):
        load(text)


def test_an_input_of_the_wrong_structure_is_refused(load: Load) -> None:
    text = SIGNAL + "inputs: {original: nems-message}\n" + OUTPUT + "  subject: '{{ %original.entry.fullUrl }}'\n"
    with pytest.raises(Refusal, match="INVALID_RESOURCE"):
        load(text).apply({}, inputs={"original": {"entry": "CANARY"}})


def test_a_nems_message_can_be_made(load: Load) -> None:
    text = """\
mapping: back
version: 1.0.0
summary: An event as a message.
source: event
target: nems-message
output:
  resourceType: Bundle
  type: message
  entry:
    - fullUrl: urn:uuid:{{ Event.id }}
      resource:
        resourceType: MessageHeader
        event: {system: 'https://fhir.nhs.uk/STU3/CodeSystem/EventType-1', code: '{{ Event.type }}'}
        timestamp: "{{ Event.time }}"
        source: {endpoint: "{{ Event.source }}"}
        extension:
          - url: https://example.org/number
            valueIdentifier: {value: "{{ Event.subject }}"}
    - fullUrl: urn:uuid:p
      resource: {resourceType: Patient, gender: unknown}
"""
    event = {"id": "1", "type": "t", "time": "2020-01-01T00:00:00Z", "source": "s", "subject": "9"}
    header, patient = (entry["resource"] for entry in load(text).apply(event)["entry"])
    assert header["extension"] == [{"url": "https://example.org/number", "valueIdentifier": {"value": "9"}}]
    assert patient == {"resourceType": "Patient", "gender": "unknown"}
    for wrong, message in (
        ("valueIdentifier: {valeu:", "Identifier has no element 'valeu'; did you mean 'value'"),
        ("valueIdentifer: {value:", "did you mean 'valueIdentifier'"),
        ("value: {value:", r"Extension.value\[x\] is written with its type"),
    ):
        with pytest.raises(ModuleError, match=message):
            load(text.replace("valueIdentifier: {value:", wrong))
