"""Steady traffic: publishers that send so many events a second to several gateways, and the webhook that what comes of
them is sent to; on one event loop in a thread of its own, so that little of the machine is taken from what is tested.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httptools

from gateway.demo import EVENTS, NEMS_HEADERS
from gateway.listener import loop_factory
from tests.harness import event_id, header_id, interaction, message
from tests.ports import free_port

CONNECTIONS = 16
"""To each gateway."""
_PATH = "/STU3/Events/1/$process-message"


class Traffic:
    """`rate` events a second in all go to those gateways at `ports` that can be reached; what cannot be sent yet, later.

    `accepted` are the MessageHeader.ids of those that were answered 202; `arrived`, how often each came to `url`;
    `answers`, how often each status was answered.
    """

    def __init__(self, ports: list[int], rate: int) -> None:
        self.accepted: list[bytes] = []
        self.arrived: Counter[bytes] = Counter()
        self.answers: Counter[int] = Counter()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/signals"
        self._ports, self._rate = ports, rate
        self.transports: set[asyncio.Transport] = set()
        self._publishing = False
        self._owed = 0.0
        self._idle: deque[_Publisher] = deque()
        self._open: Counter[int] = Counter()
        template = message()
        headers = {"Host": "127.0.0.1", **NEMS_HEADERS, **interaction(EVENTS[0]), "Content-Length": len(template)}
        head = f"POST {_PATH} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._pieces = (head.encode() + b"\r\n" + template).split(header_id(template))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def publish(self, publishing: bool) -> None:
        """Begin to publish, or end it."""
        self._publishing = publishing

    @property
    def under_way(self) -> int:
        """How many events were sent and are not answered yet."""
        return self._open.total() - len(self._idle)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Receiver(self), "127.0.0.1", self.port, backlog=256)
        connecting = [loop.create_task(self._connect(port)) for port in self._ports]
        last = time.monotonic()
        while not self._ended.is_set():
            await asyncio.sleep(0.005)
            now = time.monotonic()
            if self._publishing:
                self._owed += self._rate * (now - last)
                while self._owed >= 1 and self._idle:
                    self._owed -= 1
                    self._send(self._idle.popleft())
            last = now
        for task in connecting:
            task.cancel()
        server.close()
        for transport in list(self.transports):
            transport.abort()
        await asyncio.sleep(0.05)

    async def _connect(self, port: int) -> None:
        while True:
            try:
                while self._open[port] < CONNECTIONS:
                    await asyncio.get_running_loop().create_connection(
                        lambda: _Publisher(self, port), "127.0.0.1", port
                    )
            except OSError:  # the gateway was killed
                pass
            await asyncio.sleep(0.05)

    def _send(self, publisher: _Publisher) -> None:
        identity = str(uuid.uuid4()).encode()
        publisher.send(identity, identity.join(self._pieces))

    def opened(self, publisher: _Publisher) -> None:
        """A connection to a gateway can be used."""
        self._open[publisher.port] += 1
        self._idle.append(publisher)

    def answered(self, publisher: _Publisher, status: int) -> None:
        """A gateway has answered what was published."""
        self.answers[status] += 1
        if status == 202:
            self.accepted.append(publisher.identity)
        self._idle.append(publisher)

    def closed(self, publisher: _Publisher) -> None:
        """A gateway has closed a connection, or was killed."""
        self._open[publisher.port] -= 1
        if publisher in self._idle:
            self._idle.remove(publisher)
        else:
            self._owed += 1


class _Connection(asyncio.Protocol):
    """One of the traffic's, either way; httptools parses what comes."""

    def __init__(self, traffic: Traffic, parser: Callable[[object], Any]) -> None:
        self.traffic = traffic
        self.parser = parser(self)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.traffic.transports.add(transport)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.traffic.transports.discard(self.transport)


class _Publisher(_Connection):
    """A connection to a gateway, with one message under way."""

    def __init__(self, traffic: Traffic, port: int) -> None:
        super().__init__(traffic, httptools.HttpResponseParser)
        self.port, self.identity = port, b""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.traffic.opened(self)

    def send(self, identity: bytes, request: bytes) -> None:
        """Publish the message of that id."""
        self.identity = identity
        self.transport.write(request)

    def on_message_complete(self) -> None:
        self.traffic.answered(self, self.parser.get_status_code())

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.traffic.closed(self)


class _Receiver(_Connection):
    """A connection of a gateway's to the webhook: each notification is counted by its event, and answered 204."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__(traffic, httptools.HttpRequestParser)
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.traffic.arrived[event_id(self._body)] += 1
        self._body = b""
        self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
