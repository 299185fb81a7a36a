"""The cases beside the modules: what goes in, and what comes out or is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.errors import Refusal
from gateway.mapping.context import NAMES, Context
from gateway.mapping.modules import Modules
from tests.mapping.conftest import MAPPINGS

CASES = sorted(MAPPINGS.rglob("cases/*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_comes_out_as_written(modules: Modules, path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    module = next(module for module in modules if module.name == path.name.partition(".")[0])
    context = Context(**{NAMES[name]: value for name, value in case["context"].items()})
    inputs = case.get("inputs", {})
    if "refused" not in case:
        assert module.apply(case["input"], context, inputs) == case["expected"]
        return
    with pytest.raises(Refusal) as caught:
        module.apply(case["input"], context, inputs)
    found = [{"reason": issue.reason, "location": issue.location} for issue in caught.value.issues]
    assert found == case["refused"]


def test_every_module_has_a_case(modules: Modules) -> None:
    assert {module.name for module in modules} == {path.name.partition(".")[0] for path in CASES}
