"""Reference data in PostgreSQL."""

from __future__ import annotations

from gateway.reference.version import Dataset, ReferenceVersion
from gateway.store.postgres.engine import Engine

KEEP = """
INSERT INTO reference_data (dataset, version, source, row_count, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (dataset) DO UPDATE SET version = $2, source = $3, row_count = $4, body = $5
"""
VERSIONS = "SELECT dataset, version, source, row_count FROM reference_data ORDER BY dataset"
BODY = "SELECT body FROM reference_data WHERE dataset = $1"


class ReferenceData(Engine):
    """Keeps reference data, a row for each dataset."""

    async def keep_reference(self, version: ReferenceVersion, body: bytes) -> None:
        await self._execute(KEEP, version.dataset, version.version, version.source, version.rows, body)

    async def reference_versions(self) -> list[ReferenceVersion]:
        return [ReferenceVersion(*row) for row in await self._fetch(VERSIONS)]

    async def reference(self, dataset: Dataset) -> bytes | None:
        row = await self._first(BODY, dataset)
        return bytes(row[0]) if row else None
