"""A fast webhook receiver: it counts the distinct notifications that it was sent, and tells on `GET /`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time

import httptools

from gateway.listener import listen, loop_factory

_DONE = b"HTTP/1.1 204 No Content\r\n\r\n"


class Counter:
    """`received` POSTs, of which `distinct` had a webhook-id of their own; `last` came at that monotonic time."""

    def __init__(self) -> None:
        self.received = 0
        self.last = 0.0
        self._ids: set[bytes] = set()

    def count(self, identity: bytes) -> None:
        self.received += 1
        self._ids.add(identity)
        self.last = time.monotonic()

    def answer(self) -> bytes:
        body = json.dumps({"received": self.received, "distinct": len(self._ids), "last": self.last}).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Connection(asyncio.Protocol):
    """Parses requests with httptools; nothing else stands between the socket and the counter."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._parser = httptools.HttpRequestParser(self)
        self._identity = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"webhook-id":
            self._identity = value

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            self._transport.write(self._counter.answer())
            return
        self._counter.count(self._identity)
        self._transport.write(_DONE)


async def serve(port: int) -> None:
    counter = Counter()
    with contextlib.closing(listen("127.0.0.1", port)) as listener:
        server = await asyncio.get_running_loop().create_server(lambda: Connection(counter), sock=listener)
        await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as loop, contextlib.suppress(KeyboardInterrupt):
        loop.run(serve(int(sys.argv[1])))
