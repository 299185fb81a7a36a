"""Where the values of an output come from."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Refusal
from gateway.mapping.context import NAMES, Context
from gateway.mapping.explain import Explained, explain
from gateway.mapping.forms import forms
from gateway.mapping.modules import Modules
from gateway.mapping.tracked import leaves
from tests.mapping.conftest import HEAD, MAPPINGS, OUTPUT, Load

CASES = sorted(MAPPINGS.rglob("cases/*.json"))
PATIENT = {
    "resourceType": "Patient",
    "id": " p ",
    "active": True,
    "multipleBirthInteger": 2,
    "gender": "female",
    "birthDate": "2001-02-03",
    "_birthDate": {"extension": [{"url": "t", "valueDecimal": Decimal("1.5")}]},
    "name": [{"given": ["A", "B"]}, {"given": ["C"], "family": "a-b"}],
    "managingOrganization": {"reference": "urn:uuid:o"},
}
SOURCE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "message",
    "entry": [
        {"resource": PATIENT},
        {"fullUrl": "urn:uuid:o", "resource": {"resourceType": "Organization", "name": "O"}},
    ],
}
AT = "Bundle.entry[0].resource"
P = "Bundle.entry[0].resource.ofType(Patient)"


def explained(load: Load, lines: str, **given: Any) -> dict[str, Explained]:
    head = HEAD + "params: {base: 'https://a'}\ninputs: {other: r4-patient}\nconceptmaps: [sex]\n"
    head += "vars: {patient: '" + P + "', given: '%patient.name.given', other2: '%other.id & %base'}\n"
    used = "  versionid: '{{ %given.first() & %other2 & %base }}'\n"
    maps = {"sex": [{"element": [{"code": "female", "target": [{"code": "F", "equivalence": "equal"}]}]}]}
    return {found.path: found for found in explain(load(head + OUTPUT + used + lines, maps), SOURCE, **given)}


@pytest.mark.parametrize(
    ("text", "value", "sources"),
    [
        ("{{ %patient.gender }}", "female", [f"{AT}.gender"]),
        ("a{{ %patient.id.trim() }}b{{ Bundle.type }}", "apbmessage", [f"{AT}.id", "Bundle.type"]),
        ("{{ %given.join('-') }}", "A-B-C", [f"{AT}.name[0].given[0]", f"{AT}.name[0].given[1]", f"{AT}.name[1].given[0]"]),
        ("{{ %given.last().lower() }}", "c", [f"{AT}.name[1].given[0]"]),
        ("{{ %patient.name.family.split('-').last() }}", "b", [f"{AT}.name[1].family"]),
        ("{{ %patient.name.family.substring(1, 1) & 'x' }}", "-x", [f"{AT}.name[1].family"]),
        ("{{ %patient.name.family.replace('a', %given.first()) }}", "A-b", [f"{AT}.name[1].family", f"{AT}.name[0].given[0]"]),
        ("{{ (%patient.multipleBirth.ofType(integer) + 1).toString() }}", "3", [f"{AT}.multipleBirthInteger"]),
        ("{{ (2 * %patient.birthDate.extension('t').value.ofType(decimal)).toString() }}", "3.0", [f"{AT}.birthDate.extension[0].valueDecimal"]),
        ("{{ iif(%patient.active, %patient.birthDate.toDate(), 'x') }}", "2001-02-03", [f"{AT}.birthDate"]),
        ("{{ %patient.managingOrganization.resolve().ofType(Organization).name }}", "O", ["Bundle.entry[1].resource.name"]),
        ("{{ %patient.gender.uuid5('https://a') }}", None, [f"{AT}.gender"]),
        ("{{ %given.where($this = 'B') }}", "B", [f"{AT}.name[0].given[1]"]),
        ("{{ %mnsType }}", "m", ["%mnsType"]),
        ("{{ %other.gender }}", "male", ["%other.gender"]),
        ("{{ %base }}/{{ Bundle.type }}", "https://a/message", ["Bundle.type", "%base"]),
        ("{{ 'x' }}", "x", []),
    ],
)  # fmt: skip
def test_a_text_knows_the_values_that_it_is_made_of(
    load: Load, text: str, value: str | None, sources: list[str]
) -> None:
    given = {"context": Context(mns_type="m"), "inputs": {"other": {"resourceType": "Patient", "gender": "male"}}}
    found = explained(load, "  subject: " + json.dumps(text) + "\n", **given)["Event.subject"]
    assert value is None or found.value == value
    assert type(found.value) is str
    assert found.sources == tuple(sources)
    assert found.exact
    assert not found.literal
    assert found.text == json.dumps(text)
    assert (found.line, found.column) == (16, 12)


def test_a_literal_is_told_as_one(load: Load) -> None:
    found = explained(load, "")["Event.id"]
    assert (found.value, found.sources, found.literal, found.text, found.line) == ("a", (), True, "a", 11)


def test_a_translation_names_its_row(load: Load) -> None:
    found = explained(load, "  subject: \"{{ %patient.gender.translate('sex') & '!' }}\"\n")["Event.subject"]
    assert (found.value, found.sources) == ("F!", (f"{AT}.gender",))
    ((conceptmap, file, code, translation),) = found.rows
    assert (conceptmap, Path(file).name, code, translation) == ("sex", "sex.json", "female", "F")


def test_of_true_and_false_only_the_element_is_known(load: Load) -> None:
    found = explained(load, "  filtering: {a: '{{ %patient.active }}'}\n")
    assert (found["Event.filtering.a"].sources, found["Event.filtering.a"].exact) == ((f"{P}.active",), False)


def test_what_is_copied_whole_knows_each_of_its_values(load: Load) -> None:
    text = (
        HEAD.replace("target: event", "target: nems-message") + "output:\n  resourceType: Bundle\n  type: collection\n"
    )
    text += "  entry: [{$for: e in Bundle.entry, resource: {resourceType: Patient, name: '{{ %e.resource.ofType(Patient).name }}'}}]\n"
    found = {one.path: one for one in explain(load(text), SOURCE)}
    name = found["Bundle.entry[0].resource.name[1].given[0]"]
    assert (name.value, name.sources) == ("C", (f"{AT}.name[1].given[0]",))


def test_a_message_that_is_refused_cannot_be_explained(modules: Modules) -> None:
    module = next(module for module in modules if module.source == "nems-message")
    with pytest.raises(Refusal):
        explain(module, {"resourceType": "Bundle"})


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_value_of_every_case_is_explained_as_it_is(modules: Modules, path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    if "expected" not in case:
        return
    module = next(module for module in modules if module.name == path.name.partition(".")[0])
    context = Context(**{NAMES[name]: value for name, value in case.get("context", {}).items()})
    inputs = case.get("inputs", {})
    found = explain(module, case["input"], context, inputs)
    output = module.apply(case["input"], context, inputs)
    root = found[0].path.partition(".")[0]
    assert [(one.path, one.value) for one in found] == list(leaves(output, root))
    values = dict(leaves(case["input"], forms()[module.source].root))
    values |= {path: value for name, each in inputs.items() for path, value in leaves(each, f"%{name}")}
    for one in found:
        assert one.literal or one.sources or "{{" in one.text
        for source in one.sources:
            assert source.startswith("%") or not one.exact or source in values, one
