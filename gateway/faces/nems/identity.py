"""Who calls, and what for: the headers of a NEMS request, checked in the order that Spine checks them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request

from gateway.applications import Application
from gateway.errors import Refusal
from gateway.faces.authenticate import Authenticator
from gateway.faces.nems import jwt

PUBLISH_SCOPES = frozenset({"patient/Bundle.write"})
SUBSCRIBE_SCOPES = frozenset({"patient/Subscription.write"})
# A live client asks for .write when it reads, too.
READ_SCOPES = frozenset({"patient/Subscription.read", "patient/Subscription.write"})
_ASID = re.compile(r"[0-9]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """Finds out who calls the NEMS face; `asid` is the service's own, "" if callers may name any."""

    authenticator: Authenticator
    asid: str = ""
    rules: jwt.Rules = field(default_factory=jwt.Rules)

    def caller(self, request: Request, scopes: frozenset[str]) -> Application:
        """The calling application, all of whose headers but InteractionID are right; its JWT has one of `scopes`.

        Raises:
            Refusal: MISSING_OR_INVALID_HEADER, ASID_CHECK_FAILED or ACCESS_DENIED.
        """
        headers = request.headers
        asid = _require_asid(headers, "fromASID")
        to_asid = _require_asid(headers, "toASID")
        authorization = headers.get("authorization", "").strip()
        if not authorization:
            raise bad_header("Authorization", "Authorization HTTP Header is missing")
        claims = jwt.read(authorization)
        jwt.check(claims, asid, scopes, self.rules)
        if self.asid and to_asid != self.asid:
            raise Refusal.because("ASID_CHECK_FAILED", "toASID is not the ASID of this service", "toASID")
        application = self.authenticator.authenticate(request)
        if claims.organization and not application.acts_for(claims.organization):
            raise jwt.wrong("requesting_system ASID is not associated with the requesting_organization ODS code")
        return application


def interaction_of(headers: Mapping[str, str]) -> str:
    """The header InteractionID, "" where there is none."""
    return headers.get("interactionid", "").strip()


def require_interaction(given: str, interaction: str) -> None:
    """Check that the InteractionID given is `interaction`.

    Raises:
        Refusal: MISSING_OR_INVALID_HEADER.
    """
    if not given:
        raise bad_header("InteractionID", "InteractionID HTTP Header is missing")
    if given.lower() != interaction.lower():
        raise bad_header("InteractionID", "InteractionID header does not match request")


def bad_header(name: str, text: str) -> Refusal:
    """A refusal of a header."""
    return Refusal.because("MISSING_OR_INVALID_HEADER", text, name)


def _require_asid(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name.lower(), "").strip()
    if not value:
        raise bad_header(name, f"{name} HTTP Header is missing")
    if not _ASID.fullmatch(value):
        raise bad_header(name, f"{name} must be 12 digits")
    return value
