"""A database of an earlier release holds the same after its migration."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from gateway.events import Original
from gateway.store.base import Acceptance, Cutoffs
from gateway.store.sqlite import SqliteStore, database
from tests.samples import event
from tests.store.acts import steps_before

OLD_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


async def test_events_whose_originals_were_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three events one may come again; the hash of one other was in the index, that of the third was not yet. The body
    of one is small.
    """
    path = tmp_path / "gateway.db"
    again, indexed, new = (
        event(id=name, original=Original(f"<{name}/>".encode() * times, "application/fhir+xml", "nems-message"))
        for name, times in (("again", 3_000), ("indexed", 1), ("new", 250))
    )
    with monkeypatch.context() as earlier:
        earlier.setattr(database, "MIGRATIONS", steps_before(12, database.MIGRATIONS, tmp_path / "steps"))
        database.migrate_file(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for one in (again, indexed, new):
            row = (
                one.row_id, one.received_ms, one.face, one.application, one.id, one.source, one.type, one.time, one.subject,
                one.dataref, one.versionid, '{"generalpractitioner":"A20047"}', '["Bundle.entry[1]: out of order"]',
            )  # fmt: skip
            connection.execute(OLD_EVENT, row)
            original = one.row_id, one.original.form, one.original.media_type, one.original.body
            connection.execute("INSERT INTO originals VALUES (?, ?, ?, ?)", original)
        hashes = [database.hash_of(one.id) for one in (indexed, new)]
        connection.execute("INSERT INTO event_hashes VALUES (?, ?)", (hashes[0], indexed.row_id))
        connection.execute("INSERT INTO new_event_hashes VALUES (?, ?)", (new.row_id, hashes[1]))
        connection.commit()
    for _ in range(2):
        store = SqliteStore(path)
        await store.open()
        assert await store.events(9) == [new, indexed, again]
        found = await asyncio.gather(*(store.accept(_once(one.id)) for one in (indexed, new)))
        assert [one.first for one in found] == [indexed.row_id, new.row_id]
        assert [await store.events_named(one.id) for one in (indexed, new, again)] == [
            [indexed.row_id],
            [new.row_id],
            [],
        ]
        await store.close()
    store = SqliteStore(path)
    await store.open()
    assert (await store.accept(_once(again.id))).first is None
    forever = 1 << 42
    assert (await store.erase(Cutoffs(forever, {}, forever), 0, 9)).events == 4
    await store.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM event_hashes").fetchone() == (0,)


def _once(name: str) -> Acceptance:
    return Acceptance(event(id=name), [], once=True)
