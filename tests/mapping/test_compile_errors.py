"""Every mistake in a module is told at its line and column, with a suggestion where one is near."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ConfigurationError, ModuleError
from gateway.mapping.modules import Modules
from tests.mapping.conftest import HEAD, OUTPUT, Load

PLAIN = HEAD + OUTPUT
PATIENT = "Bundle.entry[0].resource.ofType(Patient)"


def place(load: Load, text: str) -> tuple[int, int, str]:
    with pytest.raises(ModuleError) as caught:
        load(text, maps={"one": [{"element": [{"code": "a", "target": [{"code": "b", "equivalence": "equal"}]}]}]})
    return caught.value.line, caught.value.column, caught.value.message


# The column is that in the expression.
EXPRESSIONS = [
    ("Bundle.entri", 8, "Bundle has no element 'entri'; did you mean 'entry'?"),
    (f"{PATIENT}.name.famly", 47, "HumanName has no element 'famly'; did you mean 'family'?"),
    ("Bundle.entry.resource.name", 23, "say which one before 'name': .ofType(Patient)"),
    ("Bundle.entry.resource.ofType(Pateint)", 30, "there is no resource type Pateint; did you mean 'Patient'?"),
    ("Bundle.entry.ofType(Patient)", 21, "this is Bundle.entry, never Patient"),
    ("Bundle.type.value", 13, "code is a primitive type and has no element 'value'"),
    (f"{PATIENT}.extension.value", 52, "say which type is meant, e.g. .ofType("),
    (f"{PATIENT}.extension.value.ofType(Identifer)", 65, "no Identifer may stand here; did you mean 'Identifier'?"),
    (f"{PATIENT}.extension.valueString", 52, "a choice is written by its base name: value.ofType(string)"),
    (f"{PATIENT}.deceased = true", 42, "say which type is meant"),
    (f"{PATIENT}.name.select(given).wher(true)", 61, "there is no function 'wher'; did you mean 'where'?"),
    ("eval('1')", 1, "there is no function 'eval'"),
    ("__import__('os')", 1, "there is no function '__import__'"),
    ("Bundle.__class__", 8, "Bundle has no element '__class__'"),
    ("Bundle.entry.where()", 14, "where() takes 1 arguments, not 0"),
    ("Bundle.type.startsWith('a', 'b')", 13, "startsWith() takes 1 arguments, not 2"),
    ("Bundle.type.startsWith(1)", 24, "startsWith() takes string, not integer"),
    ("Bundle.total.upper()", 14, "upper() takes string, not unsignedInt"),
    ("Bundle.entry.upper()", 14, "upper() takes string, not Bundle.entry"),
    ("Bundle.entry.where(fullUrl)", 20, "true or false is expected, not uri; for presence write .exists()"),
    ("Bundle.type and true", 8, "true or false is expected, not code"),
    ("true and Bundle.type", 17, "true or false is expected, not code"),
    ("Bundle.type = 1", 13, "'=' does not take code and integer"),
    ("Bundle.entry = Bundle.entry", 14, "'=' does not take Bundle.entry and Bundle.entry"),
    ("Bundle.type < 1", 13, "'<' does not take code and integer"),
    (f"{PATIENT}.birthDate < '2020'", 52, "dates and times are not ordered as text is"),
    ("Bundle.type + 1", 13, "'+' does not take code and integer"),
    ("Bundle.total & 'a'", 14, "'&' does not take unsignedInt and string"),
    ("Bundle.type | 1", 13, "'|' does not take code and integer"),
    ("1 in Bundle.type", 3, "'in' does not take integer and code"),
    ("Bundle.type[1]", 13, "only [0] can be there"),
    ("Bundle.entry.distinct()", 14, "distinct() takes primitive values, not Bundle.entry"),
    ("iif(true, 1, 'a')", 1, "iif() gives integer or string: they must be alike"),
    ("Bundle.type.matches('(?=a)')", 21, "look-around"),
    ("Bundle.type.matches('(a)\\\\1')", 21, "backreferences are not supported"),
    ("Bundle.type.matches(Bundle.type)", 28, "matches() takes text written out, or a param"),
    ("Bundle.type.translate('two')", 23, "'two' is not among the conceptmaps of this module"),
    (
        f"{PATIENT}.birthDate.first().upper().extension('u')",
        68,
        "extensions of a primitive value are read where it stands",
    ),
    ("'a'.extension('u')", 5, "extensions of a primitive value are read where it stands"),
    ("Bundle.entry['x']", 14, "[ ] takes integer, not string"),
    ("Bundle.entry[1.5]", 14, "[ ] takes integer, not decimal"),
    ("Bundle.entry[-1]", 14, "an index is a whole number from 0 on"),
    ("Bundle.entry[{}]", 14, "an index is a whole number from 0 on"),
    ("Bundle.type[Bundle.total]", 13, "only [0] can be there"),
    (f"{PATIENT}.birthDate < @T10:00", 52, "'<' does not take date and time"),
    (f"{PATIENT}.birthDate < 1", 52, "dates and times are not ordered as text is"),
    ("1 ~ 1", 3, "'~' does not take integer and integer"),
    ("'a' / 1", 5, "'/' does not take string and integer"),
    ("Bundle.entry.skip('a')", 19, "skip() takes integer, not string"),
    ("Bundle.entry.union(Bundle.entry)", 14, "union() takes primitive values, not Bundle.entry"),
    ("Bundle.entry.combine(Bundle.link)", 14, "combine() does not take Bundle.entry and Bundle.link"),
    ("Bundle.entry.isDistinct()", 14, "isDistinct() takes primitive values, not Bundle.entry"),
    ("Bundle.entry.allTrue()", 14, "true or false is expected, not Bundle.entry"),
    ("(1).total", 5, "integer is a primitive type and has no element 'total'"),
    ("Bundle.entry.resource.ofType('Patient')", 30, "the name of a type is expected"),
    (f"{PATIENT}.extension.exists(value.exists(true))", 65, "say which type is meant before exists()"),
    (f"{PATIENT}.extension.value.exists()", 58, "say which type is meant before exists()"),
    ("Bundle.type.matches('" + "a" * 501 + "')", 21, "the pattern is longer than 500 characters"),
    ("%naem", 1, "there is no %naem"),
    ("%publicURL", 1, "there is no %publicURL; did you mean 'publicUrl'?"),
    ("Bundle.type)", 12, "')' is not expected here"),
]


@pytest.mark.parametrize(("expression", "column", "message"), EXPRESSIONS)
def test_a_wrong_expression_is_told_where_it_is_wrong(load: Load, expression: str, column: int, message: str) -> None:
    line, found_column, found_message = place(
        load, f"{HEAD}vars:\n  x: |-\n    {expression}\n{OUTPUT}  subject: '{{{{ %x }}}}'\n"
    )
    assert message in found_message
    assert (line, found_column) == (8, 4 + column)


OUTPUTS = [
    ("  subjct: a", 3, "Event has no element 'subjct'; did you mean 'subject'?"),
    ("  subject: 1", 12, "string is expected here, not a number"),
    ("  subject: true", 12, "string is expected here, not true or false"),
    ("  subject:", 11, "string is expected here, not null"),
    ("  subject: ''", 12, "an element cannot be empty text"),
    ("  subject: [a]", 12, "'subject' is one value, not a list"),
    ("  subject: {a: b}", 12, "'subject' is string, a single value"),
    ("  subject: '{{ Bundle.total }}'", 16, "string is expected here, not unsignedInt"),
    ("  subject: '{{ Bundle.entry }}'", 16, "string is expected here, not Bundle.entry"),
    ("  subject: 'a {{ Bundle.entry }}'", 18, "a single value is expected here, not Bundle.entry"),
    ("  subject: 'a {{ Bundle.tpye }}'", 25, "Bundle has no element 'tpye'; did you mean 'type'?"),
    ("  subject: 'a {{ Bundle.type'", 15, "this hole has no closing }}"),
    ("  filtering: a", 14, "attributes is expected here, not text"),
    ("  filtering: {}", 14, "an empty mapping says nothing"),
    ("  filtering: {a: []}", 18, "an empty list says nothing"),
    ("  filtering: {a: {b: c}}", 18, "'a' is any, a single value"),
    ("  filtering: {$for: x in Bundle.entry, a: b}", 15, "$for can only stand in a mapping that is an item"),
    ("  filtering: {$if: Bundle.type, a: b}", 20, "true or false is expected, not code"),
    ("  $if: 'true'", 3, "$if cannot stand at the top of output"),
]


@pytest.mark.parametrize(("line", "column", "message"), OUTPUTS)
def test_a_wrong_output_is_told_where_it_is_wrong(load: Load, line: str, column: int, message: str) -> None:
    found = place(load, PLAIN + line + "\n")
    assert message in found[2]
    assert found[:2] == (11, column)


SIGNAL = HEAD.replace("target: event", "target: mns-signal")
BUNDLES = [
    ("output: {resourceType: Bundle}", "Bundle needs 'type', which is mandatory"),
    ("output: {type: history}", "a resource needs its resourceType"),
    ("output: {resourceType: Bundel, type: history}", "there is no resource type Bundel; did you mean 'Bundle'?"),
    ("output: {resourceType: Patient}", "Bundle is expected here, not Patient"),
    ("output: [a]", "output must be the Bundle written as a mapping"),
    (
        "output: {resourceType: Bundle, type: history, entry: {fullUrl: a}}",
        "'entry' is a list: write its items with '- '",
    ),
    (
        "output: {resourceType: Bundle, type: history, entry: [{resource: {resourceType: Patient, name: "
        "[{given: [{$for: e in Bundle.entry, family: '{{ %e.fullUrl }}'}]}]}}]}",
        "'given' is a list of string",
    ),
    ("output: {resourceType: Bundle, type: history, entry: [[a]]}", "Bundle.entry is expected here, not a list"),
    ("output: {resourceType: Bundle, type: history, entry: [a]}", "Bundle.entry is expected here, not text"),
    ("output: {resourceType: Bundle, type: history, total: '1'}", "unsignedInt is expected here, not text"),
    (
        "output: {resourceType: Bundle, type: history, entry: [{resource: {id: a}}]}",
        "a resource needs its resourceType",
    ),
    (
        "output: {resourceType: Bundle, type: history, entry: [{resource: {resourceType: Patient, deceased: true}}]}",
        "Patient.deceased[x] is written with its type, e.g. deceasedBoolean",
    ),
    (
        "output: {resourceType: Bundle, type: history, entry: [{resource: {resourceType: Patient, name: "
        "[{given: '{{ Bundle.type }}'}]}}]}",
        "'given' is a list and the expression gives one value",
    ),
    (
        "output: {resourceType: Bundle, type: history, entry: [{$for: e of Bundle.entry, fullUrl: a}]}",
        "$for is written",
    ),
    ("output: {resourceType: Bundle, type: history, entry: [{$for: e in Bundle.entry, fullUrl: a}]}", "%e is not used"),
    ("output: {resourceType: Bundle, type: history, entry: [{$for: __e in Bundle.entry, fullUrl: a}]}", "not a name"),
    ("output: {resourceType: Bundle, type: history, entry: [{$for: mnsType in Bundle.entry, fullUrl: a}]}", "already"),
]


@pytest.mark.parametrize(("output", "message"), BUNDLES)
def test_an_output_that_is_not_the_target_is_refused(load: Load, output: str, message: str) -> None:
    line, column, found = place(load, SIGNAL + output + "\n")
    assert message in found
    assert line == 6
    assert column > 1


MODULES = [
    (PLAIN.replace("version: 1.0.0", "version: 1.0"), 2, 10, "'version' is text"),
    (PLAIN.replace("version: 1.0.0", "version: v1"), 2, 10, "'version' is a semantic version"),
    (PLAIN.replace("mapping: test", "mapping: A b"), 1, 10, "'mapping' is small letters, digits and dashes"),
    (PLAIN.replace("summary: A test.\n", ""), 1, 1, "the key 'summary' is missing"),
    (PLAIN.replace("source: nems", "source: nem"), 4, 9, "did you mean 'nems-message'?"),
    (PLAIN + "outptu: {}\n", 11, 1, "'outptu' is not a key of a module; did you mean 'output'?"),
    (PLAIN + "when: [a]\n", 11, 7, "'when' is written"),
    (PLAIN + "vars: {a: Bundle.type}\n", 11, 8, "%a is not used"),
    (PLAIN + "vars: {A: Bundle.type}\n", 11, 8, "'A' is not a name"),
    (PLAIN + "vars: {a_b: Bundle.type}\n", 11, 8, "'a_b' is not a name"),
    (PLAIN + "vars: {mnsType: Bundle.type}\n", 11, 8, "%mnsType is given by the gateway"),
    (PLAIN + "params: {mnsType: a}\n", 11, 10, "%mnsType is given by the gateway"),
    (PLAIN + "params: {a: 1}\n", 11, 13, "a param is text"),
    (PLAIN + "params: {a: b}\nvars: {a: Bundle.type}\n", 12, 8, "%a is a param already"),
    (PLAIN + "vars: {a: 1}\n", 11, 11, "an expression is expected"),
    (PLAIN + "conceptmaps: [tow]\n", 11, 15, "there is no ConceptMap 'tow'"),
    (PLAIN + "include: [nothing]\n", 11, 11, "there is no fragment 'nothing' beside this module"),
    (PLAIN + "include: [../x]\n", 11, 11, "there is no fragment"),
    (PLAIN + "include: [test]\n", 11, 11, "'test' is not a fragment"),
    (PLAIN + "ignore: [Bundle.tpye]\n", 11, 17, "did you mean 'type'?"),
    (PLAIN + "require: [{that: Bundle.type, reason: A, at: b, message: c}]\n", 11, 18, "true or false is expected"),
    (PLAIN + "require: [{that: 'true', reason: a, at: b, message: c}]\n", 11, 34, "Spine-ErrorOrWarningCode-1"),
    (PLAIN + "require: [{that: 'true', reason: A, at: b, message: '{{ c }}'}]\n", 11, 53, "a message is fixed text"),
    (PLAIN + "require: [{that: 'true', reason: A, at: b}]\n", 11, 11, "the key 'message' is missing"),
    (PLAIN + "require: [{taht: 'true'}]\n", 11, 12, "did you mean 'that'?"),
    ("- a\n", 1, 1, "a mapping of keys is expected"),
    (PLAIN + "ignore: a\n", 11, 9, "'ignore' is a list"),
    (PLAIN + "ignore: [1]\n", 11, 10, "an item of 'ignore' is text"),
    (PLAIN + "vars: [a]\n", 11, 7, "'vars' is a mapping of names"),
    (PLAIN + "require: [a]\n", 11, 11, "a requirement has the keys"),
    (
        PLAIN.replace("nems-message", "event") + "ignore: [Event.id.resolve()]\n",
        11,
        19,
        "there are no resources here to refer to",
    ),
    (PLAIN + "  filtering: {$if: [a], b: c}\n", 11, 20, "$if is an expression"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), MODULES)
def test_a_wrong_part_is_told_where_it_stands(load: Load, text: str, line: int, column: int, message: str) -> None:
    found = place(load, text)
    assert message in found[2]
    assert found[:2] == (line, column)


def test_an_error_in_folded_text_is_told_on_its_own_line(load: Load) -> None:
    text = HEAD + "vars:\n  x: >-\n    Bundle.entry\n    .where(fullUrl = 'a')\n    .resuorce\n" + OUTPUT
    assert place(load, text) == (10, 6, "Bundle.entry has no element 'resuorce'; did you mean 'resource'?")


def test_loops_inside_loops_are_limited(load: Load) -> None:
    deep = "Bundle.entry.resource.ofType(Questionnaire).item.item.item.item.linkId"
    found = place(load, f"{HEAD}vars: {{x: {deep}}}\n{OUTPUT}  subject: '{{{{ %x }}}}'\n")
    assert "more than 4 loops inside one another" in found[2]


def test_a_param_that_no_module_has_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(PLAIN + "params: {pds: x}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="no mapping module has a param 'pdss'; did you mean 'pds'"):
        Modules.load(tmp_path, {"pdss": "y"})


@pytest.mark.parametrize("when", ["", "when: {event: [b, a]}\n"])
def test_two_modules_for_the_same_are_refused(tmp_path: Path, when: str) -> None:
    for name in ("one", "two"):
        text = PLAIN.replace("mapping: test", f"mapping: {name}") + when
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ModuleError, match="'one' maps nems-message to event for") as caught:
        Modules.load(tmp_path)
    assert caught.value.file == str(tmp_path / "two.yaml")


def test_the_module_for_an_event_type_goes_before_the_one_for_any(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(PLAIN + "when: {event: [a]}\n", encoding="utf-8")
    (tmp_path / "two.yaml").write_text(PLAIN.replace("mapping: test", "mapping: other"), encoding="utf-8")
    modules = Modules.load(tmp_path)
    found = [modules.find("nems-message", "event", event) for event in ("a", "b")]
    assert [module.name for module in found if module] == ["test", "other"]
    assert modules.find("event", "mns-signal", "a") is None
    assert len(list(modules)) == 2
