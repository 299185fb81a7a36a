"""`gateway mapping test`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mapping.conftest import MAPPINGS
from tests.mapping.tools.conftest import EVENT, Command, case, replace


def test_the_cases_of_the_shipped_modules_pass(mapping: Command) -> None:
    done = mapping("test", where=MAPPINGS)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout == f"{len(list(MAPPINGS.rglob('cases/*.json')))} cases, 0 failed\n"


def test_what_came_out_otherwise_is_told_by_path(mapping: Command, folder: Path) -> None:
    path = case(
        folder,
        "there.wrong",
        input=EVENT,
        expected={"specversion": "1.0", "id": "2", "source": "urn:example:who", "time": EVENT["time"], "subject": "x"},
    )
    done = mapping("test", "there")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        str(path),
        '    output.id: "2" was expected, "1" came',
        '    output.subject: "x" was expected, nothing came',
        '    output.type: "example-1" came, nothing was expected',
        "2 cases, 1 failed",
    ]


def test_a_refusal_that_was_not_expected_and_one_that_did_not_come(mapping: Command, folder: Path) -> None:
    case(folder, "there.refused", input={}, expected={"id": "1"})
    case(folder, "there.taken", input=EVENT, refused=[{"reason": "INVALID_RESOURCE", "location": "CloudEvent.id"}])
    case(folder, "there.right", input={}, refused=[{"reason": "INVALID_RESOURCE", "location": "CloudEvent.id"}])
    done = mapping("test")
    assert done.returncode == 1
    assert "    refused: INVALID_RESOURCE at CloudEvent.id\n" in done.stdout
    assert "    not refused; expected INVALID_RESOURCE at CloudEvent.id\n" in done.stdout
    assert done.stdout.endswith("5 cases, 2 failed\n")


def test_an_output_that_is_not_valid_fails_its_case(mapping: Command, folder: Path) -> None:
    module = (folder / "there.yaml").read_text(encoding="utf-8")
    head, _, _ = module.partition("params:")
    head = head.replace("mapping: there", "mapping: signal").replace("target: cloudevent", "target: mns-signal")
    output = 'output: {resourceType: Bundle, id: "{{ Event.id }}", type: history, timestamp: "{{ Event.time }}"}\n'
    (folder / "signal.yaml").write_text(f"{head}{output}", encoding="utf-8")
    written = {"resourceType": "Bundle", "id": "1", "type": "history", "timestamp": "yesterday"}
    case(folder, "signal.bad-time", input={**EVENT, "time": "yesterday"}, expected=written)
    done = mapping("test", "signal")
    assert done.returncode == 1
    assert "what came out is not valid: Bundle.timestamp" in done.stdout


def test_results_as_json(mapping: Command, folder: Path) -> None:
    replace(folder / "cases" / "back.plain.json", '"expected": {"id": "1"', '"expected": {"id": "2"')
    done = mapping("test", "--json")
    assert done.returncode == 1
    back, there = json.loads(done.stdout)["cases"]
    assert (back["passed"], there["passed"]) == (False, True)
    assert back["differences"] == [{"path": "output.id", "change": "changed", "before": "2", "after": "1"}]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[", "not a case"),
        ('{"input": {}}', "either 'expected' or 'refused'"),
        ('{"input": {}, "expekted": {}}', "expekted"),
        ('{"input": {}, "expected": {}, "context": {"claimChek": "x"}}', "did you mean 'claimCheck'?"),
    ],
)
def test_a_file_that_is_no_case_is_told(mapping: Command, folder: Path, content: str, says: str) -> None:
    (folder / "cases" / "there.plain.json").write_text(content, encoding="utf-8")
    done = mapping("test", "there")
    assert done.returncode == 1
    assert says in done.stdout
    assert "there.plain.json" in done.stdout


def test_a_broken_module_is_told_and_the_rest_is_run(mapping: Command, folder: Path) -> None:
    replace(folder / "back.yaml", "target: event", "target: evnt")
    done = mapping("test")
    assert done.returncode == 1
    assert "back.yaml:5:9: there is no form 'evnt'" in done.stdout
    assert done.stdout.endswith("\n1 case, 0 failed\n")
    told = json.loads(mapping("test", "--json").stdout)
    assert (len(told["cases"]), told["faults"][0]["line"]) == (1, 5)
