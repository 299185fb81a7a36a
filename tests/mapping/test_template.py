"""How `output` becomes the target."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.errors import ModuleError, Refusal
from tests.mapping.conftest import HEAD, OUTPUT, Load

SIGNAL = HEAD.replace("target: event", "target: mns-signal")
PATIENT = (
    SIGNAL
    + """\
vars:
  patient: Bundle.entry.resource.ofType(Patient).single()
output:
  resourceType: Bundle
  type: collection
  entry:
    - resource:
        resourceType: Patient
"""
)


def patient(load: Load, lines: str, source: dict[str, Any]) -> Any:
    indented = "".join(f"        {line}\n" for line in lines.splitlines())
    message = {"entry": [{"resource": {"resourceType": "Patient", **source}}]}
    return load(PATIENT + indented).apply(message)["entry"][0]["resource"]


PERSON = {
    "id": "x",
    "active": False,
    "birthDate": "2001-02-03",
    "multipleBirthInteger": 2,
    "name": [
        {"family": "A", "given": ["B", None, "C"], "use": "official"},
        {"family": "D", "use": "old"},
        {"use": "usual", "given": ["E"]},
    ],
    "telecom": [{"rank": 1, "value": "1"}],
}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("id: '{{ %patient.id }}'", {"id": "x"}),
        ("id: 'a{{ %patient.id }}b{{ %patient.active }}'", {"id": "axbfalse"}),
        ("id: 'a{{ 1 }}b{{ true }}'", {"id": "a1btrue"}),
        ("id: 'a{{ %patient.gender }}'\nactive: true", {"active": True}),
        ("id: '{{ %patient.gender }}'\nactive: true", {"active": True}),
        ("active: '{{ %patient.active }}'", {"active": False}),
        ("active: '  {{ %patient.active }}  '", {"active": False}),
        ("multipleBirthInteger: '{{ %patient.multipleBirth.ofType(integer) }}'", {"multipleBirthInteger": 2}),
        ("extension: [{url: a, valueDecimal: 1.50}]", {"extension": [{"url": "a", "valueDecimal": Decimal("1.50")}]}),
        ("extension: [{url: a, valueDecimal: 2}]", {"extension": [{"url": "a", "valueDecimal": 2}]}),
        ("name: '{{ %patient.name }}'", {"name": PERSON["name"]}),
        ("name: ['{{ %patient.name[1] }}']", {"name": [{"family": "D", "use": "old"}]}),
        ("name: ['{{ %patient.name[7] }}']\nactive: true", {"active": True}),
        ("name: [{given: '{{ %patient.name.given }}'}]", {"name": [{"given": ["B", "C", "E"]}]}),
        ("name: [{given: [F, '{{ %patient.gender }}', '{{ %patient.id }}']}]", {"name": [{"given": ["F", "x"]}]}),
        ("name: [{given: ['{{ %patient.gender }}']}]\nactive: true", {"active": True}),
        ("name: [{text: '{{ %patient.gender }}', period: {start: '{{ %patient.gender }}'}}]\nid: a", {"id": "a"}),
        ("maritalStatus: {coding: [{code: '{{ %patient.id }}'}]}", {"maritalStatus": {"coding": [{"code": "x"}]}}),
        (
            "birthDate: '2001'\n_birthDate: {extension: [{url: a, valueBoolean: true}]}",
            {"birthDate": "2001", "_birthDate": {"extension": [{"url": "a", "valueBoolean": True}]}},
        ),
        (
            "name: [{$if: '%patient.active', family: no}, {$if: '%patient.active.not()', family: yes}]",
            {"name": [{"family": "yes"}]},
        ),
        ("maritalStatus: {$if: 'false', text: a}\nid: a", {"id": "a"}),
        ("maritalStatus: {$if: 'true', text: '{{ %patient.gender }}'}\nid: a", {"id": "a"}),
        (
            "name: [{family: Z}, {$for: 'n in %patient.name', text: '{{ %patient.id }}{{ %n.use }}'}]",
            {"name": [{"family": "Z"}, {"text": "xofficial"}, {"text": "xold"}, {"text": "xusual"}]},
        ),
        (
            "name: [{$for: 'n in %patient.name', $if: '%n.given.exists()', family: '{{ %n.family }}'}]",
            {"name": [{"family": "A"}]},
        ),
        (
            "name: [{$for: 'n in %patient.name', given: ['{{ %n.given[0] }}']}]",
            {"name": [{"given": ["B"]}, {"given": ["E"]}]},
        ),
        ("name: [{$for: 'n in %patient.contact.name', text: '{{ %n.family }}'}]\nid: a", {"id": "a"}),
        ("telecom: [{$for: 't in %patient.telecom.rank', rank: '{{ %t }}'}]", {"telecom": [{"rank": 1}]}),
    ],
)
def test_holes_conditions_and_loops(load: Load, lines: str, expected: dict[str, Any]) -> None:
    if "%patient" not in lines:
        lines += "\nlanguage: '{{ %patient.language }}'"
    found = patient(load, lines, PERSON)
    assert found == {"resourceType": "Patient", **expected}
    assert next(iter(found)) == "resourceType"


def test_elements_keep_the_order_of_the_module(load: Load) -> None:
    lines = (
        "gender: '{{ %patient.gender }}'\nid: a\nactive: '{{ %patient.active }}'\nbirthDate: '2001'\nname: [{text: b}]"
    )
    assert list(patient(load, lines, PERSON)) == ["resourceType", "id", "active", "birthDate", "name"]


def test_a_mandatory_element_without_a_value_is_refused(load: Load) -> None:
    module = load(HEAD + OUTPUT.replace("id: a", "id: '{{ Bundle.id }}'"))
    assert module.apply({"id": "a"})["id"] == "a"
    with pytest.raises(Refusal, match="INVALID_RESOURCE"):
        module.apply({})


def test_a_module_beyond_any_sense_is_refused(load: Load) -> None:
    items = ", ".join(["'{{ Bundle.entry.fullUrl.first() }}'"] * 4_000)
    with pytest.raises(ModuleError, match="too large to compile"):
        load(HEAD + OUTPUT + f"  filtering: {{a: [{items}]}}\n")
