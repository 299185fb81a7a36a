"""The sources: the APIs that what an event points to is fetched from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from gateway.documents import read_yaml
from gateway.errors import ConfigurationError

Url = Annotated[str, Field(pattern=r"^https?://[^/\s@]+/(\S*/)?$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Login(_Part):
    """How the gateway proves who it is to a source: a signed JWT for an access token, as on the NHS API platform."""

    token_url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    client_id: str
    key_id: str
    key_file: Path

    @model_validator(mode="after")
    def _key_is_there(self) -> Self:
        if not self.key_file.is_file():
            raise ValueError(f"key_file {self.key_file}: there is no such file")
        return self


class Source(_Part):
    """An API: everything under `url` may be fetched.

    With `hydrate`, for signals to subscribers who ask for hydration; with `patients`, for mapping modules that need a
    patient's record: by the event's dataref or, where it has none of this source, by `Patient/` and the NHS number.
    `headers` go with each request.
    """

    url: Url
    hydrate: bool = False
    patients: bool = False
    headers: dict[str, SecretStr] = {}
    login: Login | None = None

    def holds(self, url: str) -> bool:
        """Whether `url` is under that of the source, and stays there whatever dots its path has."""
        # Servers differ in whether a slash that is percent-encoded divides: here it does.
        path = url.lower().partition("?")[0].replace("%2f", "/").replace("%5c", "/")
        return url.startswith(self.url) and "/.." not in path and "%2e" not in path and "\\" not in url


class _File(_Part):
    sources: list[Source]


def load(path: Path) -> Sequence[Source]:
    """Read the sources file.

    Raises:
        ConfigurationError: it is missing or wrong; the message names the file and the place.
    """
    try:
        return tuple(_File.model_validate(read_yaml(path)).sources)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ConfigurationError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
