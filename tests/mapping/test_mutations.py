"""Messages that went wrong: every one is mapped to something valid, or refused with a code and a place."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.errors import Issue, Refusal
from gateway.fhir import tables
from gateway.fhir.xml import parse_xml
from gateway.mapping.context import Context
from gateway.mapping.forms import forms
from gateway.mapping.module import Module
from gateway.mapping.modules import Modules
from gateway.mapping.validity import faults
from tests.mapping.conftest import MAPPINGS

CONTEXT: Final = Context(
    "https://a/1", "https://a", "e961aa27-adbd-4a89-b406-1cc3759cf774", "m-2", "pds-record-change-1"
)
MODULES: Final = list(Modules.load(MAPPINGS))
_NO_RESOURCE: Final = "is not a resource of this FHIR version"
ODD: Final[list[Any]] = [
    *("", " ", "x", "a" * 5_000, "\u200b", "{{ Bundle.id }}", "2020-01-01", "2020-13-45T99:00:00Z", "#", "#x", "9990000018"),
    *("urn:uuid:x", "https://example.org/Patient/1", "'", "\\", "<a/>", "new", "delete", "true", "1"),
    *(0, -1, 2**40, Decimal("1.50"), True, False, None, [], {}, [None], [""], {"": ""}, {"extension": []}, [[]]),
    {"reference": "#x"},
    [{"reference": "Patient/1"}],
    {"resourceType": "Patient", "contained": [{"resourceType": "Patient", "id": "x"}]},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*path, key)
        yield from places(inner, (*path, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def mutated(message: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A message with up to three things changed."""
    message = copy.deepcopy(message)
    for _ in range(chance.randint(1, 3)):
        known = list(places(message))
        if not known:
            break
        *path, last = chance.choice(known)
        holder = at(message, tuple(path))
        kind = chance.randrange(5)
        if kind == 0:
            del holder[last]
        elif kind == 1:
            holder[last] = copy.deepcopy(chance.choice(ODD))
        elif kind == 2:
            alike = [value for place in known if type(value := at(message, place)) is type(holder[last])]
            holder[last] = copy.deepcopy(chance.choice(alike))
        elif kind == 3 and isinstance(holder, list):
            holder.insert(chance.randint(0, len(holder)), copy.deepcopy(holder[last]))
        elif isinstance(holder[last], str) and holder[last]:
            text = holder[last]
            cut = chance.randrange(len(text))
            holder[last] = text[:cut] + chance.choice(("", "-", "Z", "9", text[cut:])) + text[cut + 1 :]
    return message


def messages(examples: Path) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every published NEMS message, and what goes into our own cases; each with its form and its inputs."""
    found: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    for path in sorted((examples / "nems" / "events").glob("*.xml")):
        found += [("nems-message", parse_xml(path.read_bytes(), tables.load("STU3")).resource, {})] * 6
    for module in MODULES:
        for path in sorted((Path(module.file).parent / "cases").glob(f"{module.name}.*.json")):
            case = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
            found.append((module.source, case["input"], case.get("inputs", {})))
    return found


def errors(message: Any, form: str) -> list[Issue]:
    return [issue for issue in faults(message, forms()[form]) if issue.severity == "error"]


def maps_well_or_refuses(module: Module, message: dict[str, Any], inputs: dict[str, Any]) -> bool:
    try:
        output = module.apply(message, CONTEXT, inputs)
    except Refusal as refusal:
        assert refusal.issues
        for issue in refusal.issues:
            assert issue.reason
            assert issue.location
        return False
    assert errors(output, module.target) == [], module.name
    return True


def survive(examples: Path, count: int, seed: int) -> tuple[int, int]:
    """How many of so many mutations are valid, and how many times one was mapped."""
    chance = random.Random(seed)
    known = messages(examples)
    valid = mapped = 0
    for _ in range(count):
        form, original, inputs = chance.choice(known)
        message = mutated(original, chance)
        found = errors(message, form)
        assert all(issue.reason and (issue.location or issue.text == _NO_RESOURCE) for issue in found)
        if found:
            continue
        valid += 1
        given = {name: mutated(each, chance) if chance.random() < 0.5 else each for name, each in inputs.items()}
        given = {name: each for name, each in given.items() if not errors(each, "r4-patient")}
        for module in MODULES:
            if module.source == form:
                mapped += maps_well_or_refuses(module, message, given)
    return valid, mapped


def test_mutations_of_messages_do_no_harm(examples: Path) -> None:
    valid, mapped = survive(examples, 20_000, 20_261_121)
    assert valid > 4_000
    assert mapped > 4_000


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_other_mutations_of_messages_do_no_harm(examples: Path) -> None:
    seed = random.randrange(2**32)
    valid, _ = survive(examples, 400_000, seed)
    assert valid > 80_000, seed
