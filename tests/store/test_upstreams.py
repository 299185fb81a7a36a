"""The gateway's own subscriptions at other servers: what was heard of them, and which events are missing."""

from __future__ import annotations

import asyncio

import pytest

from gateway.store.base import Heard, Store, Upstream

REFERENCE = "https://fhir.example.org/Subscription/1"


async def hear(store: Store, kind: str = "event-notification", events: int | None = None, *numbers: int) -> Upstream:
    """Hear of so many events, and take in those with these numbers; how the subscription is then."""
    told = events if events is not None or not numbers else max(numbers)
    await store.hear(Heard(REFERENCE, "one", kind, "active", told, numbers, 5, "http://example.org/t"))
    (found,) = await store.upstreams(10)
    return found


async def test_what_was_heard_is_told(store: Store) -> None:
    assert await store.upstreams(10) == []
    found = await hear(store, "handshake", 0)
    assert found == Upstream(REFERENCE, "one", "http://example.org/t", "handshake", "active", 0, 5)
    await store.hear(Heard(REFERENCE, "one", "heartbeat", "error", 0, (), 6))
    (found,) = await store.upstreams(10)
    assert (found.kind, found.state, found.topic, found.heard_ms) == ("heartbeat", "error", "http://example.org/t", 6)


async def test_a_subscription_that_was_just_made_is_told_with_its_topic(store: Store) -> None:
    await store.expect(REFERENCE, "one", "http://example.org/t", 4)
    assert await store.upstreams(10) == [Upstream(REFERENCE, "one", "http://example.org/t", "", "requested", 0, 4)]
    assert (await hear(store, "event-notification", None, 2)).missing == (1,)


async def test_what_was_heard_before_a_subscription_was_expected_stays(store: Store) -> None:
    """A server may send its handshake before the command that subscribes has kept anything."""
    await store.hear(Heard(REFERENCE, "one", "handshake", "active", 0, (), 5))
    await store.hear(Heard(REFERENCE, "one", "event-notification", "active", 1, (1,), 6))
    await store.expect(REFERENCE, "one", "http://example.org/t", 4)
    assert await store.upstreams(10) == [
        Upstream(REFERENCE, "one", "http://example.org/t", "event-notification", "active", 1, 6)
    ]


async def test_numbers_that_did_not_come_are_missing_until_they_do(store: Store) -> None:
    await hear(store, "handshake", 0)
    assert (await hear(store, "event-notification", None, 1)).missing == ()
    assert (await hear(store, "event-notification", None, 4)).missing == (2, 3)
    assert (await hear(store, "heartbeat", 6)).missing == (2, 3, 5, 6)
    assert (await hear(store, "query-event", 6, 2, 5)).missing == (3, 6)
    assert (await hear(store, "query-event", 6, 3, 6, 2)).missing == ()
    assert (await hear(store, "event-notification", None, 7)).missing == ()


async def test_no_more_are_told_than_asked_for(store: Store) -> None:
    await hear(store, "handshake", 0)
    assert (await hear(store, "heartbeat", 100)).missing == tuple(range(1, 11))


async def test_events_before_the_first_notification_are_not_missed(store: Store) -> None:
    assert (await hear(store, "event-notification", None, 41)).missing == ()
    assert (await hear(store, "event-notification", None, 43)).missing == (42,)


async def test_what_comes_late_does_not_undo_what_is_known(store: Store) -> None:
    await hear(store, "handshake", 0)
    await hear(store, "event-notification", None, 1, 2, 3)
    found = await hear(store, "event-notification", 2, 2)
    assert (found.events, found.missing) == (3, ())


async def test_a_handshake_with_fewer_events_counts_anew(store: Store) -> None:
    await hear(store, "event-notification", None, 41)
    assert (await hear(store, "handshake", 0)).events == 0
    assert (await hear(store, "event-notification", None, 2)).missing == (1,)


@pytest.mark.parametrize("order", [range(1, 31), range(30, 0, -1)])
async def test_notifications_that_come_at_once_are_all_counted(store: Store, order: range) -> None:
    await hear(store, "handshake", 0)
    await asyncio.gather(*(hear(store, "event-notification", 30, number) for number in order))
    (found,) = await store.upstreams(10)
    assert (found.events, found.missing) == (30, ())
