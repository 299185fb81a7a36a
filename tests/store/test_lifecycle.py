from __future__ import annotations

import pytest

from gateway.errors import Unavailable
from gateway.store.base import Store
from tests.store.acts import accept
from tests.store.engines import Engine


async def test_a_closed_store_takes_nothing(engine: Engine) -> None:
    store = engine.store()
    await store.open()
    await store.close()
    with pytest.raises(Unavailable):
        await accept(store)


async def test_the_state_of_the_store_is_told(store: Store) -> None:
    assert await store.check() == {"store": "ok", "migrations": "ok"}
