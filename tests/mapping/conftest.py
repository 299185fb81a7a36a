"""A way to write a module in a test, and to evaluate one expression."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.mapping import conceptmap
from gateway.mapping.context import Context
from gateway.mapping.module import NO_CONTEXT, Module, load_module
from gateway.mapping.modules import Modules

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"

HEAD = """\
mapping: test
version: 1.0.0
summary: A test.
source: nems-message
target: event
"""
OUTPUT = """\
output:
  id: a
  source: b
  type: c
  time: 2020-01-01T00:00:00Z
"""

Load = Callable[..., Module]
Evaluate = Callable[..., Any]


@pytest.fixture(scope="session")
def modules() -> Modules:
    return Modules.load(MAPPINGS)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a module from its text, with ConceptMaps and params."""

    def loaded(text: str, maps: Mapping[str, Any] | None = None, params: Mapping[str, str] | None = None) -> Module:
        path = tmp_path / "test.yaml"
        path.write_text(text, encoding="utf-8")
        for name, groups in (maps or {}).items():
            (tmp_path / "maps").mkdir(exist_ok=True)
            content = {"resourceType": "ConceptMap", "name": name, "group": groups}
            (tmp_path / "maps" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        return load_module(path, conceptmap.load_all(tmp_path / "maps"), params)

    return loaded


@pytest.fixture
def evaluate(load: Load) -> Evaluate:
    """Gives the value of an expression on a source, None when absent."""

    def evaluated(expression: str, source: Any, context: Context = NO_CONTEXT, head: str = HEAD) -> Any:
        text = f"{head}vars:\n  value: {json.dumps(expression)}\n{OUTPUT}  filtering: {{value: '{{{{ %value }}}}'}}\n"
        return load(text).apply(source, context).get("filtering", {}).get("value")

    return evaluated
