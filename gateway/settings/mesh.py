"""The gateway's own mailboxes."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from gateway.settings.section import Count, Seconds, Section, is_loopback, require_tls_files

MESH_POLL_SECONDS = 300
"""A mailbox may be polled at most once in five minutes (MESH API, GET /messageexchange/{mailbox}/inbox)."""
MESH_CHUNK_BYTES = (5_000_000, 100_000_000)
"""A chunk but the last is longer than the one, and no request is longer than the other (MESH API, POST /outbox)."""


class MeshMailbox(Section):
    """A further mailbox of the gateway's own."""

    mailbox: Annotated[str, Field(min_length=1)]
    password: SecretStr


class Mesh(Section):
    """The gateway's own mailboxes."""

    url: str
    mailbox: str
    password: SecretStr
    shared_key: SecretStr
    mailboxes: tuple[MeshMailbox, ...]
    poll_seconds: Seconds
    track_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    max_message_bytes: Count
    chunk_bytes: Count
    compress: bool
    connect_seconds: Seconds
    read_seconds: Seconds
    send_threads: Count
    cert_file: str
    key_file: str
    ca_file: str

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.url:
            if self.mailbox or self.mailboxes or self.password.get_secret_value() or self.shared_key.get_secret_value():
                raise ValueError("url is needed when mailbox, password or shared_key is set")
            return self
        host = urlsplit(self.url).hostname or ""
        if urlsplit(self.url).scheme not in {"http", "https"} or not host:
            raise ValueError("url must be http://… or https://…")
        for name in ("mailbox", "password", "shared_key"):
            value = getattr(self, name)
            if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
                raise ValueError(f"{name} is needed when url is set")
        require_tls_files(self)
        return self

    @model_validator(mode="after")
    def _at_meshs_pace(self) -> Self:
        if not self.url or is_loopback(urlsplit(self.url).hostname or ""):
            return self
        if self.poll_seconds < MESH_POLL_SECONDS:
            raise ValueError(f"poll_seconds may be under {MESH_POLL_SECONDS} only for a MESH on loopback")
        if 0 < self.track_seconds < MESH_POLL_SECONDS:
            raise ValueError(f"track_seconds may be under {MESH_POLL_SECONDS} only for a MESH on loopback")
        least, most = MESH_CHUNK_BYTES
        if not least < self.chunk_bytes <= most:
            raise ValueError(f"chunk_bytes must be more than {least} and at most {most}")
        return self
