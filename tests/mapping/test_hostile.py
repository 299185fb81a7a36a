"""Data and modules written to do harm."""

from __future__ import annotations

import copy
import json
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import ModuleError, Refusal
from gateway.mapping.context import Context
from gateway.mapping.modules import Modules
from tests.mapping.conftest import HEAD, MAPPINGS, OUTPUT, Evaluate, Load

CONTEXT = Context("https://a", "https://b", "e961aa27-adbd-4a89-b406-1cc3759cf774", "m-1", "n-1")
MODULES = list(Modules.load(MAPPINGS))
CASES = [json.loads(path.read_text(encoding="utf-8"))["input"] for path in sorted(MAPPINGS.rglob("cases/*.json"))]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def maps_or_refuses(source: Any) -> None:
    for module in MODULES:
        try:
            found = module.apply(source, CONTEXT)
        except Refusal:
            continue
        assert isinstance(found, dict)


@given(JSON)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_json_is_mapped_or_refused(source: Any) -> None:
    maps_or_refuses(source)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member and item below a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [each for key, inner in pairs for each in ((*path, key), *places(inner, (*path, key)))]


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_message_with_anything_in_any_place_is_mapped_or_refused(data: st.DataObject) -> None:
    source = copy.deepcopy(data.draw(st.sampled_from(CASES)))
    *path, last = data.draw(st.sampled_from(places(source)))
    holder = source
    for key in path:
        holder = holder[key]
    if data.draw(st.booleans()):
        holder[last] = data.draw(JSON)
    else:
        del holder[last]
    maps_or_refuses(source)


def test_nothing_is_said_of_what_was_wrong_in_a_shape() -> None:
    secret = {"resourceType": "Bundle", "entry": [{"resource": "CANARY-9990000018"}]}
    module = next(module for module in MODULES if module.name == "nems-pds-change-of-gp-1")
    with pytest.raises(Refusal) as caught:
        module.apply(secret, CONTEXT)
    assert "CANARY" not in repr(caught.value) + repr(caught.value.issues)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "value",
    ["{{ Bundle.id }}", "{{ %pds }}", "${7*7}", "{0.__class__}", "%s%n", "' & Bundle.id & '", "\\u0041", "{", "}}"],
)
def test_data_is_never_a_template(evaluate: Evaluate, load: Load, value: str) -> None:
    source = {"id": "secret", "type": value}
    assert evaluate("Bundle.type", source) == value
    module = load(HEAD + OUTPUT + "  subject: 'a{{ Bundle.type }}b{{ Bundle.type }}'\n")
    assert module.apply(source)["subject"] == f"a{value}b{value}"


def test_a_huge_list_costs_its_length_and_no_more() -> None:
    message = {"resourceType": "Bundle", "entry": [{"fullUrl": "a", "resource": {"resourceType": "Patient"}}] * 300_000}
    start = time.perf_counter()
    maps_or_refuses(message)
    assert time.perf_counter() - start < 5


def test_a_pattern_takes_time_in_proportion(evaluate: Evaluate) -> None:
    start = time.perf_counter()
    assert evaluate("Bundle.type.matches('^(a+)+$')", {"type": "a" * 100_000 + "b"}) is False
    assert time.perf_counter() - start < 5


def test_a_result_shares_no_state_with_the_next(load: Load) -> None:
    module = load(HEAD + OUTPUT + "  filtering: {codes: [a, b]}\n")
    module.apply({})["filtering"]["codes"].append("spoilt")
    assert module.apply({})["filtering"] == {"codes": ["a", "b"]}


def test_a_message_cannot_see_another(load: Load) -> None:
    text = HEAD + "inputs: {other: r4-patient}\n" + OUTPUT
    text += "  subject: '{{ Bundle.entry.fullUrl.resolve().id }}'\n  versionid: '{{ %other.id }}'\n"
    module = load(text)
    first = {"entry": [{"fullUrl": "urn:a", "resource": {"resourceType": "Patient", "id": "secret"}}]}
    second = {"entry": [{"fullUrl": "Patient/secret"}]}
    found = module.apply(first, inputs={"other": {"id": "also"}})
    assert (found["subject"], found["versionid"]) == ("secret", "also")
    assert not {"subject", "versionid"} & module.apply(second).keys()


