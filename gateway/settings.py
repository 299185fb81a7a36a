"""The settings: `config/default.toml`, overridden by a file, overridden by `GATEWAY_` environment variables."""

from __future__ import annotations

import ipaddress
import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from gateway.addresses import is_webhook_url
from gateway.errors import ConfigurationError
from gateway.resources import folder
from gateway.signing import is_secret

PREFIX = "GATEWAY_"
MIN_TOKEN = 24
MESH_POLL_SECONDS = 300
"""A mailbox may be polled at most once in five minutes (MESH API, GET /messageexchange/{mailbox}/inbox)."""
MESH_CHUNK_BYTES = (5_000_000, 100_000_000)
"""A chunk but the last is longer than the one, and no request is longer than the other (MESH API, POST /outbox)."""


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is this machine and nothing else."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _numbers(value: object) -> object:
    """A list written in an environment variable: `[1, 2]` or `1,2`."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    return json.loads(text) if text.startswith("[") else [part for part in text.split(",") if part.strip()]


def _texts(value: object) -> object:
    """A list written in an environment variable: `["a", "b"]` or `a,b`."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    return json.loads(text) if text.startswith("[") else [part.strip() for part in text.split(",") if part.strip()]


Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_texts)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
Waits = Annotated[tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...], NoDecode, BeforeValidator(_numbers)]


def _words(value: object) -> object:
    """A list written in an environment variable: `["a", "b"]` or `a,b`."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    return json.loads(text) if text.startswith("[") else [part.strip() for part in text.split(",") if part.strip()]


Networks = Annotated[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...], NoDecode, BeforeValidator(_words)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _require_files(section: _Section, *names: str) -> None:
    for name in names:
        if (file := getattr(section, name)) and not Path(file).is_file():
            raise ValueError(f"{name} {file}: there is no such file")


def _require_tls_files(section: Mesh | NemsUpstream) -> None:
    if bool(section.cert_file) != bool(section.key_file):
        raise ValueError("cert_file and key_file go together")
    _require_files(section, "cert_file", "key_file", "ca_file")


class Http(_Section):
    """Where the gateway listens, and how the outside reaches it."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    public_url: str
    max_body_bytes: Count
    max_in_flight_bytes: Count
    max_connections: Count
    tls_cert_file: str
    tls_key_file: str
    tls_client_ca_file: str

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        parts = urlsplit(self.public_url)
        if self.public_url and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("public_url must be http://… or https://…")
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ValueError("tls_cert_file and tls_key_file go together")
        if self.tls_client_ca_file and not self.tls_cert_file:
            raise ValueError("tls_client_ca_file needs tls_cert_file")
        _require_files(self, "tls_cert_file", "tls_key_file", "tls_client_ca_file")
        return self

    @property
    def base_url(self) -> str:
        """The gateway's own URL, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "https" if self.tls_cert_file else "http"
        return self.public_url.rstrip("/") or f"{scheme}://{host}:{self.port}"


class StoreSettings(_Section):
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


class MeshMailbox(_Section):
    """A further mailbox of the gateway's own."""

    mailbox: Annotated[str, Field(min_length=1)]
    password: SecretStr


class Mesh(_Section):
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
        _require_tls_files(self)
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


class MappingSettings(_Section):
    """Where mapping modules are, and whether changes to them are noticed."""

    folder: str
    reload_seconds: Annotated[float, Field(ge=0)]


class ReferenceSettings(_Section):
    """How soon loaded reference data are taken up."""

    reload_seconds: Seconds


class DeliverySettings(_Section):
    """How deliveries are attempted."""

    retry_seconds: Waits
    webhook_retry_seconds: Waits
    mesh_retry_seconds: Waits
    probe_seconds: Annotated[Waits, Field(min_length=1)]
    error_after_seconds: Seconds
    jitter: Annotated[float, Field(ge=0, lt=1)]
    webhook_seconds: Seconds
    per_endpoint: Count
    in_memory: Count
    lease_seconds: Seconds
    shutdown_seconds: Seconds


