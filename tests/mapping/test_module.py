"""Params, fragments and requirements."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ModuleError, Refusal
from gateway.mapping import conceptmap
from gateway.mapping.module import Module, diagnose, load_module
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


def test_a_module_ignores_what_its_fragments_do(tmp_path: Path) -> None:
    module = with_fragment(tmp_path, FRAGMENT + "ignore: [Bundle.id]\n", OUTPUT + "ignore: [Bundle.signature]\n")
    assert module.ignore == ("Bundle.id", "Bundle.signature")


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


def test_cases_are_not_modules(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "x.yaml").write_text("not: a module", encoding="utf-8")
    assert list(Modules.load(tmp_path)) == []


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"mapping: \xff")
    with pytest.raises(ModuleError, match="cannot be read"):
        load_module(tmp_path / "a.yaml", {})


def test_every_var_can_be_looked_at_by_itself(load: Load) -> None:
    text = HEAD + "ignore: [Bundle.meta]\nvars: {urls: Bundle.entry.fullUrl, one: '%urls.single()', none: Bundle.id}\n"
    module = load(text + OUTPUT + "  subject: '{{ %one }}{{ %none }}'\n")
    assert (module.vars, module.ignore) == (("urls", "one", "none"), ("Bundle.meta",))
    found = module.variables({"entry": [{"fullUrl": "a"}, {"fullUrl": "b"}]})
    assert (found["urls"], found["none"]) == (["a", "b"], [])
    assert isinstance(found["one"], Refusal)
    assert module.variables({"entry": [{"fullUrl": "a"}]})["one"] == ["a"]


def test_every_mistake_of_a_module_is_told_at_once(tmp_path: Path) -> None:
    text = """\
mapping: test
version: 1.0.0
summary: Many mistakes.
source: nems-message
target: event
vars:
  good: Bundle.id
  bad: Bundle.idd
  worse: "%bad.upper()"
require:
  - {that: Bundle.type, reason: A, at: b, message: c}
  - {that: "%worse.exists()", reason: A, at: b, message: c}
output:
  id: "{{ Bundle.entry.nothing }}"
  source: [a]
  tpye: c
  type: "{{ %bad }}"
  subject: "{{ %missing }}"
  filtering:
    a: "{{ Bundle.entry.where(true }}"
    b: ["{{ 1 + 'a' }}", x, {c: d}]
ignore: [Bundle.x, Bundle.id]
"""
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    found = diagnose(tmp_path / "a.yaml", {})
    assert [error.line for error in found] == [8, 11, 14, 14, 15, 16, 18, 20, 21, 21, 22]
    assert "Event needs 'time'" in found[2].message
    with pytest.raises(ModuleError) as caught:
        load_module(tmp_path / "a.yaml", {})
    assert str(caught.value) in {str(error) for error in found}


def test_there_is_nothing_to_tell_of_modules_that_can_be_loaded(modules: Modules) -> None:
    maps = conceptmap.load_all(MAPPINGS / "conceptmaps")
    assert [error for module in modules for error in diagnose(Path(module.file), maps)] == []


def test_a_module_of_the_wrong_shape_has_one_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("mapping: a\nvesrion: 1\n", encoding="utf-8")
    assert [error.line for error in diagnose(tmp_path / "a.yaml", {})] == [2]
    (tmp_path / "b.yaml").write_text(HEAD + "vars: {x: Bundle.id, y: Bundle.id}\n" + OUTPUT, encoding="utf-8")
    assert [error.message for error in diagnose(tmp_path / "b.yaml", {})] == ["%x is not used", "%y is not used"]
