from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Refusal
from gateway.subscriptions.criteria import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Comparison,
    Criterion,
    anchors,
    comparisons,
    predicate,
    render,
)
from gateway.subscriptions.criteria_parser import LONGEST, parse

FACTS = {"practice": ("A20047",), "flag": ("S", "I"), "age": ("13",), "changed": ("true",), "none": ()}


def verdict(text: str) -> bool | None:
    return predicate(parse(text))(FACTS.get)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("practice = 'A20047'", True),
        ("practice = A20047", True),
        ("practice='B86056'", False),
        ("practice != 'B86056'", True),
        ("flag = 'I'", True),
        ("flag != 'I'", False),
        ("flag IN ('X', 'S')", True),
        ("flag IN ('X')", False),
        ("age < 14", True),
        ("age < '14'", True),
        ("age > 13", False),
        ("age >= 13 AND age <= 13", True),
        ("age < 5", False),
        ("practice < 'B'", True),
        ("practice < 5", False),
        ("changed = true", True),
        ("none = 'x'", False),
        ("none != 'x'", True),
        ("unknown = 'x'", None),
        ("unknown != 'x'", None),
        ("unknown < 5", None),
        ("unknown = 'x' AND practice = 'B'", False),
        ("unknown = 'x' AND practice = 'A20047'", None),
        ("unknown = 'x' OR practice = 'A20047'", True),
        ("unknown = 'x' OR practice = 'B'", None),
        ("practice = 'B' OR age < 14 AND flag = 'S'", True),
        ("(practice = 'B' OR age < 14) AND flag = 'X'", False),
        ("", True),
    ],
)
def test_verdicts(text: str, expected: bool | None) -> None:
    assert verdict(text) is expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a", "needs =, !=, <, <=, >, >= or IN at character 2"),
        ("a =", "needs a value at character 4"),
        ("= b", "needs the name of a fact at character 1"),
        ("'a' = b", "needs the name of a fact at character 1"),
        ("a = 'b", "needs a name, a value or an operator at character 4"),
        ("a = b c", "needs AND, OR or the end at character 7"),
        ("a = b AND", "needs the name of a fact"),
        ("(a = b", "needs ) at character 7"),
        ("a = b)", "needs AND, OR or the end"),
        ("a IN b", "needs ( at character 6"),
        ("a IN ()", "needs a value"),
        ("a IN (b c)", "needs )"),
        ("a LIKE b", "needs =, !="),
        ("(" * 21 + "a = b" + ")" * 21, "more than 20 parentheses"),
        ("a = b" + " " * LONGEST, "is longer than"),
    ],
)
def test_what_is_refused_and_where(text: str, says: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(text, "Subscription.criteria")
    (issue,) = caught.value.issues
    assert (issue.reason, issue.location) == ("INVALID_REQUEST_MESSAGE", "Subscription.criteria")
    assert says in issue.text


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(Refusal) as caught:
        parse("nhsnumber = 9990001006 9990001006")
    assert "999" not in caught.value.issues[0].text


NAMES = st.sampled_from(["practice", "flag", "age", "unknown"])
VALUES = st.sampled_from(["A20047", "S", "13", "it's", "a b", ""])
COMPARISONS = st.one_of(
    st.builds(lambda key, op, one: Comparison(key, op, (one,)), NAMES, st.sampled_from(["=", "!=", "<", ">="]), VALUES),
    st.builds(lambda key, some: Comparison(key, "IN", tuple(some)), NAMES, st.lists(VALUES, min_size=1, unique=True)),
)
CRITERIA: st.SearchStrategy[Criterion] = st.recursive(
    COMPARISONS,
    lambda part: st.builds(
        lambda node, parts: node(tuple(parts)), st.sampled_from([AllOf, AnyOf]), st.lists(part, min_size=2, max_size=3)
    ),
    max_leaves=8,
)


@given(CRITERIA)
def test_what_is_rendered_is_read_back(criterion: Criterion) -> None:
    assert parse(render(criterion)) == criterion


@given(CRITERIA)
def test_only_an_event_with_one_of_its_anchors_meets_a_criterion(criterion: Criterion) -> None:
    facts: dict[str, Sequence[str]] = {"practice": ("A20047",), "flag": ("S",), "age": ("13",)}
    offered = anchors(criterion, lambda _: 1)
    if predicate(criterion)(facts.get) and offered is not None:
        assert any(value in facts.get(key, ()) for key, value in offered)


def test_the_anchor_with_the_smallest_crowd_is_offered() -> None:
    criterion = parse("country = 'E92000001' AND age < 14 AND practice = 'A20047'")
    crowd = {"country": 9000, "practice": 3}
    assert anchors(criterion, lambda anchor: crowd[anchor[0]]) == [("practice", "A20047")]
    assert anchors(parse("country = 'E' OR practice IN ('A', 'B')"), lambda _: 0) == [
        ("country", "E"),
        ("practice", "A"),
        ("practice", "B"),
    ]
    assert anchors(parse("country = 'E' OR age < 14"), lambda _: 0) is None
    assert anchors(EVERYTHING, lambda _: 0) is None


def test_its_comparisons_are_told_in_order() -> None:
    told = comparisons(parse("a = 1 AND (b < 2 OR c != 3)"))
    assert [(one.key, one.operator) for one in told] == [("a", "="), ("b", "<"), ("c", "!=")]


@given(st.text(max_size=60))
def test_anything_is_read_or_refused(text: str) -> None:
    try:
        parse(text)
    except Refusal as refused:
        assert refused.issues[0].location == "criteria"
