from __future__ import annotations

import asyncio

from gateway.store.base import Store
from tests.store.acts import LATER, SOON
from tests.store.engines import Engine


async def test_a_secret_is_drawn_once(engine: Engine) -> None:
    for _ in range(2):
        store = engine.store()
        await store.open()
        assert await store.secret("tokens", b"first") == b"first"
        assert await store.secret("tokens", b"second") == b"first"
        assert await store.secret("others", b"third") == b"third"
        await store.close()


async def test_what_may_be_used_once_is_used_once(store: Store) -> None:
    results = await asyncio.gather(*(store.use_once("surgery 1", LATER, SOON) for _ in range(5)))
    assert sorted(results) == [False] * 4 + [True]
    assert await store.use_once("surgery 2", LATER, SOON)
    assert not await store.use_once("surgery 1", LATER, LATER - 1)


async def test_what_is_worth_nothing_any_more_is_forgotten(store: Store) -> None:
    assert await store.use_once("surgery 1", LATER, SOON)
    assert await store.use_once("surgery 1", LATER + 1, LATER)
