"""The load generator, a process of its own: so many connections, on each one request under way, as fast as answered.

`python -m tests.bench.load PORT SYNTAX SECONDS IN_FLIGHT TOKEN` prints a `Load` as JSON.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
import uuid
from dataclasses import asdict, dataclass

import httptools
import msgspec

from gateway.listener import loop_factory
from tests.bench.messages import Syntax, message


@dataclass(frozen=True)
class Load:
    """What a generator did: `answers` by status, between two monotonic times; its own CPU time; two latencies."""

    answers: dict[str, int]
    started: float
    ended: float
    cpu_seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def count(self) -> int:
        return sum(self.answers.values())

    @property
    def seconds(self) -> float:
        return self.ended - self.started


class Generator:
    """Makes the requests, and counts the answers."""

    def __init__(self, request: bytes, own_id: bytes) -> None:
        self._pieces = request.split(own_id)
        self.going = True
        self.answers: dict[int, int] = {}
        self.latencies: list[float] = []

    def next_request(self) -> bytes:
        # As publishers make them: ids in order would be kind to the store. As long as the one that it stands for, so
        # Content-Length holds.
        return str(uuid.uuid4()).encode().join(self._pieces)

    def answered(self, status: int, seconds: float) -> None:
        self.answers[status] = self.answers.get(status, 0) + 1
        self.latencies.append(seconds)


class Connection(asyncio.Protocol):
    """Sends, waits for the whole answer, and sends again while the generator goes on."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._parser = httptools.HttpResponseParser(self)
        self.idle = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def send(self) -> None:
        self._sent = time.monotonic()
        self._transport.write(self._generator.next_request())

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._generator.answered(self._parser.get_status_code(), time.monotonic() - self._sent)
        if self._generator.going:
            self.send()
        else:
            self.idle.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.idle.done():
            self.idle.set_exception(error or ConnectionError("the server closed the connection before it answered"))


async def run(port: int, generator: Generator, seconds: float, in_flight: int) -> Load:
    """Load the server for so long, and wait for the answers still under way."""
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(lambda: Connection(generator), "127.0.0.1", port))[1] for _ in range(in_flight)
    ]
    cpu, started = time.process_time(), time.monotonic()
    for connection in connections:
        connection.send()
    await asyncio.sleep(seconds)
    generator.going = False
    await asyncio.gather(*(connection.idle for connection in connections))
    ended, cpu = time.monotonic(), time.process_time() - cpu
    hundredths = statistics.quantiles(generator.latencies, n=100)
    answers = {str(status): number for status, number in generator.answers.items()}
    return Load(answers, started, ended, cpu, hundredths[49] * 1000, hundredths[98] * 1000)


def main(port: str, syntax: Syntax, seconds: str, in_flight: str, token: str) -> None:
    published = message(syntax, token)
    generator = Generator(published.request(), published.own_id)
    with asyncio.Runner(loop_factory=loop_factory()) as loop:
        load = loop.run(run(int(port), generator, float(seconds), int(in_flight)))
    print(msgspec.json.encode(asdict(load)).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
