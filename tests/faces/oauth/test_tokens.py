from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Refusal
from gateway.faces.oauth.tokens import SECONDS, Tokens

NOW = 1_800_000_000_000


def reason(tokens: Tokens, token: str, now_ms: int = NOW) -> str:
    with pytest.raises(Refusal) as refused:
        tokens.application(token, now_ms)
    return refused.value.issues[0].reason


def test_a_token_names_its_application_on_every_node_with_the_key() -> None:
    token = Tokens(b"key").issue("surgery-1", NOW)
    assert Tokens(b"key").application(token, NOW) == "surgery-1"
    assert reason(Tokens(b"another key"), token) == "TOKEN_INVALID"


def test_a_token_ends_after_ten_minutes_whether_it_is_remembered_or_not() -> None:
    tokens = Tokens(b"key")
    token = tokens.issue("surgery-1", NOW)
    end = NOW + SECONDS * 1000
    assert tokens.application(token, end - 1) == "surgery-1"
    assert reason(tokens, token, end) == "TOKEN_EXPIRED"
    assert reason(tokens, token, end) == "TOKEN_EXPIRED"
    assert reason(Tokens(b"key"), token, end) == "TOKEN_EXPIRED"


def test_no_two_tokens_are_alike() -> None:
    tokens = Tokens(b"key")
    assert tokens.issue("surgery-1", NOW) != tokens.issue("surgery-1", NOW)


@pytest.mark.parametrize("place", range(0, 60, 7))
def test_a_changed_token_is_none(place: int) -> None:
    tokens = Tokens(b"key")
    token = tokens.issue("surgery-1", NOW)
    other = "A" if token[place] != "A" else "B"
    assert reason(tokens, token[:place] + other + token[place + 1 :]) == "TOKEN_INVALID"


@given(st.text())
def test_any_text_is_refused(text: str) -> None:
    assert reason(Tokens(b"key"), text) == "TOKEN_INVALID"
