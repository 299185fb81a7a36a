"""Codes translated by ConceptMaps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ModuleError, Refusal
from gateway.mapping import conceptmap
from gateway.mapping.conceptmap import ConceptMap
from tests.mapping.conftest import HEAD, OUTPUT, Load


def element(code: str, *targets: str, equivalence: str = "equivalent") -> dict[str, Any]:
    return {"code": code, "target": [{"code": target, "equivalence": equivalence} for target in targets]}


def written(folder: Path, **content: Any) -> Path:
    path = folder / "map.json"
    path.write_text(json.dumps({"resourceType": "ConceptMap", "name": "map", **content}), encoding="utf-8")
    return path


def loaded(folder: Path, *elements: dict[str, Any]) -> ConceptMap:
    return conceptmap.load(written(folder, group=[{"element": list(elements)}]))


def test_a_code_is_translated_there_and_back(tmp_path: Path) -> None:
    found = loaded(tmp_path, element("a", "1"), element("b", "2"))
    assert [found.forward()(code, "") for code in "ab"] == ["1", "2"]
    assert [found.backward()(code, "") for code in "12"] == ["a", "b"]


def test_a_code_that_is_not_mapped_is_refused_without_being_said(tmp_path: Path) -> None:
    translate = loaded(tmp_path, element("a", "1"), element("b", "2", equivalence="unmatched")).forward()
    for code in ("canary", "b"):
        with pytest.raises(Refusal) as caught:
            translate(code, "Patient.gender")
        (issue,) = caught.value.issues
        assert (issue.reason, issue.location) == ("INVALID_CODE_VALUE", "Patient.gender")
        assert issue.text == "ConceptMap 'map' has no such code"


def test_two_translations_of_a_code_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="two translations of 'a'"):
        loaded(tmp_path, element("a", "1", "2")).forward()


def test_two_ways_back_are_an_error_only_for_going_back(tmp_path: Path) -> None:
    found = loaded(tmp_path, element("a", "1"), element("b", "1"))
    assert found.forward()("b", "") == "1"
    with pytest.raises(ModuleError, match="two translations of '1'"):
        found.backward()


@pytest.mark.parametrize(
    "content",
    [
        {"resourceType": "ValueSet", "group": []},
        {"group": [{"element": [{"target": []}]}]},
        {"group": [{"element": [], "unmapped": {"mode": "provided"}}]},
        {},
    ],
)
def test_what_is_not_a_usable_conceptmap_is_an_error(tmp_path: Path, content: dict[str, Any]) -> None:
    with pytest.raises(ModuleError) as caught:
        conceptmap.load(written(tmp_path, **content))
    assert caught.value.file.endswith("map.json")


def test_a_module_translates_both_ways(load: Load) -> None:
    text = HEAD + "conceptmaps: [codes]\n" + OUTPUT
    text += "  subject: \"{{ Bundle.type.translate('codes') }}\"\n"
    text += "  filtering: {back: \"{{ Bundle.id.translateBack('codes') }}\"}\n"
    module = load(text, maps={"codes": [{"element": [element("message", "signal")]}]})
    found = module.apply({"type": "message", "id": "signal"})
    assert (found["subject"], found["filtering"]) == ("signal", {"back": "message"})
    assert "subject" not in module.apply({})
    with pytest.raises(Refusal, match=r"INVALID_CODE_VALUE at Bundle\.type"):
        module.apply({"type": "other"})


def test_a_way_back_that_is_not_one_is_told_when_the_module_is_loaded(load: Load) -> None:
    text = HEAD + "conceptmaps: [codes]\n" + OUTPUT + "  subject: \"{{ Bundle.type.translateBack('codes') }}\"\n"
    with pytest.raises(ModuleError, match="two translations of 'x'"):
        load(text, maps={"codes": [{"element": [element("a", "x"), element("b", "x")]}]})
