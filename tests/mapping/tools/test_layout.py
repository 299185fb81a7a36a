"""`gateway mapping fmt`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.errors import ModuleError
from gateway.mapping.tools.layout import laid_out
from gateway.mapping.tools.workspace import yaml_files
from tests.mapping.conftest import MAPPINGS
from tests.mapping.tools.conftest import BACK, Command

UNTIDY = """\
# Kept on top.

# Belongs to the version.
version: '1.0.0'
mapping: example   # beside


target: event
summary: |
    Two lines,
      one of them deeper.


output:
    # Below output.
    id:   "a: b"
    source: 'it''s'
    filtering:
        # Deeper.
        folded: >-
            one
            two
        broken: "three
          four"
        many:
        -   x
        -   "{{ Event.id }}"
        # Closes many's block.
    type: c   \x20
    time: d
source: event
require:
-   that: Event.id.exists()
    at:
        Event.id
    reason: X
    message: "yes"
-
    that: Event.id.exists()
    at: {a: b,
         c: d}
# At the end.
"""
TIDY = """\
# Kept on top.

mapping: example   # beside
# Belongs to the version.
version: "1.0.0"
summary: |
    Two lines,
      one of them deeper.
source: event
target: event

require:
  - that: Event.id.exists()
    at:
        Event.id
    reason: X
    message: "yes"
  -
    that: Event.id.exists()
    at: {a: b,
         c: d}

output:
  # Below output.
  id:   "a: b"
  source: 'it''s'
  filtering:
    # Deeper.
    folded: >-
        one
        two
    broken: "three
      four"
    many:
      - x
      - "{{ Event.id }}"
      # Closes many's block.
  type: c
  time: d
# At the end.
"""


def test_an_untidy_file_is_laid_out_with_its_comments() -> None:
    assert laid_out(UNTIDY, "x").splitlines() == TIDY.splitlines()


@pytest.mark.parametrize("text", [UNTIDY, TIDY, BACK, "mapping: x", "fragment: y\nsource: event\nsummary: z\n"])
def test_what_is_laid_out_stays_so(text: str) -> None:
    once = laid_out(text, "x")
    assert laid_out(once, "x") == once
    assert once.endswith("\n")


@pytest.mark.parametrize("path", yaml_files(MAPPINGS), ids=lambda path: path.stem)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text,
        lambda text: text.replace("\n  ", "\n     "),
        lambda text: "\n\n".join(part for part in reversed(text.rstrip().split("\n\n"))),
        lambda text: text.replace("\n", "  \n"),
    ],
)
def test_a_shipped_module_is_kept_or_left_alone(path: Path, spoil: object) -> None:
    assert callable(spoil)
    text = spoil(path.read_text(encoding="utf-8"))
    try:
        once = laid_out(text, "x")
    except ModuleError as error:
        assert "by hand" in error.message or "not YAML" in error.message
        return
    assert laid_out(once, "x") == once
    assert sorted(line.strip() for line in once.splitlines() if line.strip().startswith("#")) == sorted(
        line.strip() for line in text.splitlines() if line.strip().startswith("#")
    )


def test_files_are_changed_once(mapping: Command, folder: Path) -> None:
    (folder / "back.yaml").write_text(BACK.replace("\n  ", "\n     "), encoding="utf-8")
    done = mapping("fmt", "--check")
    assert (done.returncode, done.stdout) == (1, f"would change: {folder / 'back.yaml'}\n")
    done = mapping("fmt", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"changed": [str(folder / "back.yaml")]})
    assert (folder / "back.yaml").read_text(encoding="utf-8") == BACK
    assert mapping("fmt", "--check").returncode == 0


def test_a_file_that_is_not_yaml_is_told_and_left_alone(mapping: Command, folder: Path) -> None:
    (folder / "back.yaml").write_text("mapping: [\n", encoding="utf-8")
    done = mapping("fmt", "back")
    assert done.returncode == 1
    assert "back.yaml:2:1: not YAML" in done.stdout
    assert (folder / "back.yaml").read_text(encoding="utf-8") == "mapping: [\n"
