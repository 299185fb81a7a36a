"""What the faces NEMS, MNS and R4 do."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from gateway.settings.section import Count, Seconds, Section, require_tls_files


class NemsUpstream(Section):
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
        require_tls_files(self)
        return self


class Nems(Section):
    """How the NEMS face looks at its callers, and the NEMS that the gateway subscribes at itself."""

    asid: Annotated[str, Field(pattern=r"^([0-9]{12})?$")]
    jwt_check_clock: bool
    jwt_leeway_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    every_patient: bool
    upstream: NemsUpstream
    repeat_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Mns(Section):
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


class R4(Section):
    """What a subscriber of the R4 face may ask for."""

    heartbeat_min_seconds: Count
    timeout_max_seconds: Count
    gap_seconds: Seconds
