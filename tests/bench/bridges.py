"""The mapping modules beside their hand-written twins, and the whole way from XML to JSON beside fhir.resources.

`python -m tests.bench.bridges SECONDS` prints the CPU microseconds of each, as JSON. A module and its twin, or the
gateway and fhir.resources, must give the same before anything is timed.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from gateway.mapping.context import Context
from gateway.mapping.module import Inputs, Module
from gateway.mapping.modules import Modules
from gateway.mapping.tools import cases
from gateway.resources import folder
from tests.bench import library, twins
from tests.bench.messages import message
from tests.bench.processes import BenchError
from tests.bench.timing import interleaved

Source = tuple[Mapping[str, Any], Context, Inputs]
"""What a module is applied to."""

_URL = "https://gateway.example.org"
CONTEXT: Final = Context(
    claim_check=f"{_URL}/claim-check/0000019a4389f5a00000000000000001",
    public_url=_URL,
    notification="9d9e1e86-3a5c-4d1f-9d67-3f3c5f3f2a10",
    mns_type="pds-change-of-gp-2",
    nems_code="pds-change-of-gp-1",
)


@dataclass(frozen=True, slots=True)
class Bridge:
    """A module, its twin, and how the names of those golden cases of the module begin that the twin is for."""

    module: str
    twin: Callable[[Mapping[str, Any], Context, Inputs], dict[str, Any]]
    cases: str = ""


BRIDGES: Final = {
    "NEMS change of GP to event": Bridge("nems-pds-change-of-gp-1", twins.change_of_gp),
    "NEMS record change to event": Bridge("nems-pds-record-change-1", twins.record_change),
    "NEMS vaccination to event": Bridge("nems-vaccinations-1", twins.vaccinations),
    "event to MNS signal": Bridge("mns-signal", twins.signal),
    "event to MNS CloudEvent": Bridge("mns-cloudevent", twins.cloudevent),
    "event to NEMS change of GP": Bridge("to-nems-pds", twins.to_change_of_gp, "gp-"),
}


def modules() -> dict[str, Module]:
    """The modules that come with the gateway, by name."""
    return {module.name: module for module in Modules.load(folder("mappings"))}


def sources(by_name: Mapping[str, Module]) -> dict[str, Source]:
    """What each module is timed on: the demo's messages, the event of one, and a golden case with a PDS record."""
    stu3 = load("STU3")
    timed: dict[str, Source] = {}
    for event_type in ("pds-change-of-gp-1", "pds-record-change-1", "vaccinations-1"):
        body = (folder("config") / "demo" / f"{event_type}.xml").read_bytes()
        timed[f"nems-{event_type}"] = parse_xml(body, stu3).resource, CONTEXT, {}
    event = by_name["nems-pds-change-of-gp-1"].apply(*timed["nems-pds-change-of-gp-1"])
    timed["mns-signal"] = timed["mns-cloudevent"] = event, CONTEXT, {}
    to_nems = by_name["to-nems-pds"]
    case = cases.read(cases.file(to_nems, "gp-registered"))
    timed["to-nems-pds"] = case.input, cases.context(case.context, ""), case.inputs
    return timed


def measure(seconds: float) -> dict[str, Any]:
    """`twins`: each module and its twin; `library`: each way from XML to JSON. Each takes about `seconds`.

    Raises:
        BenchError: what should be the same is not.
    """
    by_name = modules()
    each = seconds / len(BRIDGES)
    timed = sources(by_name)
    beside_twins = {
        name: _beside_twin(bridge, by_name[bridge.module], timed[bridge.module], each)
        for name, bridge in BRIDGES.items()
    }
    return {"twins": beside_twins, "library": _beside_library(by_name, seconds)}


def _beside_twin(bridge: Bridge, module: Module, source: Source, seconds: float) -> dict[str, float]:
    if module.apply(*source) != bridge.twin(*source):
        raise BenchError(f"{module.name} and its twin build different things")
    return interleaved({"module": partial(module.apply, *source), "twin": partial(bridge.twin, *source)}, seconds)


def _beside_library(by_name: Mapping[str, Module], seconds: float) -> dict[str, float]:
    body = message("xml").body
    ways = library.ways(by_name["nems-pds-change-of-gp-1"], by_name["mns-signal"], CONTEXT)
    if len({library.normal(way(body)) for way in ways.values()}) != 1:
        raise BenchError("the gateway and fhir.resources write different signals")
    # As the gateway does once it has started; it is for all three.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    return interleaved({name: partial(way, body) for name, way in ways.items()}, seconds)


def main(seconds: str) -> None:
    print(json.dumps(measure(float(seconds))))


if __name__ == "__main__":
    main(*sys.argv[1:])
