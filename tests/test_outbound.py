from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.outbound import Fetched, Fetcher, FetchFailed
from tests.harness import Document, Listener
from tests.ports import free_port


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetching = Fetcher(1.0, 100, loopback=True)
    yield fetching
    await fetching.close()


def at(listener: Listener, path: str) -> str:
    return f"http://127.0.0.1:{listener.port}{path}"


async def failure(fetcher: Fetcher, url: str) -> tuple[str, bool]:
    with pytest.raises(FetchFailed) as failed:
        await fetcher.get(url, {})
    return str(failed.value), failed.value.lasting


async def test_a_document_comes_with_its_media_type(fetcher: Fetcher, listener: Listener) -> None:
    listener.documents["/a"] = Document(b"x" * 100, "Application/FHIR+json; charset=utf-8")
    assert await fetcher.get(at(listener, "/a"), {"X-Key": "v"}) == Fetched(b"x" * 100, "application/fhir+json")
    assert listener.fetched[0].headers["X-Key"] == "v"


async def test_what_is_too_large_is_not_taken(fetcher: Fetcher, listener: Listener) -> None:
    listener.documents["/a"] = Document(b"x" * 101)
    assert await failure(fetcher, at(listener, "/a")) == ("larger than 100 bytes", True)


async def test_what_is_compressed_is_not_taken(fetcher: Fetcher, listener: Listener) -> None:
    listener.documents["/a"] = Document(b"x")
    listener.answers.headers = {"Content-Encoding": "gzip"}
    assert await failure(fetcher, at(listener, "/a")) == ("a compressed body", True)


@pytest.mark.parametrize(
    ("status", "lasting"), [(301, True), (404, True), (410, True), (401, False), (429, False), (500, False)]
)
async def test_another_status_is_a_failure(fetcher: Fetcher, listener: Listener, status: int, lasting: bool) -> None:
    listener.documents["/a"] = Document(b"x", status=status)
    listener.answers.headers = {"Location": at(listener, "/b")}
    assert await failure(fetcher, at(listener, "/a")) == (f"HTTP {status}", lasting)
    assert len(listener.fetched) == 1


async def test_a_slow_answer_is_given_up(listener: Listener) -> None:
    listener.answers.delay_seconds = 1
    fetcher = Fetcher(0.1, 100, loopback=True)
    assert await failure(fetcher, at(listener, "/a")) == ("no answer in time", False)
    await fetcher.close()


async def test_nobody_there_is_a_failure(fetcher: Fetcher) -> None:
    assert await failure(fetcher, f"http://127.0.0.1:{free_port()}/") == ("ClientConnectorError", False)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://10.0.0.1/", "http://169.254.169.254/", "ftp://a/", "a"])
async def test_private_addresses_and_what_is_no_url_are_not_asked(url: str) -> None:
    fetcher = Fetcher(1, 100, loopback=False)
    assert await failure(fetcher, url) == ("not at a public address", True)
    await fetcher.close()


async def test_a_name_of_a_private_address_is_not_asked(listener: Listener) -> None:
    fetcher = Fetcher(1, 100, loopback=False)
    assert await failure(fetcher, f"http://localhost:{listener.port}/") == ("the host has no public address", True)
    await fetcher.close()
