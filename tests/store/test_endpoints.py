from __future__ import annotations

from dataclasses import replace

from gateway.store.base import FailingEndpoint, Store

ONE = FailingEndpoint("http://one/", 1_000, 0, 2_000, "HTTP 500")


async def test_a_failing_endpoint_is_remembered_until_it_is_well(store: Store) -> None:
    await store.keep_failing_endpoint(ONE)
    assert await store.failing_endpoints() == [ONE]
    await store.forget_failing_endpoint(ONE.endpoint)
    assert await store.failing_endpoints() == []
    await store.forget_failing_endpoint(ONE.endpoint)


async def test_since_when_it_fails_stays(store: Store) -> None:
    later = FailingEndpoint(ONE.endpoint, 9_000, 3, 9_500, "no answer in time")
    await store.keep_failing_endpoint(ONE)
    await store.keep_failing_endpoint(later)
    assert await store.failing_endpoints() == [replace(later, failing_ms=1_000)]


async def test_a_probe_is_taken_once(store: Store) -> None:
    await store.keep_failing_endpoint(ONE)
    assert await store.take_probe(ONE.endpoint, 2_000, 5_000)
    assert not await store.take_probe(ONE.endpoint, 2_000, 5_000)
    assert await store.take_probe(ONE.endpoint, 5_000, 9_000)
    assert not await store.take_probe("http://none/", 0, 1)
