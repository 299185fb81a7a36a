from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.applications import Application, Applications
from gateway.errors import ConfigurationError
from gateway.faces.oauth.keys import FRESH_SECONDS, RETRY_SECONDS, KeySets, parse
from gateway.outbound import Fetcher
from tests.faces.oauth.people import jwk, key_set
from tests.harness import Document, Listener


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetching = Fetcher(1.0, 65_536, loopback=True)
    yield fetching
    await fetching.close()


def published(listener: Listener) -> Application:
    return Application(id="surgery", name="Surgery", jwks_url=f"http://127.0.0.1:{listener.port}/jwks")


async def test_a_key_set_is_fetched_once_for_many(fetcher: Fetcher, listener: Listener) -> None:
    listener.documents["/jwks"] = Document(key_set("1", "2"), "application/json")
    one = published(listener)
    keys = KeySets(Applications([one]), fetcher)
    assert await keys.find(one, "1")
    assert await keys.find(one, "2")
    assert await keys.find(one, "3") is None
    assert len(listener.fetched) == 1


async def test_keys_rotate_with_an_overlap(fetcher: Fetcher, listener: Listener) -> None:
    clock, one = Clock(), published(listener)
    keys = KeySets(Applications([one]), fetcher, clock)
    listener.documents["/jwks"] = Document(key_set("1"))
    assert await keys.find(one, "1")
    listener.documents["/jwks"] = Document(key_set("1", "2"))
    clock.now += RETRY_SECONDS + 1
    assert await keys.find(one, "2")
    assert await keys.find(one, "1")
    listener.documents["/jwks"] = Document(key_set("2"))
    clock.now += FRESH_SECONDS + 1
    assert await keys.find(one, "1") is None
    assert await keys.find(one, "2")


async def test_a_key_server_that_is_away_shuts_nobody_out(fetcher: Fetcher, listener: Listener) -> None:
    clock, one = Clock(), published(listener)
    keys = KeySets(Applications([one]), fetcher, clock)
    listener.documents["/jwks"] = Document(key_set("1"))
    assert await keys.find(one, "1")
    for answer in (Document(b"", status=503), Document(b"not JSON"), Document(b"[]"), Document(b'{"keys": [{}]}' * 9)):
        listener.documents["/jwks"] = answer
        clock.now += FRESH_SECONDS + 1
        assert await keys.find(one, "1")


async def test_a_file_is_read_again_when_it_changes(fetcher: Fetcher, tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(key_set("1"))
    clock, one = Clock(), Application(id="surgery", name="Surgery", jwks_file=file)
    keys = KeySets(Applications([one]), fetcher, clock)
    assert await keys.find(one, "2") is None
    file.write_bytes(key_set("2"))
    clock.now += RETRY_SECONDS + 1
    assert await keys.find(one, "2")


@pytest.mark.parametrize("text", [None, "", "[]", '{"keys": 1}', '{"keys": [{"kty": "RSA", "kid": "1"}]}'])
async def test_a_file_that_is_no_key_set_stops_the_start(fetcher: Fetcher, tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "jwks.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"surgery.*jwks"):
        KeySets(Applications([Application(id="surgery", name="Surgery", jwks_file=file)]), fetcher)


def test_keys_for_other_ends_are_left_out() -> None:
    other = [{"kty": "EC", "kid": "2"}, jwk("1") | {"kid": "3", "use": "enc"}, "text"]
    assert parse(json.dumps({"keys": [jwk("1"), *other]}).encode()).keys() == {"1"}


@pytest.mark.parametrize("wrong", [{"d": "AQAB"}, {"n": "AQAB"}, {"n": 5}])
def test_a_key_that_no_set_should_hold_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="key"):
        parse(json.dumps({"keys": [jwk("1") | wrong]}).encode())
