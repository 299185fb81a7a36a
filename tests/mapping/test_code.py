"""Python source in the making."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal

import pytest

from gateway.mapping.code import MAX_INDENT, Code
from gateway.mapping.syntax import ExpressionError


def test_captured_lines_are_added_where_they_are_wanted() -> None:
    code = Code()
    _, lines = code.captured(lambda: code.assign("1"))
    with code.block("if x:"):
        code.add(lines)
    assert code.function("f", "x") == "def f(x):\n if x:\n  t1 = 1\n"


def test_an_object_has_one_name_and_a_decimal_is_an_object() -> None:
    code = Code()
    number = Decimal("1.50")
    assert code.refer(len) == code.refer(len)
    assert code.objects[code.literal(number)] is number
    assert code.literal("a'b") == '"a\'b"'


def test_source_deeper_than_python_allows_is_refused() -> None:
    code = Code()
    with ExitStack() as stack:
        for _ in range(MAX_INDENT - 1):
            stack.enter_context(code.block("if x:"))
        with pytest.raises(ExpressionError, match="nested too deep to compile"):
            stack.enter_context(code.block("if x:"))
