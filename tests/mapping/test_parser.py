"""What is an expression, and what is not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.mapping.parser import MAX_DEPTH, MAX_NODES, parse
from gateway.mapping.syntax import (
    Call,
    ExpressionError,
    Index,
    Literal,
    Member,
    Moment,
    Node,
    Operation,
    This,
    Variable,
)


def shown(node: Node) -> str:
    """The tree with all brackets that precedence lets one leave out."""
    if isinstance(node, Operation):
        return f"({shown(node.left)} {node.operator} {shown(node.right)})"
    if isinstance(node, Index):
        return f"{shown(node.base)}[{shown(node.number)}]"
    if isinstance(node, Member | Call):
        arguments = f"({', '.join(map(shown, node.arguments))})" if isinstance(node, Call) else ""
        return (f"{shown(node.base)}." if node.base else "") + node.name + arguments
    return {Literal: repr, This: lambda _: "$this", Variable: "%{}".format}[type(node)](
        getattr(node, "value", getattr(node, "name", None))
    )


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("Bundle.entry[0].resource", "Bundle.entry[0].resource"),
        ("a.where(b = 'c').first()", "a.where((b = 'c')).first()"),
        ("a or b and c", "(a or (b and c))"),
        ("a implies b or c", "(a implies (b or c))"),
        ("a = b and c != d", "((a = b) and (c != d))"),
        ("a in b | c", "(a in (b | c))"),
        ("1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)"),
        ("a & b & c", "((a & b) & c)"),
        ("a < b = c", "((a < b) = c)"),
        ("a is FHIR.Patient", "(a is FHIR.Patient)"),
        ("a as Patient | b", "((a as Patient) | b)"),
        ("(a or b) and c", "((a or b) and c)"),
        ("%x.y & $this", "(%x.y & $this)"),
        ("`div`.contains('a')", "div.contains('a')"),
        ("a contains 'b'", "(a contains 'b')"),
        ("-1 + -2.50", "(-1 + Decimal('-2.50'))"),
        ("--1 - -a.b", "((1 - (0 - a.b)))"[1:-1]),
        ("a / b div c mod d", "(((a / b) div c) mod d)"),
        ("a ~ b and c !~ d", "((a ~ b) and (c !~ d))"),
        ("a[%i + 1].b", "a[(%i + 1)].b"),
        ("true and false", "(True and False)"),
        ("{}", "None"),
        ("  \n a \t", "a"),
    ],
)
def test_a_tree_shows_what_binds_to_what(text: str, tree: str) -> None:
    assert shown(parse(text)) == tree


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"'it\'s'", "it's"),
        (r"'\\ \/ \" \` \r\n\t\f'", '\\ / " ` \r\n\t\f'),
        (r"'\u200B'", "\u200b"),
        ("'{{ not a hole }}'", "{{ not a hole }}"),
        ("''", ""),
        ("12", 12),
        ("0.10", Decimal("0.10")),
        ("-0.10", Decimal("-0.10")),
    ],
)
def test_a_literal_has_the_value_it_shows(text: str, value: object) -> None:
    node = parse(text)
    assert isinstance(node, Literal)
    assert node.value == value
    assert type(node.value) is type(value)


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("@2020", "2020", "date"),
        ("@2020-02-29", "2020-02-29", "date"),
        ("@2020-01-31T10:00:00.5+01:00", "2020-01-31T10:00:00.5+01:00", "dateTime"),
        ("@2020-01-31T10:00", "2020-01-31T10:00", "dateTime"),
        ("@T10:00", "10:00", "time"),
    ],
)
def test_a_date_or_time_has_its_type(text: str, value: str, kind: str) -> None:
    assert parse(text) == Moment(0, value, kind)


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("name.given)", 10, "')' is not expected here"),
        ("name..given", 5, "a name is expected, not '.'"),
        ("name.where(use='official'.given", 31, "')' is expected, not the end"),
        ("a b", 2, "'b' is not expected here"),
        ("a[", 2, "the end is not expected here"),
        ("a[]", 2, "']' is not expected here"),
        ("'open", 0, "no closing quote"),
        (r"'a\qb'", 2, r"'\q' is not an escape"),
        (r"'\uD83D'", 1, r"'\uD83D' is not an escape"),
        (r"'\u12'", 1, r"'\u' is not an escape"),
        ("a; b", 1, "';' is not expected here"),
        ("", 0, "the end is not expected here"),
        ("a +", 3, "the end is not expected here"),
        ("f(a,)", 4, "')' is not expected here"),
        ("{a}", 1, "'}' is expected, not 'a'"),
        ("é", 0, "'é' is not expected here"),
        ("@2020-13-01", 0, "not a date, dateTime or time"),
        ("@2021-02-29", 0, "not a date, dateTime or time"),
        ("@10:00", 0, "not a date, dateTime or time"),
        ("@T2020", 0, "not a date, dateTime or time"),
        ("@x", 0, "'@' is not expected here"),
        ("1" * 19, 18, "is not expected here"),
    ],
)
def test_an_error_says_where_and_what(text: str, at: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.at == at
    assert message in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "a" + ")" * 10_000,
        "a.where(" * 10_000,
        ".".join("a" * 10_000),
        " & ".join("a" * 10_000),
        " | ".join(["(a & b & c & d & e)"] * 60),
        "f(" + ", ".join("a" * (MAX_NODES + 1)) + ")",
        "-(" * 10_000 + "1",
        "a" + "[a" * 10_000,
        "{" * 10_000,
    ],
)
def test_a_monster_is_refused_and_not_followed(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_the_limit_of_nesting_is_the_one_documented() -> None:
    assert parse(".".join("a" * MAX_DEPTH))
    with pytest.raises(ExpressionError, match="nested more than 40 deep"):
        parse(".".join("a" * (MAX_DEPTH + 1)))