class WebhookSettings(_Section):
    """How webhooks are secured."""

    cert_file: str
    key_file: str
    ca_file: str
    secret_overlap_seconds: Seconds
    operator_url: str
    operator_secret: SecretStr

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.operator_url and not is_webhook_url(self.operator_url):
            raise ValueError("operator_url must be an http or https URL without credentials or fragment")
        if not is_secret(self.operator_secret.get_secret_value()):
            raise ValueError("operator_secret must be whsec_ and base 64")
        _require_files(self, "cert_file", "key_file", "ca_file")
        return self


class R4(_Section):
    """What a subscriber of the R4 face may ask for."""

    heartbeat_min_seconds: Count
    timeout_max_seconds: Count
    gap_seconds: Seconds


class Security(_Section):
    """Who may use the gateway, where their client certificates are found, and what seals their secrets."""

    mode: Literal["open", "closed"]
    client_certificates: Literal["none", "tls", "proxy"]
    proxy_addresses: Networks
    proxy_header: str
    secret_keys: Secrets
    operator_token: SecretStr

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if 0 < len(self.operator_token.get_secret_value()) < MIN_TOKEN:
            raise ValueError(f"operator_token must have at least {MIN_TOKEN} characters")
        return self

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.mode == "open" and self.client_certificates != "none":
            raise ValueError("client_certificates would not be looked at in open mode")
        by_proxy = self.client_certificates == "proxy"
        if by_proxy != bool(self.proxy_addresses) or by_proxy != bool(self.proxy_header):
            raise ValueError("client_certificates = proxy, proxy_addresses and proxy_header go together")
        return self


class NemsUpstream(_Section):
    """The NEMS that the gateway subscribes at."""

    url: str
    from_asid: Annotated[str, Field(pattern=r"^([0-9]{12})?$")]
    to_asid: Annotated[str, Field(pattern=r"^([0-9]{12})?$")]
    ods_code: str
    issuer: str
    reason_for_request: Literal["directcare", "secondaryuses", "patientaccess"]
    requesting_user: str
    seconds: Seconds
    cert_file: str
    key_file: str
    ca_file: str

    @model_validator(mode="after")
    def _whole(self) -> Self:
        parts = urlsplit(self.url)
        if self.url and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("url must be http://… or https://…")
        for name in ("from_asid", "to_asid", "ods_code", "issuer"):
            if self.url and not getattr(self, name):
                raise ValueError(f"{name} is needed when url is set")
        _require_tls_files(self)
        return self


class Nems(_Section):
    """How the NEMS face looks at its callers, and the NEMS that the gateway subscribes at itself."""

    asid: Annotated[str, Field(pattern=r"^([0-9]{12})?$")]
    jwt_check_clock: bool
    jwt_leeway_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    upstream: NemsUpstream
    repeat_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Mns(_Section):
    """The MNS face."""

    base_path: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)+$")]
    operators: bool
    rest_hook: bool
    enrichment: bool
    test_signal_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.base_path.split("/")[1] in {"STU3", "R4", "claim-check", "oauth2", "livez", "readyz", "metrics"}:
            raise ValueError("base_path must not begin with the path of another part of the gateway")
        return self


class Retrieval(_Section):
    """What is fetched from the APIs that events point to."""

    sources: str
    seconds: Seconds
    max_bytes: Count


Days = Annotated[float, Field(gt=0, le=36500, allow_inf_nan=False)]


class RetentionSettings(_Section):
    """How long things are kept."""

    days: Days
    event_types: dict[str, Days]
    audit_days: Days


class Oauth(_Section):
    """How the applications of the faces mns and r4 are known."""

    quota_per_minute: Annotated[int, Field(ge=0)]


class Log(_Section):
    """What is logged."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Settings(BaseSettings):
    """All settings; `config/default.toml` says what each means."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    applications: str
    event_types: str
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
