"""`gateway mapping validate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mapping.conftest import MAPPINGS
from tests.mapping.tools.conftest import BACK, Command, replace


def test_the_shipped_modules_have_no_fault(mapping: Command) -> None:
    done = mapping("validate", where=MAPPINGS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("modules, no fault\n")


@pytest.mark.parametrize(
    ("old", "new", "says", "under"),
    [
        ("{{ CloudEvent.time }}", "{{ CloudEvent.tiem }}", "did you mean 'time'?", "tiem }}"),
        ("  dataref:", "  datarfe:", "did you mean 'dataref'?", "datarfe:"),
        ('  type: "{{ CloudEvent.type }}"\n', "", "'type', which is mandatory", 'id: "{{'),
        ("{{ CloudEvent.id }}", "{{ CloudEvent.id = 1 }}", "does not take string and integer", "= 1"),
        (
            "{{ CloudEvent.id }}",
            "{{ CloudEvent.id.length() }}",
            "string is expected here, not integer",
            "CloudEvent.id.length",
        ),
        ("output:", "vars: {left: CloudEvent.id}\n\noutput:", "%left is not used", "left:"),
        ("target: event", "target: evnt", "did you mean 'event'?", "evnt"),
        (
            "target: event",
            "target: event\nwhen: {event: [vaccination-1]}",
            "there is no event type 'vaccination-1'; did you mean 'vaccinations-1'?",
            "vaccination-1",
        ),
    ],
)
def test_a_fault_is_told_with_its_line_and_a_caret(
    mapping: Command, folder: Path, old: str, new: str, says: str, under: str
) -> None:
    replace(folder / "back.yaml", old, new)
    done = mapping("validate", "back")
    assert (done.returncode, done.stderr) == (1, "")
    place, line, caret = done.stdout.splitlines()
    assert says in place
    assert place.startswith(f"{folder / 'back.yaml'}:")
    assert line[caret.index("^") :].startswith(under)


def test_an_event_type_of_ones_own_is_known_by_its_folder(mapping: Command, folder: Path, tmp_path: Path) -> None:
    replace(folder / "back.yaml", "target: event", "target: event\nwhen: {event: [own-1]}")
    assert mapping("validate").returncode == 1
    own = tmp_path / "event-types"
    own.mkdir()
    (own / "own-1.yaml").write_text("id: own-1\nname: Own\ntopic: https://example.org/own-1\n", encoding="utf-8")
    done = mapping("validate", "--event-types", str(own))
    assert (done.returncode, done.stdout) == (0, "2 modules, no fault\n")


def test_faults_as_json(mapping: Command, folder: Path) -> None:
    replace(folder / "back.yaml", "target: event", "target: evnt")
    done = mapping("validate", "--json")
    assert done.returncode == 1
    (fault,) = json.loads(done.stdout)["faults"]
    assert (fault["file"], fault["line"], fault["column"]) == (str(folder / "back.yaml"), 5, 9)
    assert fault["source"] == "target: evnt"


def test_two_modules_for_the_same_are_a_fault(mapping: Command, folder: Path) -> None:
    (folder / "second.yaml").write_text(BACK.replace("mapping: back", "mapping: second"), encoding="utf-8")
    done = mapping("validate")
    assert done.returncode == 1
    assert "maps cloudevent to event for any event type already" in done.stdout


def test_a_broken_concept_map_is_a_fault(mapping: Command, folder: Path) -> None:
    (folder / "conceptmaps").mkdir()
    (folder / "conceptmaps" / "x.json").write_text("{}", encoding="utf-8")
    done = mapping("validate")
    assert done.returncode == 1
    assert "x.json: not a ConceptMap" in done.stdout


def test_a_file_that_is_not_yaml_is_a_fault(mapping: Command, folder: Path) -> None:
    (folder / "broken.yaml").write_text("mapping: [\n", encoding="utf-8")
    done = mapping("validate")
    assert done.returncode == 1
    assert "broken.yaml:2:1: not YAML" in done.stdout


def test_a_module_or_folder_that_is_not_there_is_told_in_one_line(mapping: Command, tmp_path: Path) -> None:
    done = mapping("validate", "bakc")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'back'?" in done.stderr
    done = mapping("validate", where=tmp_path / "none")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no such folder" in done.stderr


def test_all_faults_are_told_at_once(mapping: Command, folder: Path) -> None:
    replace(folder / "back.yaml", "{{ CloudEvent.id }}", "{{ CloudEvent.idd }}")
    replace(folder / "back.yaml", "{{ CloudEvent.time }}", "{{ CloudEvent.tiem }}")
    replace(folder / "there.yaml", "target: cloudevent", "target: cloudevnt")
    found = json.loads(mapping("validate", "--json").stdout)["faults"]
    assert [(Path(one["file"]).stem, one["line"]) for one in found] == [("back", 8), ("back", 11), ("there", 6)]
