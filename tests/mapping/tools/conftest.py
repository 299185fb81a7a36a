"""The real command, and a small folder of modules to try it on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness import run

Command = Callable[..., subprocess.CompletedProcess[str]]

THERE = """\
# An invented pair of modules.
mapping: there
version: 1.0.0
summary: An event as a CloudEvent.
source: event
target: cloudevent
params: {who: "urn:example:who"}

output:
  specversion: "1.0"
  id: "{{ Event.id }}"
  source: "{{ %who }}"
  type: "{{ Event.type }}"
  time: "{{ Event.time }}"
  dataref: "{{ %claimCheck }}"

ignore:
  - Event.subject
"""
BACK = """\
mapping: back
version: 1.0.0
summary: A CloudEvent as an event.
source: cloudevent
target: event

output:
  id: "{{ CloudEvent.id }}"
  source: "{{ CloudEvent.source }}"
  type: "{{ CloudEvent.type }}"
  time: "{{ CloudEvent.time }}"
  dataref: "{{ CloudEvent.dataref }}"
"""
EVENT = {
    "id": "1",
    "source": "urn:example:source",
    "type": "example-1",
    "time": "2031-05-06T07:08:09Z",
    "subject": "9990000018",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two modules and a case of each."""
    made = tmp_path / "mappings"
    (made / "cases").mkdir(parents=True)
    (made / "there.yaml").write_text(THERE, encoding="utf-8")
    (made / "back.yaml").write_text(BACK, encoding="utf-8")
    given = {name: EVENT[name] for name in ("id", "source", "type", "time")}
    case(made, "there.plain", input=EVENT, expected={"specversion": "1.0", **given, "source": "urn:example:who"})
    case(made, "back.plain", input=given, expected=given)
    return made


@pytest.fixture
def mapping(folder: Path) -> Command:
    """`gateway mapping …`, on that folder."""

    def command(*arguments: str, where: Path = folder) -> subprocess.CompletedProcess[str]:
        there = () if arguments[0] == "schema" else ("--mappings", str(where))
        return run("mapping", *arguments, *there, COLUMNS="80")

    return command


def case(folder: Path, name: str, **content: Any) -> Path:
    """Write the file of a case."""
    path = folder / "cases" / f"{name}.json"
    path.write_text(json.dumps({"context": {}, **content}), encoding="utf-8")
    return path


def replace(path: Path, old: str, new: str) -> None:
    """Replace a piece of a file, which must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
