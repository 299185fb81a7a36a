"""`gateway mapping coverage`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.mapping.conftest import MAPPINGS
from tests.mapping.tools.conftest import EVENT, Command, case, replace

FRAGMENT = """\
fragment: shared
summary: Facts.
source: event

vars:
  whom: iif(Event.subject.exists(), Event.subject, 'nobody')
"""


def test_what_no_case_reaches_and_no_module_uses(mapping: Command, folder: Path) -> None:
    replace(folder / "there.yaml", "ignore:\n  - Event.subject\n", "")
    done = mapping("coverage", "there")
    assert (done.returncode, done.stderr) == (0, "")
    head, *lines = done.stdout.splitlines()
    assert head == f"{folder / 'there.yaml'}: 4 of 5 branches and codes reached"
    assert lines == [
        f"    {folder / 'there.yaml'}:15:12: value: never written",
        "    not used and not ignored: Event.source",
        "    not used and not ignored: Event.subject",
    ]
    found = json.loads(mapping("coverage", "there", "--json").stdout)[str(folder / "there.yaml")]
    assert (found["total"], found["reached"], found["unused"]) == (5, 4, ["Event.source", "Event.subject"])
    assert [one["line"] for one in found["unreached"]["branches"]] == [15]


def test_a_case_more_reaches_it(mapping: Command, folder: Path) -> None:
    out = {name: EVENT[name] for name in ("id", "type", "time")}
    out |= {"specversion": "1.0", "source": "urn:example:who", "dataref": "urn:x"}
    case(folder, "there.copied", input=EVENT, context={"claimCheck": "urn:x"}, expected=out)
    assert mapping("coverage", "there").stdout.startswith(f"{folder / 'there.yaml'}: 5 of 5 ")


def test_a_fragment_is_covered_by_all_who_include_it(mapping: Command, folder: Path) -> None:
    (folder / "shared.yaml").write_text(FRAGMENT, encoding="utf-8")
    module = (folder / "there.yaml").read_text(encoding="utf-8")
    module = module.replace("target: cloudevent", "target: cloudevent\ninclude: [shared]")
    module = module.replace("  dataref:", '  subject: "{{ %whom }}"\n  dataref:')
    for name, given in (("one", {**EVENT, "subject": "x"}), ("two", {"id": "1", "type": "t", "time": EVENT["time"]})):
        (folder / f"{name}.yaml").write_text(module.replace("mapping: there", f"mapping: {name}"), encoding="utf-8")
        case(folder, f"{name}.only", input=given, expected={})
    place = f"{folder / 'shared.yaml'}:6:9: iif: never"
    assert place not in mapping("coverage", "one").stdout
    (folder / "two.yaml").unlink()
    assert f"{place} otherwise" in mapping("coverage", "one").stdout


def test_a_check_fails_while_something_is_not_reached(mapping: Command, folder: Path) -> None:
    done = mapping("coverage", "there", "--check")
    assert (done.returncode, done.stderr) == (1, "")
    given = {name: EVENT[name] for name in ("id", "source", "type", "time")} | {"dataref": "urn:x"}
    case(folder, "back.whole", input=given, expected=given)
    assert mapping("coverage", "back", "--check").returncode == 0


def test_codes_that_no_case_has(mapping: Command) -> None:
    done = mapping("coverage", where=MAPPINGS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(" branches and codes reached\n") >= 5


def test_a_broken_module_is_told(mapping: Command, folder: Path) -> None:
    replace(folder / "there.yaml", "source: event", "source: evnt")
    done = mapping("coverage")
    assert done.returncode == 1
    assert "there is no form 'evnt'" in done.stdout
