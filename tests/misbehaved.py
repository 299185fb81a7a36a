"""An endpoint that says, byte by byte, what a test tells it to say."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from typing import Self


class Misbehaved:
    """Reads a request's head, writes `script` with `pause` seconds between its parts, and cuts the connection.

    `heard` counts requests, `written` the bytes that the other side let us write.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, script: Sequence[bytes] = ()) -> None:
        self._tls = tls
        self.script = script
        self.pause = 0.0
        self.heard = self.written = 0
        self._under_way: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self._tls)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://{'localhost' if self._tls else '127.0.0.1'}:{port}/signals"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def ended(self) -> None:
        """Wait until nothing is being written any more."""
        async with asyncio.timeout(20):
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._under_way.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                self.heard += 1
                await self._say(writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()
            self._under_way.discard(task)

    async def _say(self, writer: asyncio.StreamWriter) -> None:
        for part in self.script:
            writer.write(part)
            await writer.drain()
            self.written += len(part)
            await asyncio.sleep(self.pause)
