"""What goes over the wire and back when a webhook is posted, on connections that are kept."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.channels import connection as connections
from gateway.delivery.channels.connection import Answer
from gateway.delivery.channels.poster import NotConnected, Poster, _target
from gateway.delivery.channels.webhook import tls_context
from gateway.outbound import ForbiddenAddress
from tests.authority import Authority
from tests.misbehaved import Misbehaved
from tests.ports import free_port

DONE = b"HTTP/1.1 204 No Content\r\n\r\n"
HEADERS = (("Content-Type", "text/plain"), ("X-Own", "1"))


class Listening:
    """Answers each request by the next of `answers`, each a list of parts; the last one again and again. A part that is
    empty closes the connection.
    """

    def __init__(self) -> None:
        self.answers: list[Sequence[bytes]] = [[DONE]]
        self.requests: list[bytes] = []
        self.connections: list[asyncio.StreamWriter] = []

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/signals"

    async def stop(self) -> None:
        self.server.close()
        for writer in self.connections:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                for part in answer:
                    if not part:
                        return
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0.01)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def listening_at(tls: ssl.SSLContext | None = None) -> AsyncIterator[Listening]:
    one = Listening()
    await one.start(tls)
    try:
        yield one
    finally:
        await one.stop()


@contextlib.asynccontextmanager
async def posting(
    resolver: AbstractResolver | None = None, tls: ssl.SSLContext | None = None, *, loopback: bool = True
) -> AsyncIterator[Poster]:
    one = Poster(loopback=loopback, tls=tls, resolver=resolver)
    try:
        yield one
    finally:
        await one.close()


@pytest.fixture(autouse=True)
async def nothing_fails_unheard() -> AsyncIterator[None]:
    """What a callback raises is told to the loop, and to nobody else."""
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    yield
    assert told == []


@pytest.fixture
async def listening() -> AsyncIterator[Listening]:
    async with listening_at() as one:
        yield one


@pytest.fixture
async def poster() -> AsyncIterator[Poster]:
    async with posting() as one:
        yield one


async def post(poster: Poster, url: str, body: bytes = b"body", seconds: float = 2.0) -> Answer:
    return await poster.post(url, HEADERS, body, seconds)


async def test_a_request_is_as_http_has_it(poster: Poster, listening: Listening) -> None:
    assert await post(poster, f"{listening.url}/a+b?q=%2F{{1}}&r=[2]&s=50%") == Answer(204, "", b"")
    head, _, body = listening.requests[0].partition(b"\r\n\r\n")
    assert body == b"body"
    assert head.split(b"\r\n") == [
        b"POST /signals/a+b?q=%2F%7B1%7D&r=%5B2%5D&s=50%25 HTTP/1.1",
        f"Host: 127.0.0.1:{listening.port}".encode(),
        b"User-Agent: fhir-event-gateway",
        b"Content-Type: text/plain",
        b"X-Own: 1",
        b"Content-Length: 4",
    ]


async def test_a_url_without_a_path_has_the_root(poster: Poster, listening: Listening) -> None:
    await post(poster, f"http://127.0.0.1:{listening.port}?a=1")
    assert listening.requests[0].startswith(b"POST /?a=1 HTTP/1.1\r\n")


async def test_a_connection_is_kept_for_the_next_request(poster: Poster, listening: Listening) -> None:
    for number in range(5):
        await post(poster, listening.url, b"%d" % number)
    assert [request[-1:] for request in listening.requests] == [b"0", b"1", b"2", b"3", b"4"]
    assert len(listening.connections) == 1


async def test_requests_at_once_have_a_connection_each(poster: Poster, listening: Listening) -> None:
    for _ in range(2):
        await asyncio.gather(*(post(poster, listening.url) for _ in range(4)))
    assert len(listening.connections) == 4
    assert len(listening.requests) == 8


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_a_connection_that_the_other_side_ends_is_not_used_again(
    poster: Poster, listening: Listening, answer: bytes
) -> None:
    listening.answers = [[answer]]
    for _ in range(2):
        assert await post(poster, listening.url) == Answer(200, "", b"ok")
    assert len(listening.connections) == 2


async def test_one_that_was_closed_while_nobody_asked_is_not_used_again(poster: Poster, listening: Listening) -> None:
    listening.answers = [[DONE, b""], [DONE]]
    await post(poster, listening.url)
    await asyncio.sleep(0.1)
    assert (await post(poster, listening.url)).status == 204
    assert len(listening.connections) == 2


async def test_one_that_nobody_asks_is_closed_in_time(
    poster: Poster, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.2)
    await post(poster, listening.url, seconds=0.3)
    await asyncio.sleep(0.1)
    await post(poster, listening.url, seconds=0.3)
    assert len(listening.connections) == 1
    await asyncio.sleep(0.6)
    assert listening.connections[0].transport.is_closing()
    await post(poster, listening.url)
    assert len(listening.connections) == 2


async def test_what_nobody_asked_for_ends_the_connection(poster: Poster, listening: Listening) -> None:
    half = b"HTTP/1.1 200 OK\r\nX-Own: "
    listening.answers = [[DONE, DONE], [DONE, half], [DONE + DONE], [DONE + half], [DONE]]
    for _ in range(5):
        assert (await post(poster, listening.url)).status == 204
        await asyncio.sleep(0.1)
    assert len(listening.connections) == 5


async def test_what_comes_before_the_answer_is_passed_over(poster: Poster, listening: Listening) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n"
    listening.answers = [[b"HTTP/1.1 100 Continue\r\n\r\n" + early, early, DONE]]
    for _ in range(2):
        assert await post(poster, listening.url) == Answer(204, "", b"")
    assert len(listening.connections) == 1


async def test_another_protocol_is_none_that_can_be_used_again(poster: Poster, listening: Listening) -> None:
    listening.answers = [[b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello"]]
    for _ in range(2):
        assert (await post(poster, listening.url)).status == 101
    assert len(listening.connections) == 2


async def test_a_body_that_ends_with_the_connection_counts(poster: Poster, listening: Listening) -> None:
    listening.answers = [[b"HTTP/1.1 500 Oh\r\nRetry-After: 7\r\n\r\n", b"why", b""]]
    assert await post(poster, listening.url) == Answer(500, "7", b"why")


async def test_nothing_is_known_of_an_answer_that_breaks_off(poster: Poster, listening: Listening) -> None:
    for answer in (b"HTTP/1.1 200 OK\r\nContent-", b"garbage", b"HTTP/1.1 2000 OK\r\n\r\n"):
        listening.answers = [[answer, b""]]
        with pytest.raises(ConnectionError):
            await post(poster, listening.url)


async def test_a_header_that_would_end_within_itself_is_not_sent(poster: Poster, listening: Listening) -> None:
    for value in ("a\r\nX-More: 1", "a\n", "a\r", "a\0"):
        with pytest.raises(ValueError, match="not a header"):
            await poster.post(listening.url, [("X-Own", value)], b"", 1.0)
    assert listening.requests == []


async def test_who_waits_no_more_ends_the_connection(poster: Poster, listening: Listening) -> None:
    listening.answers = [[b"HTTP/1.1 200 OK\r\n"], [DONE]]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await post(poster, listening.url, seconds=5)
    await asyncio.sleep(0.1)
    assert listening.connections[0].transport.is_closing()
    assert (await post(poster, listening.url)).status == 204


async def test_who_is_cancelled_after_the_answer_disturbs_nobody(poster: Poster) -> None:
    """The connection is another's already."""
    url = "http://127.0.0.1:1/"
    wire, connection = Wire(), connections.Connection(lambda _: None)
    connection.connection_made(wire)
    place, _ = _target(url)
    poster._idle[place].append(connection)
    first = asyncio.create_task(post(poster, url))
    await asyncio.sleep(0)
    # All three before the first is awake: its answer is there, another asks, and it is cancelled.
    poster._idle[place].append(connection)
    second = asyncio.create_task(post(poster, url))
    asyncio.get_running_loop().call_soon(first.cancel)
    connection.data_received(DONE)
    await asyncio.wait([first])
    assert first.cancelled()
    assert not wire.closed
    connection.data_received(DONE)
    assert (await second).status == 204


