"""A database of an earlier release holds the same after its migration."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.clock import now_ms
from gateway.events import Original
from gateway.store.postgres import PostgresStore, database, partitions
from tests.postgres import PostgresServer
from tests.samples import event
from tests.store.acts import steps_before

STORAGE = """
SELECT attstorage FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE attname = 'body' AND relname LIKE 'events%'
"""
OLD_EVENT = "INSERT INTO events VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"


async def test_events_whose_originals_were_apart(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await asyncio.to_thread(postgres.database, "template0")
    bodies = b"<small/>", b"<large/>" * 3_000
    first, second = (event(original=Original(body, "application/fhir+xml", "nems-message")) for body in bodies)
    with monkeypatch.context() as earlier:
        earlier.setattr(database, "MIGRATIONS", steps_before(5, database.MIGRATIONS, tmp_path / "steps"))
        await database.migrate(url)
    async with database.connection(url) as opened:
        today = now_ms() // partitions.DAY_MS * partitions.DAY_MS
        start, end = partitions.ids_of(today)
        for table in ("events", "originals"):
            name = partitions.name(table, today)
            await opened.execute(f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ({start}) TO ({end})")
        for one in (first, second):
            await opened.execute(
                OLD_EVENT, one.row_id, one.received_ms, one.face, one.application, one.id, one.source, one.type, one.time,
                one.subject, one.dataref, one.versionid, '{"generalpractitioner":"A20047"}',
                '["Bundle.entry[1]: out of order"]',
            )  # fmt: skip
            original = one.original
            row = one.row_id, original.form, original.media_type, original.body
            await opened.execute("INSERT INTO originals VALUES ($1, $2, $3, $4)", *row)
    await database.migrate(url)
    store = PostgresStore(url)
    await store.open()
    assert await store.events(9) == [second, first]
    await store.tidy(now_ms())
    assert await store._fetch("SELECT relname FROM pg_class WHERE relname LIKE 'originals%'") == []
    partitioned = [row[0] for row in await store._fetch(STORAGE)]
    await store.close()
    # Large bodies stay as they are, in every partition.
    assert partitioned == [b"e"] * (2 + 8)
