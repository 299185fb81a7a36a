"""Reads the text of an expression: a subset of FHIRPath (HL7 FHIRPath, Normative Release 1, Appendix B)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gateway.mapping import moments
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

MAX_DEPTH: Final = 40
MAX_NODES: Final = 500

_TOKEN: Final = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<moment>@T?[0-9][0-9T:Z+-]*(?:\.[0-9]+[0-9:Z+-]*)?)
    | (?P<number>[0-9]{1,18}(?:\.[0-9]{1,18})?)
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<quoted>`[^`\\]*`)
    | (?P<variable>%[A-Za-z_][A-Za-z0-9_]*)
    | (?P<this>\$this)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign><=|>=|!=|!~|[-+*/&|=~<>.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_HALF_CHARACTER: Final = re.compile(r"u[Dd][89A-Fa-f]..")
_ESCAPED: Final = {"r": "\r", "n": "\n", "t": "\t", "f": "\f"} | {sign: sign for sign in "\\/'\"`"}
# HL7 FHIRPath, "Operator Precedence"; a higher number binds tighter.
_PRECEDENCE: Final = {
    **dict.fromkeys(("implies",), 1),
    **dict.fromkeys(("or", "xor"), 2),
    **dict.fromkeys(("and",), 3),
    **dict.fromkeys(("in", "contains"), 4),
    **dict.fromkeys(("=", "!=", "~", "!~"), 5),
    **dict.fromkeys(("<", "<=", ">", ">="), 6),
    **dict.fromkeys(("|",), 7),
    **dict.fromkeys(("is", "as"), 8),
    **dict.fromkeys(("+", "-", "&"), 9),
    **dict.fromkeys(("*", "/", "div", "mod"), 10),
}
OPERATORS: Final = frozenset(_PRECEDENCE)
"""Every operator between two operands."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text: `kind` is a group of the pattern above, or "end"."""

    kind: str
    text: str
    at: int


def parse(text: str) -> Node:
    """The tree of an expression.

    Raises:
        ExpressionError: it is not an expression, or a larger one than the limits allow.
    """
    tree = _Parser(text).expression()
    _hold_limits(tree)
    return tree


def _tokens(text: str) -> list[Token]:
    tokens = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            problem = "this text has no closing quote" if text[at] == "'" else f"'{text[at]}' is not expected here"
            raise ExpressionError(problem, at)
        if match.lastgroup != "space":
            tokens.append(Token(str(match.lastgroup), match[0], at))
        at = match.end()
    return [*tokens, Token("end", "the end", len(text))]


def _hold_limits(tree: Node) -> None:
    waiting = [(tree, 1)]
    for node, depth in waiting:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"nested more than {MAX_DEPTH} deep", node.at)
        waiting += [(child, depth + 1) for child in node.children]
        if len(waiting) > MAX_NODES:
            raise ExpressionError(f"more than {MAX_NODES} parts: make it several vars", tree.at)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._position = 0
        self._depth = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._position]

    def _take(self) -> Token:
        token = self._next
        self._position += token.kind != "end"
        return token

    def _accept(self, sign: str) -> bool:
        found = self._next.kind == "sign" and self._next.text == sign
        self._position += found
        return found

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise ExpressionError(f"'{sign}' is expected, not {_shown(self._next)}", self._next.at)

    def expression(self) -> Node:
        """The whole text."""
        tree = self._operation(0)
        if self._next.kind != "end":
            raise ExpressionError(f"{_shown(self._next)} is not expected here", self._next.at)
        return tree

    def _operation(self, above: int) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"nested more than {MAX_DEPTH} deep", self._next.at)
        left = self._operand()
        while (strength := self._operator()) > above:
            token = self._take()
            left = Operation(token.at, token.text, left, self._operation(strength))
        self._depth -= 1
        return left

    def _operator(self) -> int:
        token = self._next
        return _PRECEDENCE.get(token.text, 0) if token.kind in ("sign", "name") else 0

    def _operand(self) -> Node:
        token = self._next
        minus = False
        while self._accept("-"):
            minus = not minus
        node = self._path()
        if not minus:
            return node
        if isinstance(node, Literal) and isinstance(node.value, int | Decimal):
            return Literal(token.at, -node.value)
        return Operation(token.at, "-", Literal(token.at, 0), node)

    def _path(self) -> Node:
        node = self._start()
        while True:
            if self._accept("."):
                node = self._step(node)
            elif self._accept("["):
                node = self._index(node)
            else:
                return node

    def _step(self, base: Node | None) -> Node:
        token = self._take()
        if token.kind not in ("name", "quoted"):
            raise ExpressionError(f"a name is expected, not {_shown(token)}", token.at)
        if self._accept("("):
            return Call(token.at, base, token.text, self._arguments())
        return Member(token.at, base, token.text.strip("`"))

    def _index(self, base: Node) -> Node:
        at = self._next.at
        number = self._operation(0)
        self._expect("]")
        return Index(at, base, number)

    def _arguments(self) -> tuple[Node, ...]:
        if self._accept(")"):
            return ()
        arguments = [self._operation(0)]
        while self._accept(","):
            arguments.append(self._operation(0))
        self._expect(")")
        return tuple(arguments)

    def _start(self) -> Node:
        kind = self._next.kind
        if kind == "name" and self._next.text in ("true", "false"):
            token = self._take()
            return Literal(token.at, token.text == "true")
        if kind in ("name", "quoted"):
            return self._step(None)
        read = _LEAVES.get(kind)
        return read(self._take()) if read else self._sign()

    def _sign(self) -> Node:
        token = self._next
        if self._accept("("):
            inner = self._operation(0)
            self._expect(")")
            return inner
        if self._accept("{"):
            self._expect("}")
            return Literal(token.at, None)
        raise ExpressionError(f"{_shown(token)} is not expected here", token.at)


def _number(text: str) -> int | Decimal:
    return Decimal(text) if "." in text else int(text)


def _text(token: Token) -> str:
    def character(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) == 5 and not _HALF_CHARACTER.fullmatch(code):
            return chr(int(code[1:], 16))
        if code not in _ESCAPED:
            raise ExpressionError(f"'\\{code}' is not an escape", token.at + 1 + match.start())
        return _ESCAPED[code]

    return _ESCAPE.sub(character, token.text[1:-1])


def _moment(token: Token) -> Node:
    text = token.text.removeprefix("@").removeprefix("T")
    found = moments.sort(text)
    if not found or (found == "time") != (token.text[1] == "T"):
        raise ExpressionError("not a date, dateTime or time", token.at)
    return Moment(token.at, text, found)


def _shown(token: Token) -> str:
    return token.text if token.kind == "end" else f"'{token.text}'"


_LEAVES: Final[dict[str, Callable[[Token], Node]]] = {
    "number": lambda token: Literal(token.at, _number(token.text)),
    "text": lambda token: Literal(token.at, _text(token)),
    "moment": _moment,
    "variable": lambda token: Variable(token.at, token.text[1:]),
    "this": lambda token: This(token.at),
}