class Hasty(asyncio.Protocol):
    """Answers at once, reads no further and does not close."""

    def __init__(self, accepted: list[asyncio.Transport]) -> None:
        self._accepted = accepted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._accepted.append(self._transport)

    def data_received(self, data: bytes) -> None:
        self._transport.pause_reading()
        self._transport.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")


async def test_what_is_still_to_be_sent_comes_before_no_other_request(poster: Poster) -> None:
    accepted: list[asyncio.Transport] = []
    server = await asyncio.get_running_loop().create_server(lambda: Hasty(accepted), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        for _ in range(2):
            assert (await post(poster, url, b"x" * 20_000_000)).status == 413
        assert len(accepted) == 2
    finally:
        server.close()
        for transport in accepted:
            transport.abort()


async def test_close_ends_what_is_under_way(listening: Listening) -> None:
    poster = Poster(loopback=True, resolver=Names("127.0.0.1", seconds=5))
    listening.answers = [[DONE], [b"HTTP/1.1 200 OK\r\n"]]
    await post(poster, listening.url)
    asked = asyncio.create_task(post(poster, listening.url))
    looked_up = asyncio.create_task(post(poster, "http://slow.example/"))
    await asyncio.sleep(0.1)
    await poster.close()
    assert isinstance(await asyncio.wait_for(_failure(asked), 1), ConnectionError)
    assert isinstance(await asyncio.wait_for(_failure(looked_up), 1), NotConnected)
    await asyncio.sleep(0.1)
    assert listening.connections[0].transport.is_closing()


async def _failure(task: asyncio.Task[Answer]) -> BaseException | None:
    await asyncio.wait([task])
    return task.exception()


async def test_without_a_connection_nothing_was_sent(poster: Poster) -> None:
    with pytest.raises(NotConnected, match="no connection: ConnectionRefusedError"):
        await post(poster, f"http://127.0.0.1:{free_port()}/")


class Names(AbstractResolver):
    """Knows what it is told, and counts how often it is asked."""

    def __init__(self, *addresses: str, seconds: float = 0) -> None:
        self.addresses, self.seconds, self.asked = addresses, seconds, 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if not self.addresses:
            raise OSError("no such name")
        return [
            ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0)
            for one in self.addresses
        ]

    async def close(self) -> None: ...


