"""The settings: `config/default.toml`, overridden by a file, overridden by `GATEWAY_` environment variables."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from gateway.errors import ConfigurationError
from gateway.resources import folder
from gateway.settings.data import MappingSettings, ReferenceSettings, RetentionSettings, StoreSettings
from gateway.settings.delivery import DeliverySettings, Retrieval, WebhookSettings
from gateway.settings.edge import Http, Oauth, Security
from gateway.settings.faces import R4, Mns, Nems, NemsUpstream
from gateway.settings.mesh import Mesh
from gateway.settings.section import Section, is_loopback

__all__ = [
    "DeliverySettings", "Http", "Mesh", "NemsUpstream", "RetentionSettings", "Settings", "StoreSettings", "load",
]  # fmt: skip


PREFIX = "GATEWAY_"


class Log(Section):
    """What is logged."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Settings(BaseSettings):
    """All settings; `config/default.toml` says what each means."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    applications: str
    event_types: str
    helpers: Annotated[int, Field(ge=0, le=16)]
    http: Http
    store: StoreSettings
    mesh: Mesh
    mapping: MappingSettings
    reference: ReferenceSettings
    delivery: DeliverySettings
    retention: RetentionSettings
    webhook: WebhookSettings
    r4: R4
    security: Security
    nems: Nems
    mns: Mns
    retrieval: Retrieval
    oauth: Oauth
    log: Log

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.security.mode == "open" and not is_loopback(self.http.host):
            raise ValueError(
                f"security.mode is open, which is only for loopback: set {PREFIX}SECURITY__MODE=closed"
                f" or {PREFIX}HTTP__HOST=127.0.0.1"
            )
        if self.security.mode == "closed" and not self.applications:
            raise ValueError(f"security.mode is closed: set {PREFIX}APPLICATIONS to the applications file")
        if (self.security.client_certificates == "tls") != bool(self.http.tls_client_ca_file):
            raise ValueError("security.client_certificates = tls and http.tls_client_ca_file go together")
        # A lease that ends while an attempt may still be under way would have the attempt made twice.
        if self.delivery.lease_seconds <= self.longest_attempt_seconds:
            raise ValueError(
                f"delivery.lease_seconds must be more than the longest attempt, {self.longest_attempt_seconds:g} s"
            )
        return self

    @property
    def longest_attempt_seconds(self) -> float:
        """How long one attempt at a delivery can take: a webhook's time, or MESH's for looking a message up and
        sending it; before that, a source's, for a token and a record.
        """
        retrieval = self.retrieval.seconds * (2 if self.retrieval.sources else 1)
        return retrieval + max(
            self.delivery.webhook_seconds,
            self.r4.timeout_max_seconds,
            2 * (self.mesh.connect_seconds + self.mesh.read_seconds),
        )


def load(file: Path | None = None) -> Settings:
    """Read the settings.

    Raises:
        ConfigurationError: a setting is unknown, missing or wrong; the message is one line that names it.
    """
    _refuse_unknown_variables()
    files = [folder("config") / "default.toml", *([file] if file else [])]
    for path in files:
        _check_toml(path)

    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return env_settings, *(TomlConfigSettingsSource(settings_cls, path) for path in reversed(files))

    try:
        return Layered()  # type: ignore[call-arg]  # the sources give the values
    except (ValidationError, SettingsError, ValueError) as error:
        raise ConfigurationError(_one_line(error)) from None


def _check_toml(path: Path) -> None:
    try:
        tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"settings file {path}: {error}") from None


def _refuse_unknown_variables() -> None:
    known = {name.upper() for name in Settings.model_fields}
    for variable in os.environ:
        # Kubernetes tells every pod of a Service named gateway by variables of these forms.
        if variable.startswith((f"{PREFIX}SERVICE_", f"{PREFIX}PORT")):
            continue
        if variable.startswith(PREFIX) and variable.removeprefix(PREFIX).split("__")[0] not in known:
            raise ConfigurationError(f"{variable}: there is no such setting; see config/default.toml")


def _one_line(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error).replace("\n", " ")
    first = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such setting; see config/default.toml"
    if not path:
        return message
    return f"{path} ({PREFIX}{path.upper().replace('.', '__')}): {message}"
