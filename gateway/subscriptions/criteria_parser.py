"""Reads criteria: the text that a subscription is kept with, to what it asks."""

from __future__ import annotations

import re
from collections.abc import Callable

from gateway.errors import Refusal
from gateway.subscriptions.criteria import EVERYTHING, ORDERS, AllOf, AnyOf, Comparison, Criterion

LONGEST = 4000
"""The longest criterion, in characters."""
DEEPEST = 20
"""How many parentheses may stand within one another."""

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<sign><=|>=|!=|[=<>(),])|(?P<word>[\w.:/|-]+))")
_KEY = re.compile(r"[A-Za-z_][\w.-]*")


def parse(text: str, location: str = "criteria") -> Criterion:
    """Read a criterion; "" is the one that every event meets.

    Raises:
        Refusal: INVALID_REQUEST_MESSAGE at `location`; the words name the character, never what stands there.
    """
    return _Parser(text, location).parse() if text.strip() else EVERYTHING


class _Parser:
    """Reads `any = all *("OR" all)`, `all = one *("AND" one)`, `one = "(" any ")" / comparison`."""

    def __init__(self, text: str, location: str) -> None:
        self._text, self._location = text, location
        self._place, self._depth = 0, 0
        if len(text) > LONGEST:
            raise self._wrong(f"is longer than {LONGEST} characters")
        self._next()

    def parse(self) -> Criterion:
        criterion = self._any()
        if self._kind:
            raise self._unexpected("AND, OR or the end")
        return criterion

    def _any(self) -> Criterion:
        return self._joined("OR", self._all, AnyOf)

    def _all(self) -> Criterion:
        return self._joined("AND", self._one, AllOf)

    def _joined(self, word: str, read: Callable[[], Criterion], node: type[AllOf | AnyOf]) -> Criterion:
        parts = [read()]
        while self._is_word(word):
            self._next()
            parts.append(read())
        return node(tuple(parts)) if len(parts) > 1 else parts[0]

    def _one(self) -> Criterion:
        if self._seen != "(":
            return self._comparison()
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong(f"has more than {DEEPEST} parentheses within one another")
        self._next()
        criterion = self._any()
        self._take(")")
        self._depth -= 1
        return criterion

    def _comparison(self) -> Comparison:
        key = self._seen
        if self._kind != "word" or not _KEY.fullmatch(key):
            raise self._unexpected("the name of a fact")
        self._next()
        if self._is_word("IN"):
            self._next()
            return Comparison(key, "IN", self._values())
        operator = self._seen
        if operator not in {"=", "!=", *ORDERS}:
            raise self._unexpected("=, !=, <, <=, >, >= or IN")
        self._next()
        return Comparison(key, operator, (self._value(),))

    def _values(self) -> tuple[str, ...]:
        self._take("(")
        values = [self._value()]
        while self._seen == ",":
            self._next()
            values.append(self._value())
        self._take(")")
        return tuple(dict.fromkeys(values))

    def _value(self) -> str:
        kind, token = self._kind, self._seen
        if kind not in {"text", "word"}:
            raise self._unexpected("a value")
        self._next()
        return token[1:-1].replace("''", "'") if kind == "text" else token

    def _take(self, sign: str) -> None:
        if self._seen != sign:
            raise self._unexpected(sign)
        self._next()

    def _is_word(self, word: str) -> bool:
        return self._kind == "word" and self._seen == word

    def _next(self) -> None:
        """Go to the next token; its kind is "" at the end."""
        self._kind, self._seen, self._at = "", "", self._place
        if not self._text[self._place :].strip():
            return
        match = _TOKEN.match(self._text, self._place)
        if match is None:
            raise self._unexpected("a name, a value or an operator")
        self._kind, self._place = match.lastgroup or "", match.end()
        self._seen, self._at = match[self._kind], match.start(self._kind)

    def _unexpected(self, wanted: str) -> Refusal:
        return self._wrong(f"needs {wanted} at character {self._at + 1}")

    def _wrong(self, text: str) -> Refusal:
        return Refusal.because("INVALID_REQUEST_MESSAGE", f"the criterion {text}", self._location)
