"""Values compared by path."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.mapping.tools.difference import Difference, differences, named_differences


@pytest.mark.parametrize("compare", [differences, named_differences])
def test_equal_values_have_no_differences(compare: Any) -> None:
    value = {"a": [{"url": "x", "b": Decimal("1.0")}, {"url": "y"}], "c": None}
    assert compare(value, {"c": None, **value}, "r") == []


@pytest.mark.parametrize(
    ("before", "after"), [(True, 1), (1, Decimal(1)), ("1", 1), ({}, []), (None, False), ([], None)]
)
def test_values_of_other_types_differ(before: Any, after: Any) -> None:
    assert differences({"a": before}, {"a": after}, "r") == [Difference("r.a", "changed", before, after)]


def test_items_are_compared_in_order_or_by_name() -> None:
    before = {"e": [{"url": "x", "v": 1}, {"url": "y", "v": 2}]}
    after = {"e": [{"url": "y", "v": 2}, {"url": "x", "v": 3}]}
    assert [one.path for one in differences(before, after, "r")] == ["r.e[0].url", "r.e[0].v", "r.e[1].url", "r.e[1].v"]
    assert named_differences(before, after, "r") == [Difference("r.e[x].v", "changed", 1, 3)]


def test_entries_are_named_by_their_resources_unless_two_are_of_one_type() -> None:
    def entries(*types: str) -> list[Any]:
        return [{"resource": {"resourceType": name}} for name in types]

    assert named_differences(entries("A", "B"), entries("B"), "r") == [
        Difference("r[A]", "lost", {"resource": {"resourceType": "A"}}, None)
    ]
    assert [one.path for one in named_differences(entries("A", "A"), entries("A"), "r")] == ["r[1]"]
