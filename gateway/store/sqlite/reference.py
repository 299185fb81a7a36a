"""Reference data beside the SQLite file, a file for each dataset.

Not in the database: one process writes that, and a command loads reference data while a gateway runs.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict
from pathlib import Path

import msgspec

from gateway.errors import ConfigurationError
from gateway.reference.version import DATASETS, Dataset, ReferenceVersion
from gateway.store.sqlite.engine import Engine


class ReferenceData(Engine):
    """Keeps reference data; the first line of a file says what it holds."""

    async def keep_reference(self, version: ReferenceVersion, body: bytes) -> None:
        await asyncio.to_thread(_write, self._file(version.dataset), version, body)

    async def reference_versions(self) -> list[ReferenceVersion]:
        found = await asyncio.to_thread(lambda: [_version(self._file(dataset)) for dataset in DATASETS])
        return [one for one in found if one]

    async def reference(self, dataset: Dataset) -> bytes | None:
        return await asyncio.to_thread(_body, self._file(dataset))

    def _file(self, dataset: Dataset) -> Path:
        return self._path.with_name(f"{self._path.name}.{dataset}")


def _write(path: Path, version: ReferenceVersion, body: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    try:
        with new.open("wb") as file:
            file.write(msgspec.json.encode(asdict(version)) + b"\n")
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None


def _version(path: Path) -> ReferenceVersion | None:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.readline(), type=ReferenceVersion)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError:
        raise ConfigurationError(f"{path}: not reference data; load it again, or remove it") from None


def _body(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            file.readline()
            return file.read()
    except FileNotFoundError:
        return None
