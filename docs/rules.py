"""The pages that list every rule of a contract with the tests that hold it: `tests/contract/*/rules.yaml` and the
marker `rule` of the tests.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"


@dataclass(frozen=True)
class Rule:
    """One rule: its id, what it says, where that is published, and why no test holds it, if none does."""

    id: str
    text: str
    published: str
    why_not: str


@dataclass(frozen=True)
class Contract:
    """The rules of one contract, in named parts."""

    name: str
    title: str
    introduction: str
    parts: dict[str, list[Rule]]

    def __iter__(self) -> Iterator[Rule]:
        return (rule for rules in self.parts.values() for rule in rules)


@dataclass(frozen=True)
class Holder:
    """A test that holds a rule: its file below `tests`, and its name."""

    file: Path
    name: str


def contracts() -> list[Contract]:
    """The contracts whose rules are written down."""
    return [_read(path) for path in sorted(TESTS.glob("contract/*/rules.yaml"))]


def holders() -> dict[str, list[Holder]]:
    """For each rule that a test names by `@pytest.mark.rule("id")`, those tests."""
    found: dict[str, list[Holder]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for name, rule in _marked(ast.parse(path.read_text(encoding="utf-8"))):
            held = found.setdefault(rule, [])
            test = Holder(path.relative_to(TESTS), name)
            if test not in held:
                held.append(test)
    return found


def pages() -> dict[str, str]:
    """A page for each contract, without its notice, by file name."""
    held = holders()
    return {f"{contract.name}-rules.md": _page(contract, held) for contract in contracts()}


def _read(path: Path) -> Contract:
    file: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    sources = file["sources"]
    parts = {part["name"]: [_rule(rule, sources) for rule in part["rules"]] for part in file["parts"]}
    return Contract(path.parent.name, file["title"], file["introduction"], parts)


def _rule(rule: dict[str, str], sources: dict[str, dict[str, str]]) -> Rule:
    source = sources[rule["source"]]
    section = f", {rule['section']}" if "section" in rule else ""
    name = f"[{source['name']}]({source['url']})" if "url" in source else source["name"]
    return Rule(rule["id"], rule["rule"], name + section, rule.get("why_not", ""))


def _marked(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Each test of a module, with each rule that a decorator of it names, in `pytest.param` too."""
    for test in ast.walk(module):
        if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) and test.name.startswith("test_"):
            for decorator in test.decorator_list:
                for rule in _rules_in(decorator):
                    yield test.name, rule


def _rules_in(decorator: ast.expr) -> Iterator[str]:
    for node in ast.walk(decorator):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.rule":
            yield from (ast.literal_eval(argument) for argument in node.args)


def _page(contract: Contract, held: dict[str, list[Holder]]) -> str:
    written = [f"# Rules of {contract.title}", contract.introduction]
    for name, rules in contract.parts.items():
        rows = [_row(rule.text, rule.published, _holds(rule, held.get(rule.id, ()))) for rule in rules]
        written.append(f"## {name}\n\n| rule | published in | held by |\n|---|---|---|\n" + "\n".join(rows))
    return "\n\n".join(written) + "\n"


def _holds(rule: Rule, tests: Iterable[Holder]) -> str:
    links = [f"[{_words(test.name)}](../../tests/{test.file.as_posix()})" for test in tests]
    return "; ".join(links) or f"no test: {rule.why_not}"


def _words(name: str) -> str:
    """The name of a test as a sentence."""
    return name.removeprefix("test_").replace("_", " ")


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
