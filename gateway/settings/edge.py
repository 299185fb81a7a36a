"""Where the gateway listens, and who may call it."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from gateway.settings.section import Count, Networks, Secrets, Section, require_files

MIN_TOKEN = 24


class Http(Section):
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
        require_files(self, "tls_cert_file", "tls_key_file", "tls_client_ca_file")
        return self

    @property
    def base_url(self) -> str:
        """The gateway's own URL, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "https" if self.tls_cert_file else "http"
        return self.public_url.rstrip("/") or f"{scheme}://{host}:{self.port}"


class Security(Section):
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


class Oauth(Section):
    """How the applications of the faces mns and r4 are known."""

    quota_per_minute: Annotated[int, Field(ge=0)]
