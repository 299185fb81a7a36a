from __future__ import annotations

import pytest
from starlette.requests import Request

from gateway.errors import Refusal
from gateway.faces.http import WholeRequest, body_size, content_syntax, read_body


def request(query: str = "", chunks: tuple[bytes, ...] = (b"",), **headers: str) -> Request:
    """A request as an ASGI server hands it over."""
    waiting = list(chunks)

    async def receive() -> dict[str, object]:
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "query_string": query.encode(), "headers": raw}, receive)


async def test_a_body_in_chunks_is_joined() -> None:
    assert await read_body(request(chunks=(b"a", b"", b"bc")), 3) == b"abc"


@pytest.mark.parametrize("chunks", [(b"abcd",), (b"ab", b"cd"), (b"a",) * 30])
async def test_a_body_over_the_limit_is_refused(chunks: tuple[bytes, ...]) -> None:
    with pytest.raises(Refusal, match="TOO_LARGE"):
        await read_body(request(chunks=chunks), 3)


async def test_a_body_announced_as_huge_is_not_read() -> None:
    with pytest.raises(Refusal, match="TOO_LARGE"):
        await read_body(request(chunks=(), content_length="1000000"), 3)


async def test_an_empty_body_is_refused() -> None:
    with pytest.raises(Refusal, match="INVALID_REQUEST_MESSAGE"):
        await read_body(request(), 3)


RAW = [(b"accept", b"a"), (b"x-one", b"first"), (b"accept", b"\xe9"), (b"x-one", b"second")]


def whole(body: bytes = b"") -> WholeRequest:
    """A request whose body is there."""
    return WholeRequest({"type": "http", "method": "POST", "headers": RAW}, body)


async def test_a_body_that_is_there_is_held_to_the_same() -> None:
    assert await read_body(whole(b"abc"), 3) == b"abc"
    with pytest.raises(Refusal, match="TOO_LARGE"):
        await read_body(whole(b"abcd"), 3)
    with pytest.raises(Refusal, match="INVALID_REQUEST_MESSAGE"):
        await read_body(whole(), 3)


@pytest.mark.parametrize("name", ["accept", "x-one", "x-two"])
def test_headers_read_once_are_those_that_starlette_finds(name: str) -> None:
    usual = Request({"type": "http", "method": "POST", "headers": RAW})
    assert whole().headers.get(name, "") == usual.headers.get(name, "")
    assert whole().headers.getlist(name) == usual.headers.getlist(name)


@pytest.mark.parametrize(
    ("headers", "size"),
    [
        ([], 0),
        ([(b"content-length", b"7")], 7),
        ([(b"content-length", b"7"), (b"transfer-encoding", b"chunked")], None),
    ],
)
def test_a_head_says_how_long_the_body_is(headers: list[tuple[bytes, bytes]], size: int | None) -> None:
    assert body_size(headers) == size


@pytest.mark.parametrize(
    ("header", "syntax"),
    [
        ("application/fhir+xml", "xml"),
        ("APPLICATION/JSON+FHIR ; charset=utf-8", "json"),
        ("text/xml", "xml"),
        ("", "xml"),
    ],
)
def test_the_media_type_names_the_syntax(header: str, syntax: str) -> None:
    assert content_syntax(request(content_type=header), "xml") == syntax


@pytest.mark.parametrize("header", ["text/plain", "multipart/form-data; boundary=x"])
def test_other_media_types_are_refused(header: str) -> None:
    with pytest.raises(Refusal, match="UNSUPPORTED_MEDIA_TYPE at Content-Type"):
        content_syntax(request(content_type=header), "xml")
