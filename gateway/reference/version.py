"""Which file of reference data is in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Dataset = Literal["practices", "postcodes", "suppliers"]
DATASETS: tuple[Dataset, ...] = ("practices", "postcodes", "suppliers")


@dataclass(frozen=True, slots=True)
class ReferenceVersion:
    """A file that was loaded: `version` is when (epoch milliseconds), `source` its name, `rows` how many it gave."""

    dataset: Dataset
    version: int
    source: str
    rows: int
