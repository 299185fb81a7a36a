"""What of a module its cases reach."""

from __future__ import annotations

from typing import Any

from gateway.mapping.coverage import Branch, Code, Example, coverage
from tests.mapping.conftest import HEAD, OUTPUT, Load

TEXT = (
    HEAD
    + """\
conceptmaps: [codes]
vars:
  kind: iif(Bundle.type = 'message', 'm', 'other')
  never: iif(true, 1, 2)
require: [{that: "Bundle.id.exists()", reason: A, at: b, message: c}]
"""
    + OUTPUT
    + """\
  subject: "{{ Bundle.language.translate('codes') }}"
  filtering:
    $if: Bundle.total.exists()
    kind: "{{ %kind }}"
    urls: ["{{ Bundle.entry.fullUrl.first() }}"]
    never: "{{ %never }}"
ignore: [Bundle.meta, "Bundle.entry.resource.ofType(Patient).active"]
"""
)
MAPS: dict[str, Any] = {
    "codes": [{"element": [{"code": code, "target": [{"code": code, "equivalence": "equal"}]} for code in ("a", "b")]}]
}
BUNDLE: dict[str, Any] = {
    "resourceType": "Bundle",
    "id": "1",
    "type": "message",
    "meta": {"profile": ["x"], "versionId": "1"},
    "entry": [{"fullUrl": "u", "resource": {"resourceType": "Patient", "active": True, "gender": "female"}}],
}


def ways(load: Load, *sources: dict[str, Any]) -> tuple[set[tuple[str, int, str]], tuple[str, ...]]:
    found = coverage(load(TEXT, MAPS), map(Example, sources))
    assert found.reached == len(found.branches) + len(found.codes) - len(found.unreached)
    names = {
        ("code", 0, one.code) if isinstance(one, Code) else (one.kind, one.line, one.way) for one in found.unreached
    }
    return names, found.unused


def test_without_cases_nothing_is_reached(load: Load) -> None:
    unreached, unused = ways(load)
    assert unreached == {
        ("$if", 18, "taken"),
        ("$if", 18, "not taken"),
        ("iif", 8, "then"),
        ("iif", 8, "otherwise"),
        ("iif", 9, "then"),
        ("iif", 9, "otherwise"),
        ("require", 10, "failing"),
        ("require", 10, "holding"),
        ("value", 16, "written"),
        ("value", 19, "written"),
        ("value", 20, "written"),
        ("value", 21, "written"),
        ("code", 0, "a"),
        ("code", 0, "b"),
    }
    assert unused == ()


def test_cases_reach_branches_codes_and_values(load: Load) -> None:
    unreached, unused = ways(load, BUNDLE, {**BUNDLE, "total": 1, "language": "a"})
    assert unreached == {
        ("iif", 8, "otherwise"),
        ("iif", 9, "otherwise"),
        ("require", 10, "failing"),
        ("code", 0, "b"),
    }
    assert unused == ("Bundle.entry.resource.ofType(Patient).gender",)


def test_a_case_that_is_refused_reaches_what_refuses_it(load: Load) -> None:
    unreached, _ = ways(load, {"resourceType": "Bundle"})
    assert ("require", 10, "failing") not in unreached
    assert ("require", 10, "holding") in unreached


def test_loops_with_and_without_items(load: Load) -> None:
    text = (
        HEAD.replace("target: event", "target: nems-message") + "output:\n  resourceType: Bundle\n  type: collection\n"
    )
    text += "  link: [{$for: l in Bundle.link, relation: '{{ %l.relation }}', url: '{{ %l.url }}'}]\n"
    module = load(text)
    link = {"relation": "a", "url": "b"}
    empty, full = (coverage(module, [Example({"link": links})]) for links in ([], [link]))
    assert {one.way for one in empty.unreached if isinstance(one, Branch)} == {"with items", "written"}
    assert {one.way for one in full.unreached if isinstance(one, Branch)} == {"without items"}
    assert full.unused == ()
