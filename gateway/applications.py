"""The parties: who they are, and what they may do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.catalogue import Catalogue
from gateway.certificates import normal
from gateway.documents import read_yaml
from gateway.errors import ConfigurationError
from gateway.subscriptions.subscription import Kind, Terms


class UpstreamServer(BaseModel):
    """The FHIR server of an application, where the gateway has subscriptions: its base URL; the file with the key that
    its notifications come with, `Authorization: Bearer <key>`; and the file with the token, if any, that it wants.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    server: Annotated[str, Field(pattern=r"^https?://\S+$")]
    key_file: Path
    token_file: Path | None = None

    @cached_property
    def key(self) -> str:
        """The key that its notifications come with.

        Raises:
            ConfigurationError: the file cannot be read, or holds less than 32 characters.
        """
        key = _secret_in(self.key_file)
        if len(key) < 32:
            raise ConfigurationError(f"{self.key_file}: a key has at least 32 characters")
        return key

    @property
    def token(self) -> str:
        """The token that the server wants of us, "" for none.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        return _secret_in(self.token_file) if self.token_file else ""


def _secret_in(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read ({type(error).__name__})") from None


class Application(BaseModel):
    """A party. `publish` and `subscribe` hold ids of event types, once `load` has resolved their names.

    `certificates` are the names of those that it may show: `sha256:` and a fingerprint, or a subject.
    Its public keys, with which it signs for access tokens, are at `jwks_url` or in `jwks_file`, a JWK set (RFC 7517).
    `quota_per_minute` is how many requests it may make with such a token; None for the general quota, 0 for no limit.
    `upstream` is its FHIR server, where the gateway has subscriptions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    name: str
    ods_codes: frozenset[str] = frozenset()
    asids: frozenset[Annotated[str, Field(pattern=r"^[0-9]{12}$")]] = frozenset()
    certificates: frozenset[Annotated[str, AfterValidator(normal)]] = frozenset()
    mailboxes: frozenset[Annotated[str, AfterValidator(str.upper)]] = frozenset()
    publish: frozenset[str] = frozenset()
    subscribe: frozenset[str] = frozenset()
    subscription_kinds: frozenset[Kind] = frozenset()
    jwks_url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    jwks_file: Path | None = None
    quota_per_minute: Annotated[int, Field(ge=0)] | None = None
    upstream: UpstreamServer | None = None

    @model_validator(mode="after")
    def _one_key_set(self) -> Self:
        if self.jwks_url and self.jwks_file:
            raise ValueError("jwks_url and jwks_file exclude each other")
        return self

    def may_publish(self, event_type: str) -> bool:
        """Whether it may publish events of that type."""
        return event_type in self.publish

    @property
    def may_publish_any(self) -> bool:
        """Whether there is an event type that it may publish."""
        return bool(self.publish)

    @property
    def may_subscribe_any(self) -> bool:
        """Whether there is an event type that it may have subscriptions to."""
        return bool(self.subscribe)

    def may_subscribe(self, event_type: str, kind: Kind) -> bool:
        """Whether it may have subscriptions of that kind to that type."""
        return event_type in self.subscribe and kind in self.subscription_kinds

    def may_use_mailbox(self, mailbox: str) -> bool:
        """Whether its subscriptions may deliver to that MESH mailbox, however it is written: MESH knows no case."""
        return mailbox.upper() in self.mailboxes

    def acts_for(self, ods_code: str) -> bool:
        """Whether it acts for that organisation."""
        return ods_code in self.ods_codes


class LocalApplication(Application):
    """Every caller of open mode: it may do all."""

    def may_publish(self, event_type: str) -> bool:
        return True

    @property
    def may_publish_any(self) -> bool:
        return True

    @property
    def may_subscribe_any(self) -> bool:
        return True

    def may_subscribe(self, event_type: str, kind: Kind) -> bool:
        return True

    def may_use_mailbox(self, mailbox: str) -> bool:
        return True

    def acts_for(self, ods_code: str) -> bool:
        return True


LOCAL = LocalApplication(id="local", name="Local application of open mode")
GATEWAY = Application(id="gateway", name="This gateway, for events of its own")


class Applications:
    """The declared parties.

    Raises:
        ConfigurationError: two of them share an id, an ASID, a certificate or a mailbox.
    """

    def __init__(self, applications: Iterable[Application] = ()) -> None:
        self._by_id: dict[str, Application] = {}
        self._by_asid: dict[str, Application] = {}
        self._by_certificate: dict[str, Application] = {}
        self._by_mailbox: dict[str, Application] = {}
        for application in applications:
            if application.id in {LOCAL.id, GATEWAY.id, *self._by_id}:
                raise ConfigurationError(f"application {application.id!r}: the id is taken")
            self._by_id[application.id] = application
            for asid in application.asids:
                _claim(self._by_asid, asid, application)
            for certificate in application.certificates:
                _claim(self._by_certificate, certificate, application)
            for mailbox in application.mailboxes:
                _claim(self._by_mailbox, mailbox, application)

    def __iter__(self) -> Iterator[Application]:
        return iter(self._by_id.values())

    def with_id(self, application: str) -> Application | None:
        """The party of that id."""
        return self._by_id.get(application)

    def with_asid(self, asid: str) -> Application | None:
        """The party that calls as that accredited system."""
        return self._by_asid.get(asid)

    def with_mailbox(self, mailbox: str) -> Application | None:
        """The party whose MESH mailbox that is."""
        return self._by_mailbox.get(mailbox.upper())

    def allow(self, terms: Terms, kind: Kind) -> bool:
        """Whether the party of kept subscriptions may still have them."""
        owner = self.with_id(terms.application)
        return (
            owner is not None
            and all(owner.may_subscribe(event_type, kind) for event_type in terms.event_types)
            and (terms.channel != "mesh" or owner.may_use_mailbox(terms.endpoint))
        )


def _claim(table: dict[str, Application], key: str, application: Application) -> None:
    holder = table.setdefault(key, application)
    if holder is not application:
        raise ConfigurationError(f"applications {holder.id!r} and {application.id!r} share {key}")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    applications: list[Application]


def load(path: Path, catalogue: Catalogue) -> Applications:
    """Read the applications file.

    Raises:
        ConfigurationError: the file is missing or wrong; the message names the file and the place.
    """
    try:
        declared = _File.model_validate(read_yaml(path)).applications
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigurationError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    try:
        return Applications([_resolved(application, catalogue) for application in declared])
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _resolved(application: Application, catalogue: Catalogue) -> Application:
    return application.model_copy(
        update={
            "publish": catalogue.resolve(application.publish),
            "subscribe": catalogue.resolve(application.subscribe),
        }
    )
