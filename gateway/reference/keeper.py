"""Keeps this process's reference data that of the store, whichever node loaded it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
import structlog

from gateway.errors import ConfigurationError
from gateway.reference.data import Reference
from gateway.reference.packing import unpack_postcodes, unpack_practices, unpack_suppliers
from gateway.reference.version import Dataset, ReferenceVersion

log = structlog.get_logger()


class Shelf(Protocol):
    """The part of a Store that the keeper needs."""

    async def reference_versions(self) -> Sequence[ReferenceVersion]:
        """What is loaded: one version of a dataset at most."""
        ...

    async def reference(self, dataset: Dataset) -> bytes | None:
        """The present version of a dataset."""
        ...


class Keeper:
    """Takes what is new in the store into `reference`."""

    def __init__(self, store: Shelf, reference: Reference) -> None:
        self._store, self._reference = store, reference
        self._held: dict[Dataset, int] = {}

    async def refresh(self) -> None:
        """Look once, and log what was new. What is there stays if the new cannot be had."""
        for one in await self.take():
            log.info("reference", dataset=one.dataset, source=one.source, rows=one.rows)

    async def take(self) -> list[ReferenceVersion]:
        """Take what is new, each dataset whole; what it was.

        Raises:
            ConfigurationError: what the store has is no reference data.
        """
        taken = []
        for one in await self._store.reference_versions():
            body = None if self._held.get(one.dataset) == one.version else await self._store.reference(one.dataset)
            if body is None:
                continue
            try:
                self._put(one.dataset, body)
            except (msgspec.MsgspecError, ValueError):
                raise ConfigurationError(f"reference data: the {one.dataset} kept are none; load them again") from None
            self._held[one.dataset] = one.version
            taken.append(one)
        return taken

    def _put(self, dataset: Dataset, body: bytes) -> None:
        if dataset == "practices":
            self._reference.practices = unpack_practices(body)
        elif dataset == "suppliers":
            self._reference.suppliers = unpack_suppliers(body)
        else:
            self._reference.postcodes = unpack_postcodes(body)
