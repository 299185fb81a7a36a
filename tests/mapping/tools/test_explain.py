"""`gateway mapping explain`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.mapping.conftest import MAPPINGS
from tests.mapping.tools.conftest import EVENT, Command
from tests.mapping.tools.test_messages import SAMPLE


def test_every_value_has_its_source_and_its_line(mapping: Command, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(json.dumps(EVENT), encoding="utf-8")
    done = mapping("explain", "there", str(tmp_path / "event.json"), "--param", "claimCheck=urn:x")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    module = folder / "there.yaml"
    assert lines[:5] == [
        'CloudEvent.specversion = "1.0"',
        f'    by {module}:10:16  "1.0"',
        'CloudEvent.id = "1"',
        "    from Event.id",
        f'    by {module}:11:7  "{{{{ Event.id }}}}"',
    ]
    assert lines[-3:] == [
        'CloudEvent.dataref = "urn:x"',
        "    from %claimCheck",
        f'    by {module}:15:12  "{{{{ %claimCheck }}}}"',
    ]


def test_the_row_of_a_concept_map_is_told(mapping: Command) -> None:
    arguments = ("explain", "nems-vaccinations-1", str(SAMPLE))
    done = mapping(*arguments, where=MAPPINGS)
    assert "    ConceptMap message-event-type-to-action: new → CREATE  (" in done.stdout
    explained = {one["path"]: one for one in json.loads(mapping(*arguments, "--json", where=MAPPINGS).stdout)}
    action = explained["Event.filtering.action"]
    assert action["sources"] == [
        "Bundle.entry[0].resource.extension[1].valueCodeableConcept.coding[0].code",
    ]
    assert [row["translation"] for row in action["rows"]] == ["CREATE"]


def test_a_refused_message_has_nothing_to_explain(mapping: Command, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text("{}", encoding="utf-8")
    done = mapping("explain", "there", str(tmp_path / "event.json"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("refused: INVALID_RESOURCE")
