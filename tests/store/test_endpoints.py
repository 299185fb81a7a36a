from __future__ import annotations

from dataclasses import replace

from gateway.clock import now_ms
from gateway.store.base import FailingEndpoint, Store
from tests.store.acts import LATER, MOMENT, MUCH_LATER, SOON

ONE = FailingEndpoint("http://one/", SOON, 0, LATER, "HTTP 500")


async def kept(store: Store) -> list[FailingEndpoint]:
    """What is kept, its times to the MOMENT."""
    return [
        replace(one, failing_ms=_rounded(one.failing_ms), probe_ms=_rounded(one.probe_ms))
        for one in await store.failing_endpoints()
    ]


def _rounded(ms: int) -> int:
    return round(ms / MOMENT) * MOMENT


async def test_a_failing_endpoint_is_remembered_until_it_is_well(store: Store) -> None:
    await store.keep_failing_endpoint(ONE)
    assert await kept(store) == [ONE]
    await store.forget_failing_endpoint(ONE.endpoint)
    assert await kept(store) == []
    await store.forget_failing_endpoint(ONE.endpoint)


async def test_since_when_it_fails_stays(store: Store) -> None:
    later = FailingEndpoint(ONE.endpoint, LATER, 3, MUCH_LATER, "no answer in time")
    await store.keep_failing_endpoint(ONE)
    await store.keep_failing_endpoint(later)
    assert await kept(store) == [replace(later, failing_ms=SOON)]


async def test_a_probe_is_taken_once(store: Store) -> None:
    await store.keep_failing_endpoint(ONE)
    assert not await store.take_probe(ONE.endpoint, LATER - MOMENT, MUCH_LATER)
    assert await store.take_probe(ONE.endpoint, LATER + MOMENT, MUCH_LATER)
    assert not await store.take_probe(ONE.endpoint, LATER + MOMENT, MUCH_LATER)
    assert await store.take_probe(ONE.endpoint, MUCH_LATER + MOMENT, 2 * MUCH_LATER)
    assert not await store.take_probe("http://none/", LATER, MUCH_LATER)


async def test_a_probe_is_due_at_once_when_an_operator_wants_it(store: Store) -> None:
    await store.keep_failing_endpoint(ONE)
    assert await store.hasten_probe(ONE.endpoint, now_ms())
    assert await store.take_probe(ONE.endpoint, now_ms() + MOMENT, SOON)
    assert not await store.hasten_probe("http://none/", now_ms())
