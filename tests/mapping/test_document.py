"""Strict YAML."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.errors import ModuleError
from gateway.mapping.document import MAX_DEPTH, ListNode, MapNode, ScalarNode, read


def plain(text: str) -> object:
    node = read(f"- {text}\n", "f.yaml")
    assert isinstance(node, ListNode)
    assert isinstance(node.items[0], ScalarNode)
    return node.items[0].value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("12", 12),
        ("-1", -1),
        ("1.50", Decimal("1.50")),
        ("yes", "yes"),
        ("No", "No"),
        ("True", "True"),
        ("~", "~"),
        ("2024-01-01", "2024-01-01"),
        ("1.0.0", "1.0.0"),
        ("012", "012"),
        ("0x1F", "0x1F"),
        ("1e3", "1e3"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        (".inf", ".inf"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("9" * 30, "9" * 30),
    ],
)
def test_only_the_words_and_numbers_of_json_are_not_text(text: str, value: object) -> None:
    found = plain(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: !!python/object/apply:os.system [ls]", 1, 4, "a tag is not allowed"),
        ("a: !x b", 1, 4, "a tag is not allowed"),
        ("a: &x b", 1, 4, "an anchor is not allowed"),
        ("a: 1\nb: *x", 2, 4, "an alias is not allowed"),
        ("a: 1\n<<: {b: 2}", 2, 1, "a merge key is not allowed"),
        ("a: 1\nb: 2\na: 3", 3, 1, "the key 'a' stands here twice"),
        ("a: {b: 1, b: 2}", 1, 11, "the key 'b' stands here twice"),
        ("a: 1\n---\nb: 2", 2, 1, "a second document is not allowed"),
        ("%YAML 1.1\n---\na: 1", 1, 1, "a YAML directive is not allowed"),
        ("? [a]\n: 1", 1, 3, "a key must be text"),
        ("a: [1", 1, 6, "not YAML"),
        ("a: 'x", 1, 6, "not YAML"),
        ("a: b: c", 1, 5, "not YAML"),
        ("a: \x00", 0, 0, "not YAML"),
        (r'a: "\ud83d\ude00"', 1, 4, "half a surrogate pair is not a character"),
        ("", 0, 0, "the file is empty"),
    ],
)
def test_the_rest_of_yaml_is_refused_where_it_stands(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(ModuleError) as caught:
        read(text, "f.yaml")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("f.yaml", line, column)
    assert message in caught.value.message


@pytest.mark.parametrize(
    "text", ["[" * 10_000, "{a: " * 10_000, "- " * 10_000, "? " * 10_000, "- - a\n" * 200_000, "x" * 1_000_001]
)
def test_a_monster_is_refused_and_not_followed(text: str) -> None:
    with pytest.raises(ModuleError):
        read(text, "f.yaml")


def test_nesting_is_allowed_as_deep_as_documented() -> None:
    assert read("[" * (MAX_DEPTH - 1) + "a" + "]" * (MAX_DEPTH - 1), "f")
    with pytest.raises(ModuleError, match="nested more than 40 deep"):
        read("[" * MAX_DEPTH + "a" + "]" * MAX_DEPTH, "f")


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("k: one + two", 1, 10),
        ("k: 'one + two'", 1, 11),
        ('k: "one + two"', 1, 11),
        ("k: one\n  + two", 2, 5),
        ("k: >-\n  one\n  + two", 3, 5),
        ("k: |\n\n    one\n    + two", 4, 7),
        ("k: 'o''n''e + two'", 1, 15),
        (r'k: "o\"n\u0065 + two"', 1, 18),
        ("k: '''''''' # x\n", 0, 0),
    ],
)
def test_an_offset_in_a_value_is_found_in_the_file(text: str, line: int, column: int) -> None:
    node = read(text, "f.yaml")
    assert isinstance(node, MapNode)
    value = node.items["k"]
    assert isinstance(value, ScalarNode)
    if line:
        place = value.place_of(str(value.value).index("two"))
        assert (place.line, place.column) == (line, column)
    else:
        assert value.place_of(99).line == 1
