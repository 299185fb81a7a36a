"""How deliveries are attempted, secured, and filled with what is fetched."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from gateway.addresses import is_webhook_url
from gateway.settings.section import Count, Seconds, Section, Waits, require_files
from gateway.signing import is_secret


class DeliverySettings(Section):
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


class WebhookSettings(Section):
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
        require_files(self, "cert_file", "key_file", "ca_file")
        return self


class Retrieval(Section):
    """What is fetched from the APIs that events point to."""

    sources: str
    seconds: Seconds
    max_bytes: Count