def test_messages_in_many_threads_do_not_meet(load: Load) -> None:
    module = load(HEAD + OUTPUT + "  filtering: {ids: '{{ Bundle.entry.fullUrl.resolve().id.distinct().join() }}'}\n")

    def message(number: int) -> dict[str, Any]:
        resource = {"resourceType": "Patient", "id": str(number)}
        return {"entry": [{"fullUrl": f"urn:{n}", "resource": resource} for n in range(20)]}

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: module.apply(message(number)), range(400)))
    assert [one["filtering"]["ids"] for one in found] == [str(number) for number in range(400)]


def test_lists_do_not_grow_without_bound(load: Load) -> None:
    names = [f"v{n}" for n in range(40)]
    grown = "".join(f"  {name}: '%{before}.combine(%{before})'\n" for before, name in pairwise(names))
    text = HEAD + "vars:\n  v0: Bundle.entry\n" + grown + OUTPUT + "  filtering: {n: '{{ %v39.count() }}'}\n"
    with pytest.raises(Refusal, match="INVALID_RESOURCE at Bundle"):
        load(text).apply({"entry": [{}, {}]})


@pytest.mark.parametrize(
    "name", ["/etc/hostname", "../header", "header.yaml", "nems/header", "", ".", "~", "header\x00"]
)
def test_a_module_reads_no_file_but_fragments_beside_it(load: Load, name: str) -> None:
    with pytest.raises(ModuleError, match=r"there is no fragment|not YAML"):
        load(HEAD + f"include: [{json.dumps(name)}]\n" + OUTPUT)
    with pytest.raises(ModuleError, match=r"there is no ConceptMap|not YAML"):
        load(HEAD + f"conceptmaps: [{json.dumps(name)}]\n" + OUTPUT)


TEXTS = [
    "'",
    '"',
    "\\",
    "\n",
    "\r\n",
    "'''",
    '"""',
    "\u2028",
    "\x85",
    "{}",
    "{0}",
    "{h}",
    "%s",
    "#",
    "é",
    "\\'); x(",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_of_a_module_is_only_ever_text(evaluate: Evaluate, load: Load, text: str) -> None:
    written = text.replace("\\", "\\\\").replace("'", "\\'")
    assert evaluate(f"'{written}'", {}) == text
    assert evaluate(f"Bundle.type & '{written}'", {"type": "a"}) == "a" + text
    assert evaluate("Bundle.type.startsWith('" + written + "')", {"type": text}) is True
    subject = f"a{text}"
    output = OUTPUT + "  subject: " + json.dumps(subject) + "\n  filtering: {" + json.dumps(text) + ": x}\n"
    found = load(HEAD + output).apply({})
    assert (found["subject"], found["filtering"]) == (subject, {text: "x"})
    head = HEAD + "params: {text: " + json.dumps(text) + "}\n"
    assert evaluate("%text", {}, head=head) == text


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "vars: {__builtins__: Bundle.id}\n" + OUTPUT,
        HEAD + "vars: {'x = 1': Bundle.id}\n" + OUTPUT,
        HEAD + 'vars: {"a\\nimport os": Bundle.id}\n' + OUTPUT,
        HEAD.replace("mapping: test", 'mapping: "a>\\nimport os"') + OUTPUT,
        HEAD + OUTPUT + "  'subject\"]; import os': x\n",
        HEAD + "vars: {x: 'Bundle.`id\\')`'}\n" + OUTPUT,
        HEAD + "vars: {x: " + "(" * 10_000 + "Bundle" + ")" * 10_000 + "}\n" + OUTPUT,
        HEAD + OUTPUT + "  filtering: " + "{a: " * 10_000 + "b" + "}" * 10_000,
        HEAD + OUTPUT + "  filtering: {a: " + "[" * 10_000 + "]" * 10_000 + "}",
        HEAD + "vars: {x: " + "Bundle.entry.where(" * 30 + "true" + ")" * 30 + ".exists()}\n" + OUTPUT,
        HEAD
        + "vars: {x: "
        + "iif(true, " * 39
        + "1"
        + ", 2)" * 39
        + "}\n"
        + OUTPUT
        + "  subject: '{{ %x.toString() }}'",
    ],
    ids=range(11),
)
def test_a_module_that_tries_to_be_more_is_refused_or_harmless(load: Load, text: str) -> None:
    try:
        module = load(text)
    except ModuleError:
        return
    assert module.apply({})["subject"] == "1"


def test_generated_code_has_no_builtins(load: Load) -> None:
    module = load(HEAD + OUTPUT)
    assert getattr(module.run, "__globals__")["__builtins__"] == {}  # noqa: B009 - a Callable has no such attribute
