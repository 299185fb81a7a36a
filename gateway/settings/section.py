"""What the sections of the settings are made of."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import NoDecode


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is this machine and nothing else."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _listed(value: object) -> object:
    """A list written in an environment variable: `["a", "b"]` or `a,b`."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    return json.loads(text) if text.startswith("[") else [part.strip() for part in text.split(",") if part.strip()]


Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_listed)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
Days = Annotated[float, Field(gt=0, le=36500, allow_inf_nan=False)]
Waits = Annotated[tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...], NoDecode, BeforeValidator(_listed)]
Networks = Annotated[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...], NoDecode, BeforeValidator(_listed)]


class Section(BaseModel):
    """A section of the settings; there is none but those of its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def require_files(section: Section, *names: str) -> None:
    """Check that the files are there which the settings of those names give, if they give one.

    Raises:
        ValueError: one is missing.
    """
    for name in names:
        if (file := getattr(section, name)) and not Path(file).is_file():
            raise ValueError(f"{name} {file}: there is no such file")


def require_tls_files(section: Section) -> None:
    """Check the files of a client certificate, and of the authorities that are believed.

    Raises:
        ValueError: one is missing.
    """
    certificate, key = (getattr(section, name) for name in ("cert_file", "key_file"))
    if bool(certificate) != bool(key):
        raise ValueError("cert_file and key_file go together")
    require_files(section, "cert_file", "key_file", "ca_file")
