"""Opens the files that ODS and ONS publish: a CSV, or a zip file with CSVs."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import ConfigurationError

Rows = Iterator[list[str]]
# A zip file with a password is a RuntimeError, one packed in a way that Python does not know a NotImplementedError.
_UNREADABLE = (OSError, EOFError, csv.Error, zipfile.BadZipFile, zlib.error, UnicodeError, RuntimeError)


@contextmanager
def rows_of(path: Path) -> Iterator[Rows]:
    """The rows of a CSV file, or of the largest in a zip file, one at a time.

    Raises:
        ConfigurationError: it cannot be read, or holds no CSV.
    """
    try:
        with _rows_of(path) as rows:
            yield rows
    except _UNREADABLE as error:
        raise ConfigurationError(f"{path}: {error}") from None


@contextmanager
def _rows_of(path: Path) -> Iterator[Rows]:
    if not zipfile.is_zipfile(path):
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
            yield csv.reader(text)
        return
    with zipfile.ZipFile(path) as archive:
        found = [one for one in archive.infolist() if one.filename.lower().endswith(".csv")]
        if not found:
            raise ConfigurationError(f"{path}: there is no CSV file in it")
        with archive.open(max(found, key=lambda one: one.file_size)) as file:
            yield csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline=""))


def small_tables(path: Path, up_to_bytes: int = 1_000_000) -> Iterator[Rows]:
    """The rows of each CSV of a zip file that is no larger; of a CSV file, none.

    ONS puts the lists of what its codes mean beside the directory.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for one in archive.infolist():
            if one.filename.lower().endswith(".csv") and one.file_size <= up_to_bytes:
                with archive.open(one) as file:
                    yield csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline=""))
