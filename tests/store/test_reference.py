from __future__ import annotations

from gateway.reference.version import ReferenceVersion
from gateway.store.base import Store
from tests.store.engines import Engine

FIRST = ReferenceVersion("practices", 1, "epraccur.zip", 2)
SECOND = ReferenceVersion("practices", 2, "epraccur.csv", 3)
OTHER = ReferenceVersion("postcodes", 1, "ONSPD.zip", 4)


async def test_a_version_replaces_the_one_before(store: Store) -> None:
    assert await store.reference_versions() == []
    assert await store.reference("practices") is None
    await store.keep_reference(FIRST, b"\n\x00first")
    await store.keep_reference(OTHER, b"other" * 1_000_000)
    await store.keep_reference(SECOND, b"second")
    assert sorted(await store.reference_versions(), key=lambda one: one.dataset) == [OTHER, SECOND]
    assert await store.reference("practices") == b"second"
    assert await store.reference("postcodes") == b"other" * 1_000_000


async def test_it_is_loaded_beside_a_gateway_that_runs(store: Store, engine: Engine) -> None:
    beside = engine.store()
    await beside.open_to_read()
    await beside.keep_reference(FIRST, b"first")
    await beside.close()
    assert await store.reference_versions() == [FIRST]
