from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.delivery.login import Session
from gateway.outbound import Fetcher, FetchFailed
from gateway.sources import Login
from tests.contract.mns.acts import closed
from tests.faces.oauth.people import key
from tests.harness import Gateway, Listener


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Another gateway, whose token endpoint is as strict as that of the NHS API platform."""
    with closed(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetching = Fetcher(5.0, 65_536, loopback=True)
    yield fetching
    await fetching.close()


def login(folder: Path, url: str, client: str = "everything") -> Login:
    file = folder / "key.pem"
    file.write_bytes(key("1").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Login(token_url=url, client_id=client, key_id="1", key_file=file)


async def test_one_token_serves_many_who_ask_at_once(gateway: Gateway, fetcher: Fetcher, tmp_path: Path) -> None:
    session = Session(login(tmp_path, f"{gateway.url}/oauth2/token"), fetcher)
    tokens = await asyncio.gather(*(session.token() for _ in range(5)))
    assert len(set(tokens)) == 1
    assert tokens[0].count(".") == 3
    assert gateway.log.read_text().count('"outcome":"issued"') == 1


async def test_a_refusal_is_told_and_may_pass(gateway: Gateway, fetcher: Fetcher, tmp_path: Path) -> None:
    session = Session(login(tmp_path, f"{gateway.url}/oauth2/token", "a-stranger"), fetcher)
    with pytest.raises(FetchFailed, match="no access token: HTTP 401") as failed:
        await session.token()
    assert not failed.value.lasting


@pytest.mark.parametrize("body", [b"", b"[]", b'{"access_token": 5}', b'{"access_token": "a", "expires_in": "soon"}'])
async def test_what_is_no_token_is_refused(listener: Listener, fetcher: Fetcher, tmp_path: Path, body: bytes) -> None:
    listener.answers.status = 200
    listener.answers.body = body
    with pytest.raises(FetchFailed, match="not the answer of a token endpoint"):
        await Session(login(tmp_path, listener.url), fetcher).token()


async def test_a_token_is_asked_for_again_before_it_ends(listener: Listener, fetcher: Fetcher, tmp_path: Path) -> None:
    listener.answers.status = 200
    session = Session(login(tmp_path, listener.url), fetcher)
    for number in range(2):
        listener.answers.body = b'{"access_token": "%d", "expires_in": 30}' % number
        assert await session.token() == str(number)


async def test_a_key_that_is_none_is_told(fetcher: Fetcher, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text("no key")
    with pytest.raises(FetchFailed, match="key_file"):
        await Session(Login(token_url="http://127.0.0.1:1/", client_id="a", key_id="1", key_file=file), fetcher).token()
