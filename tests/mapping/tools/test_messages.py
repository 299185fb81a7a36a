"""`gateway mapping run`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.mapping.conftest import MAPPINGS
from tests.mapping.tools.conftest import EVENT, Command

SAMPLE = ROOT / "config" / "demo" / "vaccinations-1.xml"


@pytest.fixture
def event(tmp_path: Path) -> str:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(EVENT), encoding="utf-8")
    return str(path)


def test_a_message_is_mapped(mapping: Command) -> None:
    done = mapping(
        "run", "nems-vaccinations-1", str(SAMPLE), "--param", "claimCheck=https://example.org/1", where=MAPPINGS
    )
    assert (done.returncode, done.stderr) == (0, "")
    out = json.loads(done.stdout)
    assert (out["dataref"], out["filtering"]["action"]) == ("https://example.org/1", "CREATE")


def test_params_of_the_module_are_set(mapping: Command, event: str) -> None:
    done = mapping("run", "there", event, "--param", "who=urn:me", "--param", "claimCheck=urn:copy")
    out = json.loads(done.stdout)
    assert (out["source"], out["dataref"]) == ("urn:me", "urn:copy")


def test_what_comes_out_can_be_xml(mapping: Command, event: str, folder: Path) -> None:
    text = (folder / "there.yaml").read_text(encoding="utf-8").partition("params:")[0]
    text = text.replace("mapping: there", "mapping: signal").replace("target: cloudevent", "target: mns-signal")
    (folder / "signal.yaml").write_text(
        f'{text}output: {{resourceType: Bundle, id: "{{{{ Event.id }}}}", type: history}}\n', encoding="utf-8"
    )
    done = mapping("run", "signal", event, "--xml")
    assert done.stdout.endswith(
        '\n<Bundle xmlns="http://hl7.org/fhir"><id value="1"/><type value="history"/></Bundle>\n'
    )
    done = mapping("run", "there", event, "--xml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "cloudevent is JSON only" in done.stderr


def test_a_refusal_is_told_with_reason_and_place(mapping: Command, tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text("{}", encoding="utf-8")
    done = mapping("run", "there", str(tmp_path / "empty.json"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("refused: INVALID_RESOURCE at CloudEvent.id: nothing gives a value")
    done = mapping("run", "there", str(tmp_path / "empty.json"), "--json")
    assert json.loads(done.stdout)["refused"][0]["reason"] == "INVALID_RESOURCE"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("<Bundle", "MESSAGE_NOT_WELL_FORMED"),
        ('{"resourceType": "Bundle", "typo": 1, "type": "message"}', "INVALID_RESOURCE at Bundle.typo"),
        ("[1]", "MESSAGE_NOT_WELL_FORMED"),
    ],
)
def test_a_file_that_is_no_message_is_refused(mapping: Command, tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "message").write_text(content, encoding="utf-8")
    done = mapping("run", "nems-vaccinations-1", str(tmp_path / "message"), where=MAPPINGS)
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["/no/such/file"], "No such file"),
        (["EVENT", "--param", "whoo=1"], "no param 'whoo'; did you mean 'who'?"),
        (["EVENT", "--param", "who"], "write it as name=value"),
        (["EVENT", "--case", "../there"], "small letters, digits and dashes"),
        (["/"], "Is a directory"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(mapping: Command, event: str, arguments: list[str], says: str) -> None:
    done = mapping("run", "there", *(event if one == "EVENT" else one for one in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_what_came_out_is_kept_as_a_case_once(mapping: Command, event: str, folder: Path) -> None:
    done = mapping("run", "there", event, "--param", "claimCheck=urn:copy", "--case", "copied")
    assert done.returncode == 0
    case = json.loads((folder / "cases" / "there.copied.json").read_text(encoding="utf-8"))
    assert case == {"input": EVENT, "context": {"claimCheck": "urn:copy"}, "expected": json.loads(done.stdout)}
    assert mapping("test", "there").stdout == "2 cases, 0 failed\n"
    done = mapping("run", "there", event, "--case", "copied")
    assert done.returncode == 2
    assert "there is a case of that name already" in done.stderr


def test_a_refusal_is_kept_as_a_case(mapping: Command, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty.json").write_text("{}", encoding="utf-8")
    assert mapping("run", "there", str(tmp_path / "empty.json"), "--case", "empty").returncode == 1
    case = json.loads((folder / "cases" / "there.empty.json").read_text(encoding="utf-8"))
    assert case == {"input": {}, "refused": [{"reason": "INVALID_RESOURCE", "location": "CloudEvent.id"}]}
    assert mapping("test", "there").stdout == "2 cases, 0 failed\n"


def test_further_sources_are_read_from_files(mapping: Command, event: str, tmp_path: Path, folder: Path) -> None:
    text = (folder / "there.yaml").read_text(encoding="utf-8")
    text = text.replace("mapping: there", "mapping: two").replace(
        "target: cloudevent", "target: cloudevent\ninputs: {who: r4-patient}"
    )
    text = text.replace('params: {who: "urn:example:who"}\n', "").replace("{{ %who }}", "urn:{{ %who.id }}")
    (folder / "two.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "who.json").write_text('{"resourceType": "Patient", "id": "me"}', encoding="utf-8")
    done = mapping("run", "two", event, "--input", f"who={tmp_path / 'who.json'}", "--case", "me")
    assert json.loads(done.stdout)["source"] == "urn:me"
    assert mapping("test", "two").stdout == "1 case, 0 failed\n"
    done = mapping("run", "two", event, "--input", "whoo=x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "two has no input 'whoo'; did you mean 'who'?" in done.stderr
