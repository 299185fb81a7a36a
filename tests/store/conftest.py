"""Every test in this folder that asks for a `store` or an `engine` runs once for each engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.store.base import Store
from tests.store.engines import Engine, Sqlite


@pytest.fixture(params=["sqlite"])
def engine(tmp_path: Path) -> Engine:
    return Sqlite(tmp_path)


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[Store]:
    opened = engine.store()
    await opened.open()
    yield opened
    await opened.close()
