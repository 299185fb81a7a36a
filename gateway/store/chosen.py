"""The engine that `store.url` asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.settings import StoreSettings
from gateway.store.base import Store
from gateway.store.migration import Migration

T = TypeVar("T")


def store(settings: StoreSettings) -> Store:
    """The store, not yet open."""
    if settings.many_nodes:
        from gateway.store.postgres import PostgresStore

        return PostgresStore(settings.url, settings.max_waiting)
    from gateway.store.sqlite import SqliteStore

    return SqliteStore(settings.path, settings.max_waiting)


def ask(settings: StoreSettings, question: Callable[[Store], Awaitable[T]]) -> T:
    """What `question` finds in the store; a gateway may have it open.

    Raises:
        ConfigurationError: there is no such database, or it cannot be read.
    """

    async def run() -> T:
        opened = store(settings)
        await opened.open_to_read()
        return await _end_with(opened, question)

    return asyncio.run(run())


def tell(settings: StoreSettings, order: Callable[[Store], Awaitable[T]]) -> T:
    """Have `order` change a little in the store; a gateway may have it open, and takes it up.

    Raises:
        ConfigurationError: there is no such database, or it cannot be used.
    """

    async def run() -> T:
        opened = store(settings)
        await opened.open_beside()
        return await _end_with(opened, order)

    return asyncio.run(run())


async def _end_with(opened: Store, work: Callable[[Store], Awaitable[T]]) -> T:
    try:
        return await work(opened)
    finally:
        await opened.close()


def migrate(settings: StoreSettings) -> list[Migration]:
    """Bring the database up to this release; what was applied.

    Raises:
        ConfigurationError: it cannot be reached or changed, or is of a later release.
    """
    if settings.many_nodes:
        from gateway.store.postgres.database import migrate as migrate_server

        return asyncio.run(migrate_server(settings.url))
    from gateway.store.sqlite.database import migrate_file

    return migrate_file(settings.path)
