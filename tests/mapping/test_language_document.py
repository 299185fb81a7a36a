"""The document of the language says what is there, and its examples give what it says."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Refusal
from gateway.mapping import conceptmap, functions, parser
from gateway.mapping.context import NAMES
from gateway.mapping.declaration import FRAGMENT_KEYS, MODULE_KEYS
from gateway.mapping.forms import forms
from gateway.mapping.module import load_module
from tests.conftest import ROOT
from tests.mapping.conftest import HEAD, MAPPINGS, OUTPUT

DOCUMENT = (ROOT / "docs" / "reference" / "mapping-language.md").read_text(encoding="utf-8")
MAPS = conceptmap.load_all(MAPPINGS / "conceptmaps")


def cells(line: str) -> list[str]:
    """The cells of a table's row, without the marks of code round them."""
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def code(cell: str) -> str:
    return re.sub(r"^(`+) ?(.*?) ?\1$", r"\2", cell)


ROWS = [cells(line) for line in DOCUMENT.splitlines() if line.startswith("| ")]
EXAMPLES = [(code(row[2]), code(row[3])) for row in ROWS if len(row) == 4 and row[3].startswith("`")]
FIRST = [re.findall(r"`([^`]+)`", row[0]) for row in ROWS]
NAMED = {name for row in FIRST for name in row}


def block(language: str) -> str:
    return DOCUMENT.partition(f"```{language}\n")[2].partition("```")[0]


@pytest.mark.parametrize(("expression", "result"), EXAMPLES)
def test_an_example_gives_what_is_said(tmp_path: Path, expression: str, result: str) -> None:
    head = HEAD + "conceptmaps: [message-event-type-to-action]\n"
    names = {"patient": "Bundle.entry[0].resource.ofType(Patient)", "example": expression}
    used = "  subject: '{{ %patient.id }}'\n  filtering: {there: '{{ %example.exists() }}'}\n"
    text = f"{head}vars: {json.dumps(names)}\n{OUTPUT}{used}"
    (tmp_path / "example.yaml").write_text(text, encoding="utf-8")
    module = load_module(tmp_path / "example.yaml", MAPS)
    found = module.variables(json.loads(block("json"), parse_float=Decimal))["example"]
    if isinstance(found, Refusal):
        assert [issue.reason for issue in found.issues] == [result]
        return
    expected: Any = [] if result == "{}" else json.loads(result, parse_float=Decimal)
    expected = expected if isinstance(expected, list) else [expected]
    assert [(type(value), str(value)) for value in found] == [(type(value), str(value)) for value in expected]


def test_there_are_many_examples() -> None:
    assert len(EXAMPLES) > 90


@pytest.mark.parametrize("name", sorted(functions.NAMES | {"not"}))
def test_every_function_is_in_a_table(name: str) -> None:
    assert any(entry.startswith(f"{name}(") for entry in NAMED)


@pytest.mark.parametrize("operator", sorted(parser.OPERATORS))
def test_every_operator_is_in_a_table(operator: str) -> None:
    assert operator in NAMED


@pytest.mark.parametrize("name", [*MODULE_KEYS, *FRAGMENT_KEYS, *forms(), *(f"%{name}" for name in NAMES)])
def test_every_key_form_and_given_name_is_told(name: str) -> None:
    assert f"`{name}`" in DOCUMENT


def test_no_function_is_told_that_is_not_there() -> None:
    told = {match[1] for entry in NAMED if (match := re.match(r"([a-zA-Z]\w*)\(", entry))}
    assert told == functions.NAMES


def test_the_example_is_a_module(tmp_path: Path) -> None:
    for fragment in ("header", "patient"):
        (tmp_path / f"{fragment}.yaml").write_bytes((MAPPINGS / "nems" / f"{fragment}.yaml").read_bytes())
    (tmp_path / "example.yaml").write_text(block("yaml"), encoding="utf-8")
    module = load_module(tmp_path / "example.yaml", MAPS)
    with pytest.raises(Refusal, match="INVALID_NHS_NUMBER"):
        module.apply({"resourceType": "Bundle"})
