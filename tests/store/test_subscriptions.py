from __future__ import annotations

from gateway.store.base import Store
from tests.samples import subscription
from tests.store.acts import SOON


async def test_subscriptions_are_read_back_whole(store: Store) -> None:
    plain = subscription()
    rich = subscription(subject="9990001006", tag="a|b", headers=(("X-Key", "v"),), end_ms=5, created_ms=1, face="r4")
    for one in (plain, rich):
        await store.add_subscription(one)
    assert await store.subscriptions() == [rich, plain]


async def test_a_deleted_subscription_is_gone_once(store: Store) -> None:
    one = subscription()
    await store.add_subscription(one)
    assert await store.delete_subscription(one.id, SOON)
    assert not await store.delete_subscription(one.id, SOON)
    assert await store.subscriptions() == []


async def test_a_deleted_subscription_is_still_found_by_its_id(store: Store) -> None:
    one = subscription()
    await store.add_subscription(one)
    await store.delete_subscription(one.id, SOON)
    assert await store.subscription(one.id) == one
    assert await store.subscription("none") is None


async def test_a_subscription_is_replaced_whole(store: Store) -> None:
    before = subscription()
    after = subscription(
        id=before.id, endpoint="OTHER", criteria="other", workflow="MINE", created_ms=before.created_ms
    )
    assert not await store.replace_subscription(after)
    await store.add_subscription(before)
    assert await store.replace_subscription(after)
    assert await store.subscriptions() == [after]
    await store.delete_subscription(before.id, SOON)
    assert not await store.replace_subscription(before)
