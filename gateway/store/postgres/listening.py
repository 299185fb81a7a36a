"""Hears of what other nodes change: a connection of its own that listens, and is made anew when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg

from gateway.errors import ConfigurationError
from gateway.store.postgres import database

CHANNEL = "subscriptions"
AGAIN_SECONDS = 0.2
LOOK_SECONDS = 5
"""How often the connection is looked at: one that was cut without a word is found out by asking."""


class Listener:
    """Calls `heard` for each notification, and whenever it has connected, since some may have been missed."""

    def __init__(self, url: str, heard: Callable[[], None]) -> None:
        self._url, self._heard = url, heard
        self._task = asyncio.create_task(self._run(), name="listen")

    async def close(self) -> None:
        """Listen no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (ConfigurationError, asyncpg.PostgresError, *database.LOST):
                await asyncio.sleep(AGAIN_SECONDS)

    async def _listen(self) -> None:
        lost = asyncio.Event()
        async with database.connection(self._url) as connection:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, lambda *_: self._heard())
            self._heard()
            while not lost.is_set():
                try:
                    await asyncio.wait_for(lost.wait(), LOOK_SECONDS)
                except TimeoutError:
                    await connection.execute("SELECT 1", timeout=LOOK_SECONDS)
