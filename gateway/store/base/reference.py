"""What the store keeps of reference data."""

from __future__ import annotations

from typing import Protocol

from gateway.reference.version import Dataset, ReferenceVersion


class ReferenceData(Protocol):
    """Keeps one version of each dataset. It may be written while gateways run, by a store that is open to read."""

    async def keep_reference(self, version: ReferenceVersion, body: bytes) -> None:
        """Put a dataset in the place of its version before, at once: readers see the one or the other."""
        ...

    async def reference_versions(self) -> list[ReferenceVersion]:
        """What is loaded."""
        ...

    async def reference(self, dataset: Dataset) -> bytes | None:
        """The present version of a dataset; None when none is loaded."""
        ...
