"""Params, fragments and requirements."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ModuleError, Refusal
from gateway.mapping import conceptmap, functions
from gateway.mapping.module import Module, load_module
from gateway.mapping.modules import Modules
from tests.mapping.conftest import HEAD, MAPPINGS, OUTPUT, Load

FRAGMENT = """\
fragment: shared
summary: Facts.
source: nems-message
params: {base: here}
vars:
  kind: Bundle.type
  unused: Bundle.entry.fullUrl
require:
  - {that: "%kind.exists()", reason: INVALID_RESOURCE, at: Bundle.type, message: a type is needed}
"""


def with_fragment(folder: Path, fragment: str, rest: str) -> Module:
    (folder / "shared.yaml").write_text(fragment, encoding="utf-8")
    (folder / "module.yaml").write_text(HEAD + "include: [shared]\n" + rest, encoding="utf-8")
    return load_module(folder / "module.yaml", {})


def test_a_fragment_gives_its_vars_params_and_requirements(tmp_path: Path) -> None:
    module = with_fragment(tmp_path, FRAGMENT, OUTPUT + "  subject: '{{ %base }}/{{ %kind }}'\n")
    assert module.apply({"type": "message"})["subject"] == "here/message"
    with pytest.raises(Refusal) as caught:
        module.apply({})
    assert [(issue.location, issue.text) for issue in caught.value.issues] == [("Bundle.type", "a type is needed")]


def test_a_var_of_a_fragment_that_a_module_does_not_use_is_not_computed(tmp_path: Path) -> None:
    module = with_fragment(tmp_path, FRAGMENT, OUTPUT)
    assert "fullUrl" not in module.code
    assert module.apply({"type": "a", "entry": "not even a list"})["id"] == "a"


def test_a_fragment_is_checked_even_where_it_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="did you mean 'fullUrl'") as caught:
        with_fragment(tmp_path, FRAGMENT.replace("entry.fullUrl", "entry.fulUrl"), OUTPUT)
    assert caught.value.file.endswith("shared.yaml")


@pytest.mark.parametrize("rest", ["vars: {kind: Bundle.id}\n", "params: {base: there}\n"])
def test_names_of_a_module_and_its_fragment_may_not_clash(tmp_path: Path, rest: str) -> None:
    with pytest.raises(ModuleError, match="is declared already, by an included fragment"):
        with_fragment(tmp_path, FRAGMENT, rest + OUTPUT)


def test_a_fragment_for_another_form_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="fragment 'shared' is for another source form"):
        with_fragment(tmp_path, FRAGMENT.replace("nems-message", "event"), OUTPUT)


def test_a_fragment_cannot_have_an_output(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="'output' is not a key"):
        with_fragment(tmp_path, FRAGMENT + "output: {}\n", OUTPUT)


def test_a_param_has_a_default_and_can_be_set(load: Load) -> None:
    text = HEAD + "params: {base: 'https://a'}\n" + OUTPUT + "  dataref: '{{ %base }}/{{ Bundle.id }}'\n"
    assert load(text).apply({"id": "1"})["dataref"] == "https://a/1"
    assert load(text, params={"base": "https://b"}).apply({"id": "1"})["dataref"] == "https://b/1"
    assert load(text).params == {"base": "https://a"}


def test_every_requirement_that_fails_is_told(load: Load) -> None:
    requirements = "".join(
        f"  - {{that: Bundle.{name}.exists(), reason: R_{name.upper()}, at: Bundle.{name}, message: needs {name}}}\n"
        for name in ("id", "type", "total")
    )
    module = load(HEAD + "require:\n" + requirements + OUTPUT)
    with pytest.raises(Refusal) as caught:
        module.apply({"type": "message"})
    assert [issue.reason for issue in caught.value.issues] == ["R_ID", "R_TOTAL"]


def test_a_requirement_that_is_neither_true_nor_false_fails(load: Load) -> None:
    text = HEAD + "require: [{that: Bundle.type != 'a', reason: R, at: x, message: m}]\n" + OUTPUT
    assert load(text).apply({"type": "b"})
    with pytest.raises(Refusal, match="R at x"):
        load(text).apply({})


def test_the_example_of_the_guide_is_a_module(tmp_path: Path) -> None:
    guide = (MAPPINGS / "README.md").read_text(encoding="utf-8")
    (tmp_path / "header.yaml").write_bytes((MAPPINGS / "nems" / "header.yaml").read_bytes())
    (tmp_path / "example.yaml").write_text(guide.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    module = load_module(tmp_path / "example.yaml", conceptmap.load_all(MAPPINGS / "conceptmaps"))
    with pytest.raises(Refusal, match="INVALID_NHS_NUMBER"):
        module.apply({"resourceType": "Bundle"})


@pytest.mark.parametrize("name", sorted(functions.NAMES))
def test_the_guide_names_every_function(name: str) -> None:
    assert name in (MAPPINGS / "README.md").read_text(encoding="utf-8")


def test_cases_are_not_modules(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "x.yaml").write_text("not: a module", encoding="utf-8")
    assert list(Modules.load(tmp_path)) == []


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"mapping: \xff")
    with pytest.raises(ModuleError, match="cannot be read"):
        load_module(tmp_path / "a.yaml", {})
