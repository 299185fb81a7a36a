"""What the gateway keeps, and what it reads from files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from gateway.settings.section import Count, Days, Seconds, Section


class StoreSettings(Section):
    """Where events are kept."""

    url: str
    max_waiting: Count

    @model_validator(mode="after")
    def _known_engine(self) -> Self:
        parts = urlsplit(self.url)
        file = parts.scheme == "sqlite" and self.url.startswith("sqlite:///") and len(self.url) > len("sqlite:///")
        if not file and not (self.many_nodes and parts.path.strip("/")):
            raise ValueError("must be sqlite:///path or postgresql://user:password@host:port/database")
        return self

    @property
    def many_nodes(self) -> bool:
        """Whether several gateways may share it: PostgreSQL."""
        return self.url.startswith("postgresql://")

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return Path(self.url.removeprefix("sqlite:///"))


class RetentionSettings(Section):
    """How long things are kept."""

    days: Days
    event_types: dict[str, Days]
    audit_days: Days


class MappingSettings(Section):
    """Where mapping modules are, and whether changes to them are noticed."""

    folder: str
    reload_seconds: Annotated[float, Field(ge=0)]


class ReferenceSettings(Section):
    """How soon loaded reference data are taken up."""

    reload_seconds: Seconds
