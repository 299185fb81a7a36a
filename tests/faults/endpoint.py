"""A webhook that is ill for a while, and remembers what it was sent."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

Illness = Callable[[socket.socket, threading.Event], None]
"""What is done with a connection after a whole request was read; the event is set when the endpoint is closed."""
WELL = b"HTTP/1.1 204 No Content\r\n\r\n"


class Endpoint:
    """Reads whole requests; answers 204 once it is well. `asked` counts the requests of each webhook-id, `taken` those
    of them that were answered 204.
    """

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/signals"
        self.asked: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self.times: list[float] = []
        self.illness: Illness | None = None
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while identity := _read(connection):
                    illness = self.illness
                    self.asked[identity] += 1
                    self.times.append(time.monotonic())
                    if illness:
                        illness(connection, self._ended)
                        return
                    self.taken[identity] += 1
                    connection.sendall(WELL)
            except OSError:
                return


def _read(connection: socket.socket) -> str:
    """Read a request; its webhook-id, "" when there is none."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return ""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    names = {name.lower(): value for name, value in headers.items()}
    left = int(names["content-length"]) - len(body)
    while left > 0:
        left -= len(connection.recv(65_536)) or left
    return names["webhook-id"]


def says(*parts: bytes, pause: float = 0.0, again: int = 1) -> Illness:
    """Says the first part, then the others so many times, and closes the connection."""

    def run(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(parts[0])
        for _ in range(again):
            for part in parts[1:]:
                if ended.wait(pause):
                    return
                connection.sendall(part)

    return run


def hang(connection: socket.socket, ended: threading.Event) -> None:
    """Never answers."""
    ended.wait(600)


def reset(connection: socket.socket, ended: threading.Event) -> None:
    """Breaks the connection off."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
