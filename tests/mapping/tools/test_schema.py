"""`gateway mapping schema`, asked what an editor asks it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.documents import read_yaml
from gateway.mapping.declaration import FRAGMENT_KEYS, MODULE_KEYS
from gateway.mapping.tools.schema import schema
from gateway.mapping.tools.workspace import yaml_files
from tests.harness import run
from tests.mapping.conftest import MAPPINGS
from tests.mapping.tools.conftest import BACK


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    printed = json.loads(run("mapping", "schema").stdout)
    Draft202012Validator.check_schema(printed)
    return Draft202012Validator(printed)


@pytest.fixture(scope="module")
def signal() -> Any:
    return read_yaml(MAPPINGS / "mns" / "signal.yaml")


def test_every_module_and_fragment_is_accepted(validator: Draft202012Validator) -> None:
    for path in yaml_files(MAPPINGS):
        assert [(path, error.message) for error in validator.iter_errors(read_yaml(path))] == []


def test_a_misspelt_key_is_flagged(validator: Draft202012Validator, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(BACK.replace("summary:", "sumary:"), encoding="utf-8")
    assert any(
        "'sumary' was unexpected" in error.message for error in validator.iter_errors(read_yaml(tmp_path / "x.yaml"))
    )


@pytest.mark.parametrize(
    "break_it",
    [
        lambda module: module["output"].update(tymestamp="x"),
        lambda module: module["output"]["entry"][0]["resource"].update(parametre=[]),
        lambda module: module["output"]["entry"][0]["resource"].update(resourceType="Parametres"),
        lambda module: module["output"]["entry"][0]["resource"]["parameter"][0].update(valueBoolean="maybe"),
        lambda module: module["require"][0].pop("reason"),
        lambda module: module.pop("version"),
        lambda module: module.update(target="mns-signl"),
        lambda module: module.update(when={"events": []}),
    ],
)
def test_what_is_planted_is_flagged(validator: Draft202012Validator, signal: Any, break_it: Any) -> None:
    module = json.loads(json.dumps(signal))
    assert validator.is_valid(module)
    break_it(module)
    assert not validator.is_valid(module)


def test_every_key_of_the_reader_is_described() -> None:
    made = schema()
    assert set(made["else"]["properties"]) == set(MODULE_KEYS)
    assert set(made["then"]["properties"]) == set(FRAGMENT_KEYS)
    assert all(one for part in ("then", "else") for one in made[part]["properties"].values())
