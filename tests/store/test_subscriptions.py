from __future__ import annotations

from dataclasses import replace

from gateway.clock import now_ms
from gateway.store.base import Store
from tests.samples import subscription
from tests.store.acts import MOMENT, SOON


async def test_subscriptions_are_read_back_whole(store: Store) -> None:
    plain = subscription()
    rich = subscription(
        subject="9990001006", tag="a|b", private="sealed", end_ms=5, created_ms=1, face="r4", ordering="per-subject",
        retry_seconds=(1.0, 2.5),
    )  # fmt: skip
    asked = subscription(
        state="error", reason="HTTP 500", workflow="W_1", payload="application/json", timeout_seconds=9,
        heartbeat_seconds=60, created_ms=2,
    )  # fmt: skip
    for one in (plain, rich, asked):
        await store.add_subscription(one)
    assert await store.subscriptions() == [rich, asked, plain]


async def test_a_deleted_subscription_is_gone_once(store: Store) -> None:
    one = subscription()
    await store.add_subscription(one)
    assert await store.delete_subscription(one.id, SOON)
    assert not await store.delete_subscription(one.id, SOON)
    assert await store.subscriptions() == []


async def test_a_deleted_subscription_is_still_found_by_its_id(store: Store) -> None:
    one = subscription()
    await store.add_subscription(one)
    assert await store.is_subscribed(one.id)
    await store.delete_subscription(one.id, SOON)
    assert await store.subscription(one.id) == one
    assert await store.subscription("none") is None
    assert not await store.is_subscribed(one.id)
    assert not await store.is_subscribed("none")


async def test_a_subscription_is_replaced_whole(store: Store) -> None:
    before = subscription()
    after = subscription(
        id=before.id, endpoint="OTHER", criteria="other", workflow="MINE", created_ms=before.created_ms, state="off"
    )
    assert not await store.replace_subscription(after)
    await store.add_subscription(before)
    assert await store.replace_subscription(after)
    assert await store.subscriptions() == [after]
    await store.delete_subscription(before.id, SOON)
    assert not await store.replace_subscription(before)


async def test_a_state_changes_only_from_what_it_was(store: Store) -> None:
    one = subscription(state="requested")
    await store.add_subscription(one)
    assert not await store.set_subscription_state(one.id, "error", "HTTP 500", was=["active"])
    assert await store.set_subscription_state(one.id, "active", was=["requested", "error"])
    assert not await store.set_subscription_state(one.id, "active", was=["requested", "error"])
    assert await store.set_subscription_state(one.id, "error", "HTTP 500")
    assert await store.subscriptions() == [replace(one, state="error", reason="HTTP 500")]
    await store.delete_subscription(one.id, SOON)
    assert not await store.set_subscription_state(one.id, "active")


async def test_a_heartbeat_is_due_once_a_period_while_the_subscription_is_active(store: Store) -> None:
    beating, quiet = subscription(state="requested", heartbeat_seconds=10), subscription(state="requested")
    for one in (beating, quiet):
        await store.add_subscription(one)
    assert await store.due_heartbeats(SOON) == []
    before = now_ms()
    for one in (beating, quiet):
        await store.set_subscription_state(one.id, "active")
    after = now_ms()
    assert await store.due_heartbeats(before + 10_000 - MOMENT) == []
    assert await store.due_heartbeats(after + 10_000 + MOMENT) == [beating.id]
    assert await store.due_heartbeats(after + 20_000) == []
    assert await store.due_heartbeats(after + 20_000 + 2 * MOMENT) == [beating.id]
    await store.set_subscription_state(beating.id, "error")
    assert await store.due_heartbeats(after + 99_000) == []


async def test_what_is_private_is_replaced(store: Store) -> None:
    one = subscription(private="old")
    await store.add_subscription(one)
    assert await store.set_subscription_private(one.id, "new")
    assert await store.subscriptions() == [replace(one, private="new")]
    assert not await store.set_subscription_private("none", "new")


async def test_what_the_index_needs_is_read_in_pages(store: Store) -> None:
    made = sorted(
        [subscription(subject="9990001006", tag="a|b", end_ms=5, filter="a = 'b'"), subscription(), subscription()],
        key=lambda one: one.id,
    )
    for one in [*reversed(made), subscription(face="r4")]:
        await store.add_subscription(one)
    pages = [await store.nems_entries(after, 2) for after in ("", made[1].id, made[2].id)]
    assert [len(page) for page in pages] == [2, 1, 0]
    for one, entry in zip(made, [*pages[0], *pages[1]], strict=True):
        assert (entry.id, entry.subject, entry.tag, entry.end_ms) == (one.id, one.subject, one.tag, one.end_ms)
        assert entry.terms == one.entry.terms
    assert [one.face for one in await store.subscriptions(but_of="nems")] == ["r4"]


async def test_a_deleted_subscription_is_not_for_the_index(store: Store) -> None:
    one = subscription()
    await store.add_subscription(one)
    await store.delete_subscription(one.id, SOON)
    assert await store.nems_entries("", 10) == []
