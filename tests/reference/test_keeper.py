from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.reference.data import Practice, Reference, postcodes_of
from gateway.reference.keeper import Keeper
from gateway.reference.packing import pack_postcodes, pack_practices
from gateway.reference.version import ReferenceVersion
from gateway.store.sqlite import SqliteStore

OLD, NEW = {"A99991": Practice("Z9Z", "ZZ99 3VZ")}, {"A99992": Practice("Y9Y", "ZZ99 1WZ")}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "gateway.db")
    await opened.open()
    yield opened
    await opened.close()


async def test_a_new_version_is_taken_once(store: SqliteStore) -> None:
    reference = Reference()
    keeper = Keeper(store, reference)
    assert await keeper.take() == []
    assert reference == Reference()
    first = ReferenceVersion("practices", 1, "epraccur.zip", 1)
    await store.keep_reference(first, pack_practices(OLD))
    assert await keeper.take() == [first]
    assert reference.practices == OLD
    held = reference.practices
    assert await keeper.take() == []
    assert reference.practices is held
    second = ReferenceVersion("practices", 2, "epraccur.zip", 1)
    other = ReferenceVersion("postcodes", 2, "ONSPD.zip", 1)
    await store.keep_reference(second, pack_practices(NEW))
    area = (("E92000001",), ("E09000099",), ("Z9Z",))
    await store.keep_reference(other, pack_postcodes(postcodes_of([("ZZ99 3VZ", area)])))
    assert await keeper.take() == [second, other]
    assert reference.practices == NEW
    assert reference.postcodes is not None
    assert reference.postcodes.get("ZZ99 3VZ") == area


@pytest.mark.parametrize("dataset", ["practices", "postcodes"])
async def test_what_is_no_reference_data_is_told_in_one_line_and_the_old_stays(
    store: SqliteStore, tmp_path: Path, dataset: str
) -> None:
    reference = Reference(practices=OLD)
    await store.keep_reference(ReferenceVersion(dataset, 1, "x", 1), b"\xffnone")
    with pytest.raises(ConfigurationError, match=f"the {dataset} kept are none"):
        await Keeper(store, reference).take()
    assert reference.practices == OLD
    (tmp_path / f"gateway.db.{dataset}").write_bytes(b"none")
    with pytest.raises(ConfigurationError, match="not reference data"):
        await Keeper(store, reference).take()