async def test_a_name_that_nobody_knows_means_not_sent() -> None:
    async with posting(Names()) as poster:
        with pytest.raises(NotConnected):
            await post(poster, "http://nobody.example/")


async def test_the_next_address_of_a_name_is_tried(listening: Listening) -> None:
    async with posting(Names("127.0.0.2", "127.0.0.1")) as poster:
        assert (await post(poster, f"http://two.example:{listening.port}/")).status == 204


async def test_an_address_that_says_nothing_is_left_in_time_for_the_next_and_asked_last_then(
    listening: Listening,
) -> None:
    url = f"http://two.example:{listening.port}/"
    async with posting(Names("127.0.0.3", "127.0.0.1")) as poster:
        silent = Silent("127.0.0.3", listening.port)
        assert (await post(poster, url, seconds=1)).status == 204
        started = time.monotonic()
        await asyncio.gather(*(post(poster, url, seconds=1) for _ in range(3)))
        assert time.monotonic() - started < 0.4
        silent.close()


class Silent:
    """Listens, and answers no attempt to connect, since nobody takes those that came before."""

    def __init__(self, host: str, port: int) -> None:
        self._listener = socket.create_server((host, port), backlog=0)
        self._others = [socket.socket() for _ in range(4)]
        for other in self._others:
            other.setblocking(False)
            other.connect_ex((host, port))

    def close(self) -> None:
        for one in (*self._others, self._listener):
            one.close()


