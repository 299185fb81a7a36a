"""`gateway mapping new`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gateway.mapping.forms import forms
from gateway.mapping.tools.faults import find
from gateway.mapping.tools.skeleton import create
from gateway.mapping.tools.workspace import Workspace
from tests.conftest import ROOT
from tests.mapping.tools.conftest import EVENT, Command

SAMPLES = sorted((ROOT / "config" / "demo").glob("*.xml"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_draft_for_a_nems_message_is_valid_and_maps_it(mapping: Command, tmp_path: Path, sample: Path) -> None:
    own = tmp_path / "own"
    done = mapping("new", "first-draft", str(sample), where=own)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"begun: {own / 'first-draft.yaml'}\n"
    assert mapping("validate", where=own).stdout == "1 module, no fault\n"
    out = json.loads(mapping("run", "first-draft", str(sample), "--param", "claimCheck=urn:x", where=own).stdout)
    assert (out["type"], out["dataref"]) == (sample.stem, "urn:x")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_every_fact_that_it_found_can_be_used(mapping: Command, tmp_path: Path, sample: Path) -> None:
    own = tmp_path / "own"
    mapping("new", "draft", str(sample), where=own)
    text = (own / "draft.yaml").read_text(encoding="utf-8")
    before, facts, after = re.split(r"(# vars:\n(?:#   .*\n)+)", text)
    names = re.findall(r"^#   (\w+):", facts, re.MULTILINE)
    assert len(names) > 10
    filtering = "".join(f'    {name}: "{{{{ %{name}.first() }}}}"\n' for name in names)
    after = after.replace("  # filtering:\n", f"  filtering:\n{filtering}")
    (own / "draft.yaml").write_text(before + facts.replace("# ", "") + after, encoding="utf-8")
    assert mapping("validate", where=own).stdout == "1 module, no fault\n"
    found = json.loads(mapping("run", "draft", str(sample), where=own).stdout)["filtering"]
    assert found.keys() == set(names)


def test_it_says_nothing_of_the_patient(mapping: Command, tmp_path: Path) -> None:
    (sample,) = (path for path in SAMPLES if path.stem == "vaccinations-1")
    mapping("new", "draft", str(sample), where=tmp_path / "own")
    text = (tmp_path / "own" / "draft.yaml").read_text(encoding="utf-8")
    for said in ("9990001022", "WHITTLE", "Rosa", "2021-01-19", "A20047"):
        assert said not in text


@pytest.mark.parametrize("target", forms())
@pytest.mark.parametrize("source", ["event", "mns-signal"])
def test_a_draft_is_valid_for_every_form(folder: Path, tmp_path: Path, source: str, target: str) -> None:
    example = {"event": EVENT, "mns-signal": {"resourceType": "Bundle", "type": "history", "id": "1"}}[source]
    (tmp_path / "example.json").write_text(json.dumps(example), encoding="utf-8")
    path = create(folder, "draft", tmp_path / "example.json", target)
    assert f"source: {source}\n" in path.read_text(encoding="utf-8")
    assert find(Workspace(folder), (), ["draft"]) == []


def test_where_the_draft_is_can_be_told_as_json(mapping: Command, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "example.json").write_text(json.dumps(EVENT), encoding="utf-8")
    done = mapping("new", "draft", str(tmp_path / "example.json"), "--target", "cloudevent", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"file": str(folder / "draft.yaml")})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("back", "EXAMPLE"), "there is a module already"),
        (("No name", "EXAMPLE"), "small letters, digits and dashes"),
        (("draft", "EXAMPLE", "--target", "evnt"), "did you mean 'event'?"),
        (("draft", "/no/such/file"), "No such file"),
    ],
)
def test_what_cannot_be_begun_is_told(mapping: Command, tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "example.json").write_text(json.dumps(EVENT), encoding="utf-8")
    done = mapping("new", *(str(tmp_path / "example.json") if one == "EXAMPLE" else one for one in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_an_example_that_is_not_valid_is_refused(mapping: Command, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "example.xml").write_text("<Bundle/>", encoding="utf-8")
    done = mapping("new", "draft", str(tmp_path / "example.xml"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("refused: ")
    assert not (folder / "draft.yaml").exists()


def test_a_folder_that_cannot_be_written_is_told_in_one_line(mapping: Command) -> None:
    done = mapping("new", "draft", str(SAMPLES[0]), where=Path("/proc/none"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "gateway: /proc/none: No such file or directory\n"
