from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import letters
from gateway.store.base import Acceptance
from gateway.store.sqlite import SqliteStore
from tests.samples import delivery, event, subscription, verdict
from tests.store.acts import LATER

COUNT = 5


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store with some dead letters of one subscription."""
    opened = SqliteStore(tmp_path / "gateway.db")
    await opened.open()
    mine = subscription(channel="rest-hook", endpoint="http://one/")
    await opened.add_subscription(mine)
    for _ in range(COUNT):
        one = event()
        made = delivery(one, subscriptions=(mine.id,), endpoint="http://one/")
        await opened.accept(Acceptance(one, [made], [made.id], LATER))
        await opened.record(verdict(made, "dead"))
    yield opened
    await opened.close()


@pytest.mark.parametrize("act", [letters.replay, letters.discard])
async def test_no_more_are_changed_than_were_counted(store: SqliteStore, act: letters.Act) -> None:
    """What has died while the operator was asked was not meant."""
    dead = letters.selection(states=("dead",), endpoint="http://one/")
    earliest = [one.delivery.id for one in await store.deliveries(dead, 2)]
    assert await act(store, dead, (), 2) == 2
    left = [one.delivery.id for one in await store.deliveries(dead, 100)]
    assert len(left) == COUNT - 2
    assert not set(earliest) & set(left)
