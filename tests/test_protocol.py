"""Heads without bound and requests without end, sent to a real server."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.listener import loop_factory
from gateway.protocol import BoundedProtocol
from tests.harness import until


class Quick(BoundedProtocol):
    """As served, but sooner at an end."""

    head_bytes = 20_000
    request_seconds = 0.6


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    more, body = scope["type"] == "http", b""
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more, body = message["more_body"], body + message["body"]
    await PlainTextResponse(b"by ASGI " + body[-9:])(scope, receive, send)


@contextlib.asynccontextmanager
async def served(app: ASGIApp, **settings: Any) -> AsyncIterator[int]:
    """The port at which `app` is served, as the gateway is."""
    usual: dict[str, Any] = {
        "http": Quick,
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "timeout_keep_alive": 1,
    }
    config = uvicorn.Config(app, port=0, loop="asyncio", proxy_headers=False, **usual | settings)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # the test's own loop has them
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


class Quickly:
    """Answers by its shortcut whatever is posted, and nothing else; each answer says what was read."""

    def __init__(self, **headers: str) -> None:
        self._headers = headers
        self.asked = 0
        self.shortcuts = {b"/": self._respond}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await application(scope, receive, send)

    async def _respond(self, scope: Scope, body: bytes) -> Response:
        self.asked += 1
        assert (b"content-length", b"%d" % len(body)) in scope["headers"], "the scope is that of another request"
        if body == b"bad":
            raise ValueError("what the message held")
        return PlainTextResponse(b"read " + body[-9:], headers=self._headers)


@pytest.fixture(params=["ASGI", "shortcut"])
async def port(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    async with served(application if request.param == "ASGI" else Quickly()) as listening:
        yield listening


async def said(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """What the server answers to `parts`, until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        async with asyncio.timeout(15):
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(pause)
                answer = await reader.read()
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    return answer


GOOD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"


@pytest.mark.parametrize("way", ["ASGI", "shortcut"])
async def test_a_connection_is_kept_until_it_has_been_idle_for_long(way: str) -> None:
    app = application if way == "ASGI" else Quickly()
    async with served(app, timeout_keep_alive=1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(6):
            writer.write(GOOD)
            async with asyncio.timeout(5):
                await reader.readuntil(b"abc")
            answered = asyncio.get_running_loop().time()
            await asyncio.sleep(0.3)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        assert asyncio.get_running_loop().time() - answered > 0.9
        writer.close()


async def test_who_is_answered_early_and_sends_its_body_late_is_not_kept_for_ever() -> None:
    async def early(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(b"no")(scope, receive, send)

    async with served(early, timeout_keep_alive=1, http=BoundedProtocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GOOD[:-3])
        async with asyncio.timeout(5):
            await reader.readuntil(b"no")
        await asyncio.sleep(1.5)
        writer.write(GOOD[-3:])
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_an_answer_that_takes_longer_than_a_connection_may_be_idle_is_given() -> None:
    class Slow(Quickly):
        async def _respond(self, scope: Scope, body: bytes) -> Response:
            await asyncio.sleep(1.5 if self.asked else 0)
            return await super()._respond(scope, body)

    async with served(Slow(), timeout_keep_alive=1, http=BoundedProtocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(GOOD)
            async with asyncio.timeout(5):
                await reader.readuntil(b"abc")
        async with asyncio.timeout(5):
            assert await reader.read() == b"", "it is idle now"
        writer.close()


def test_an_answer_to_who_was_cut_off_in_the_meantime_is_dropped() -> None:
    """On uvloop, whose transports say so when they are written to once they are closed."""

    class Slow(Quickly):
        async def _respond(self, scope: Scope, body: bytes) -> Response:
            await asyncio.sleep(0.2)
            return await super()._respond(scope, body)

    faults: list[object] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        async with served(Slow()) as port:
            await said(port, GOOD + GOOD + b"\0\r\n\r\n")
            await asyncio.sleep(0.4)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run())
    gc.collect()
    assert faults == []


async def test_a_request_in_pieces_is_answered(port: int) -> None:
    close = GOOD.replace(b"Host", b"Connection: close\r\nHost")
    assert b"200 OK" in await said(port, close[:20], close[20:60], close[60:], pause=0.05)


async def test_requests_one_after_the_other_are_answered(port: int) -> None:
    answer = await said(port, GOOD, GOOD, GOOD, pause=0.4)
    assert answer.count(b"200 OK") == 3, "a connection that is kept may live longer than a request"


async def test_a_head_without_end_is_cut_off(port: int) -> None:
    answer = await said(port, b"POST / HTTP/1.1\r\n", *[b"X-More: " + b"x" * 4000 + b"\r\n"] * 100)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    whole = b"POST / HTTP/1.1\r\nX-More: " + b"x" * 30_000
    assert (await said(port, whole)).startswith(b"HTTP/1.1 431 ")


async def test_trailers_without_end_are_cut_off(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
    assert b"200 OK" not in await said(port, head, *[b"X-More: " + b"x" * 4000 + b"\r\n"] * 100)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"P"],
        [b"POST / HTTP/1.1\r\n"] + [b"X: y\r\n"] * 20,
        [GOOD[:-2]],
        [GOOD[:-3].replace(b": 3", b": 99")] + [b"a"] * 20,
    ],
)
async def test_a_request_that_does_not_come_to_an_end_is_cut_off(port: int, parts: list[bytes]) -> None:
    started = asyncio.get_running_loop().time()
    assert b"200 OK" not in await said(port, *parts, pause=0.1)
    assert asyncio.get_running_loop().time() - started < 8