async def test_of_the_addresses_of_a_name_only_allowed_ones_are_tried(listening: Listening) -> None:
    async with posting(Names("10.0.0.1", "169.254.169.254", "127.0.0.1")) as poster:
        assert (await post(poster, f"http://many.example:{listening.port}/")).status == 204
    async with posting(Names("10.0.0.1", "127.0.0.1"), loopback=False) as poster:
        with pytest.raises(ForbiddenAddress):
            await post(poster, f"http://many.example:{listening.port}/")
    assert len(listening.requests) == 1


async def test_a_name_is_looked_up_once_for_all_who_ask_together(listening: Listening) -> None:
    names = Names("127.0.0.1", seconds=0.1)
    async with posting(names) as poster:
        await asyncio.gather(*(post(poster, f"http://name.example:{listening.port}/") for _ in range(5)))
    assert (len(listening.connections), names.asked) == (5, 1)


async def test_who_waits_no_more_for_a_name_leaves_it_to_others(listening: Listening) -> None:
    async with posting(Names("127.0.0.1", seconds=0.2)) as poster:
        first, second = (asyncio.create_task(post(poster, f"http://name.example:{listening.port}/")) for _ in range(2))
        await asyncio.sleep(0.1)
        first.cancel()
        assert (await second).status == 204


async def test_a_name_is_not_looked_up_for_each_connection(listening: Listening) -> None:
    names = Names("127.0.0.1")
    listening.answers = [[DONE, b""]]
    async with posting(names) as poster:
        for _ in range(3):
            await post(poster, f"http://name.example:{listening.port}/")
            await asyncio.sleep(0.05)
    assert (len(listening.connections), names.asked) == (3, 1)


class TestTls:
    """The other side is verified by the name that was asked for."""

    async def test_connections_are_kept(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        tls = tls_context(str(authority.root.cert_file))
        async with listening_at(authority.server()) as listening, posting(Names("127.0.0.1"), tls) as poster:
            for host in ("localhost", "localhost", "localhost."):
                assert (await post(poster, f"https://{host}:{listening.port}/")).status == 204
            assert len(listening.connections) == 2

    async def test_a_certificate_for_another_name_is_not_taken(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        tls = tls_context(str(authority.root.cert_file))
        async with Misbehaved(authority.server()) as listening, posting(Names("127.0.0.1"), tls) as poster:
            port = urlsplit(listening.url).port
            for host in ("other.example", "127.0.0.1"):
                with pytest.raises(NotConnected, match="SSLCertVerificationError"):
                    await post(poster, f"https://{host}:{port}/")
            assert listening.heard == 0


class Wire(asyncio.Transport):
    """A connection's other side, byte by byte."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0


def heard(parts: Sequence[bytes]) -> Answer | BaseException | None:
    """What a connection makes of an answer that comes in these parts, and ends with the connection."""

    async def hear() -> Answer | BaseException | None:
        wire, connection = Wire(), connections.Connection(lambda _: None)
        connection.connection_made(wire)
        asked = connection.ask(b"", 60)
        for part in parts:
            if not wire.closed:
                connection.data_received(part)
        connection.connection_lost(None)
        return asked.exception() or asked.result()

    return asyncio.run(hear())


@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([DONE, b"HTTP/1.1 ", b"200 OK\r\n", b"\r\n", b"Retry-After: 1\r\n"])
    )
)
def test_whatever_comes_is_an_answer_or_none(parts: list[bytes]) -> None:
    assert isinstance(heard(parts), Answer | ConnectionError)


@given(st.data(), st.integers(200, 599), st.binary(max_size=60), st.booleans())
def test_an_answer_is_the_same_in_whatever_parts_it_comes(
    data: st.DataObject, status: int, body: bytes, chunked: bool
) -> None:
    if chunked and body:
        told = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        told = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    text = b"HTTP/1.1 %d Said\r\nRetry-After: 12\r\n%b" % (status, told)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    parts = [text[start:end] for start, end in itertools.pairwise([0, *cuts, len(text)])]
    expected = b"" if status in {204, 304} else body
    assert heard([part for part in parts if part]) == Answer(status, "12", expected)
