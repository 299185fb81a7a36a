"""The twins do what their modules do: otherwise their times say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import Refusal
from gateway.mapping.tools import cases
from gateway.resources import folder
from tests.bench import library
from tests.bench.bridges import BRIDGES, CONTEXT, Bridge, modules, sources
from tests.bench.messages import message

CASES = [
    (bridge, path)
    for bridge in BRIDGES.values()
    for path in sorted(folder("mappings").glob(f"*/cases/{bridge.module}.{bridge.cases}*.json"))
]


@pytest.mark.parametrize(("bridge", "path"), CASES, ids=[path.stem for _, path in CASES])
def test_a_twin_passes_the_golden_cases_of_its_module(bridge: Bridge, path: Path) -> None:
    case = cases.read(path)
    context = cases.context(case.context, str(path))
    if case.expected is not None:
        assert bridge.twin(case.input, context, case.inputs) == case.expected
        return
    with pytest.raises(Refusal) as caught:
        bridge.twin(case.input, context, case.inputs)
    assert [cases.Refused(issue.reason, issue.location) for issue in caught.value.issues] == case.refused


def test_every_bridge_has_golden_cases() -> None:
    assert {bridge.module for bridge, _ in CASES} == {bridge.module for bridge in BRIDGES.values()}


def test_a_twin_builds_what_its_module_builds_of_what_is_timed() -> None:
    by_name = modules()
    timed = sources(by_name)
    for name, bridge in BRIDGES.items():
        assert bridge.twin(*timed[bridge.module]) == by_name[bridge.module].apply(*timed[bridge.module]), name


def test_all_ways_from_xml_to_json_write_the_same_signal() -> None:
    by_name = modules()
    ways = library.ways(by_name["nems-pds-change-of-gp-1"], by_name["mns-signal"], CONTEXT)
    ours, *theirs = (library.normal(way(message("xml").body)) for way in ways.values())
    assert '"valueString":"pds-change-of-gp-2"' in ours
    assert theirs == [ours, ours]