async def test_a_large_body_is_no_large_head(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n"
    assert b"200 OK" in await said(port, head, *[b"x" * 30_000] * 10)


async def test_an_answer_of_many_parts_arrives_whole_and_in_order() -> None:
    """Parts of one turn are joined, large ones sent at once, and what is written before the end is not lost."""
    parts = [b"a" * 10, b"b" * 100_000, b"c" * 10, b"d" * 20_000, b"e"]

    async def in_parts(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async with served(in_parts) as port:
        answer = await said(port, b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    assert answer.partition(b"\r\n\r\n")[2] == chunks + b"0\r\n\r\n"


@pytest.fixture
async def quick() -> AsyncIterator[int]:
    async with served(Quickly()) as listening:
        yield listening


async def test_a_shortcut_is_taken_where_there_is_one(quick: int) -> None:
    assert b"\r\n\r\nread abc" in await said(quick, GOOD.replace(b"Host", b"Connection: close\r\nHost"))
    assert b"by ASGI" in await said(quick, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


async def test_requests_sent_at_once_are_answered_in_turn(quick: int) -> None:
    bodies = [b"one", b"two", b"six"]
    other = GOOD.replace(b"3", b"4") + b"d"
    assert (await said(quick, GOOD + other, pause=0.4)).startswith(b"HTTP/1.1 200 OK")
    answer = await said(quick, b"".join(GOOD.replace(b"abc", body) for body in bodies), pause=0.4)
    first, *others = [part.partition(b"HTTP/1.1")[0] for part in answer.split(b"\r\n\r\n")[1:]]
    assert first == b"read one"
    assert others == [b"by ASGI " + body for body in bodies[1:]], "uvicorn has them wait"


@pytest.mark.parametrize("head", [b"", b"Connection: keep-alive\r\n"])
async def test_who_speaks_http_1_0_is_told_that_the_connection_closes(quick: int, head: bytes) -> None:
    said_back = await said(quick, b"POST / HTTP/1.0\r\n%bContent-Length: 4\r\n\r\nbody" % head)
    assert b"\r\nconnection: close\r\n" in said_back.lower()
    assert said_back.endswith(b"body")


async def test_whoever_asks_whether_to_go_on_is_told_so(quick: int) -> None:
    head = GOOD[:-3].replace(b"Host", b"Connection: close\r\nExpect: 100-continue\r\nHost")
    assert b"by ASGI" in await said(quick, head, b"abc", pause=0.1), "uvicorn says that"


async def test_a_fault_is_answered_without_what_the_message_held(quick: int) -> None:
    answer = await said(quick, GOOD.replace(b"abc", b"bad"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"what the message held" not in answer


async def test_a_header_that_would_end_within_itself_is_not_sent() -> None:
    async with served(Quickly(place="here\r\nthere: too")) as port:
        answer = await said(port, GOOD)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"there" not in answer


async def test_a_shortcut_is_asked_once_the_body_is_whole() -> None:
    app = Quickly()
    async with served(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GOOD[:-1])
        await asyncio.sleep(0.2)
        assert app.asked == 0
        writer.write(b"c")
        async with asyncio.timeout(5):
            assert b"200 OK" in await reader.readline()
        writer.close()
    assert app.asked == 1


async def test_of_who_goes_away_before_its_body_is_whole_nothing_is_asked() -> None:
    app = Quickly()
    async with served(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GOOD[:-1])
        await asyncio.sleep(0.2)
        writer.transport.abort()
        await asyncio.sleep(0.2)
    assert app.asked == 0


async def test_what_is_under_way_when_the_server_stops_is_answered() -> None:
    async with served(Quickly()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GOOD[:-1])
        await asyncio.sleep(0.1)
        finishing = asyncio.create_task(reader.read())
        asyncio.get_running_loop().call_later(0.2, writer.write, b"c")
    async with asyncio.timeout(5):
        answer = await finishing
    writer.close()
    assert b"read abc" in answer
    assert b"connection: close" in answer


async def test_who_is_waited_for_too_long_at_the_end_is_told_so() -> None:
    class Slow(Quickly):
        async def _respond(self, _: Scope, body: bytes) -> Response:
            await asyncio.sleep(60)
            raise AssertionError("it was to be cancelled")

    async with served(Slow(), timeout_graceful_shutdown=1) as port:
        answering = asyncio.create_task(said(port, GOOD))
        await asyncio.sleep(0.3)
    assert (await answering).startswith(b"HTTP/1.1 500 ")


async def test_a_body_is_not_kept_beyond_its_answer() -> None:
    kept: list[int] = []

    class Watched(Quick):
        def on_response_complete(self) -> None:
            kept.append(len(self._body))
            super().on_response_complete()

    async with served(Quickly(), http=Watched) as port:
        await said(port, GOOD, pause=0.2)
    assert kept == [0]
