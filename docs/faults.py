"""The page that lists every fault that a test plays, and what comes of it: the marker `fault` of the tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
_INTRODUCTION = """What was broken on purpose, and what came of it. Each line is a test that asserts it; most are
played for a second by `make test` and for a minute by `make soak`. In all of them every event that was answered 202 was
delivered or is a visible dead letter, and what arrived twice had an attempt whose end nobody could know.
"""


def page() -> str:
    """The page, without its notice."""
    lines = [f"| {what} | {result} | [{name}](../../tests/{file}) |" for what, result, name, file in sorted(_faults())]
    return "\n".join(
        ["# Faults", "", _INTRODUCTION, "| fault | what comes of it | test |", "|---|---|---|", *lines, ""]
    )


def _faults() -> Iterator[tuple[str, str, str, str]]:
    for path in TESTS.rglob("test_*.py"):
        for test in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef):
                for what, result in _marks(test):
                    yield (
                        what,
                        result,
                        test.name.removeprefix("test_").replace("_", " "),
                        path.relative_to(TESTS).as_posix(),
                    )


def _marks(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, str]]:
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.fault":
            what, result = (ast.literal_eval(argument) for argument in decorator.args)
            yield what, result
