"""`gateway mapping roundtrip`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.mapping.tools.conftest import EVENT, Command


def test_what_survives_and_what_does_not(mapping: Command, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(json.dumps(EVENT), encoding="utf-8")
    arguments = ("roundtrip", "there", "back", str(tmp_path / "event.json"), "--param", "claimCheck=urn:copy")
    done = mapping(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{tmp_path / 'event.json'}: 3 of 5 values survive",
        '    changed  event.source  "urn:example:source" → "urn:example:who"',
        '    lost     event.subject  "9990000018"',
        '    added    event.dataref  "urn:copy"',
    ]
    (trip,) = json.loads(mapping(*arguments, "--json").stdout).values()
    assert (trip["values"], trip["survived"]) == (5, 3)
    assert [one["change"] for one in trip["differences"]] == ["changed", "lost", "added"]


def test_the_second_module_must_lead_back(mapping: Command, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(json.dumps(EVENT), encoding="utf-8")
    done = mapping("roundtrip", "there", "there", str(tmp_path / "event.json"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "the second must lead back" in done.stderr


def test_a_message_that_is_refused_on_the_way(mapping: Command, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text("{}", encoding="utf-8")
    done = mapping("roundtrip", "there", "back", str(tmp_path / "event.json"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "refused: INVALID_RESOURCE at CloudEvent.id: nothing gives a value" in done.stderr
