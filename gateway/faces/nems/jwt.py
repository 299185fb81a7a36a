"""The JWT of a NEMS request (Spine Core, "Cross organisation audit and provenance").

It is not signed and proves nothing: it says why, and on whose behalf, somebody calls whom the ASID and the certificate
have made known. It is checked as far as live clients keep to the rules.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from gateway.clock import now_ms
from gateway.errors import Refusal

SYSTEM = "https://fhir.nhs.uk/Id/accredited-system|"
ORGANIZATION = "https://fhir.nhs.uk/Id/ods-organization-code|"
REASONS = frozenset({"directcare", "secondaryuses", "patientaccess"})
_BEARER = re.compile(r"(?i:Bearer)\s+([\w-]+)\.([\w-]+)\.", re.ASCII)


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """The claims of a JWT. Spine spells the organisation with z, NEMS with s; a live client leaves it out."""

    iss: str
    sub: str
    aud: str | list[str]
    iat: int
    exp: int
    reason_for_request: str
    scope: str
    requesting_system: str
    requesting_organization: str = ""
    requesting_organisation: str = ""
    requesting_user: str = ""

    @property
    def organization(self) -> str:
        """The ODS code of the organisation on whose behalf the call is made, "" if it is not said."""
        return (self.requesting_organization or self.requesting_organisation).removeprefix(ORGANIZATION)


class _Header(msgspec.Struct, frozen=True):
    alg: str


_decode_header = msgspec.json.Decoder(_Header).decode
_decode_claims = msgspec.json.Decoder(Claims).decode


@dataclass(frozen=True, slots=True)
class Rules:
    """How strictly the clock of a JWT is looked at: not at all, or within a leeway."""

    check_clock: bool = True
    leeway_seconds: float = 300.0


@lru_cache(1024)  # a caller sends the same one for minutes
def read(authorization: str) -> Claims:
    """The claims of an Authorization header.

    Raises:
        Refusal: MISSING_OR_INVALID_HEADER, naming the claim that is missing or wrong.
    """
    match = _BEARER.fullmatch(authorization)
    if match is None:
        raise wrong("must be Bearer and an unsigned JWT, which ends in a dot")
    try:
        algorithm = _decode_header(_decoded(match[1])).alg
        claims = _decode_claims(_decoded(match[2]))
    except msgspec.ValidationError as error:
        raise wrong(_words(str(error))) from None
    except (binascii.Error, msgspec.DecodeError, ValueError, RecursionError):
        raise wrong("the JWT cannot be read") from None
    if algorithm != "none":
        raise wrong("the alg of the JWT must be none")
    return claims


def write(claims: Claims) -> str:
    """The unsigned JWT of claims, as a caller sends it."""
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return ".".join(base64.urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=").decode() for part in parts) + "."


def check(claims: Claims, asid: str, scopes: frozenset[str], rules: Rules) -> None:
    """Check claims against the calling ASID, and the scopes of which one is needed.

    Raises:
        Refusal: MISSING_OR_INVALID_HEADER.
    """
    empty = [name for name in ("iss", "aud") if not getattr(claims, name)]
    if empty:
        raise wrong(f"Empty JWT {empty[0]} claim")
    if claims.requesting_system != f"{SYSTEM}{asid}":
        raise wrong(f"the requesting_system claim must be {SYSTEM} and the ASID of fromASID")
    if claims.sub != (claims.requesting_user or claims.requesting_system):
        raise wrong("the sub claim must be requesting_user where there is one, else requesting_system")
    if claims.reason_for_request not in REASONS:
        raise wrong("reason_for_request must be one of 'directcare,secondaryuses,patientaccess'")
    if scopes.isdisjoint(claims.scope.split()):
        raise wrong(f"scope must be one of '{','.join(sorted(scopes))}'")
    if rules.check_clock:
        _check_clock(claims, rules.leeway_seconds)


def wrong(text: str) -> Refusal:
    """A refusal of the Authorization header."""
    return Refusal.because("MISSING_OR_INVALID_HEADER", text, "Authorization")


def _check_clock(claims: Claims, leeway_seconds: float) -> None:
    now = now_ms() / 1000
    if claims.exp <= claims.iat:
        raise wrong("the exp claim must be later than the iat claim")
    if claims.exp < now - leeway_seconds:
        raise wrong("the JWT has expired")
    if claims.iat > now + leeway_seconds:
        raise wrong("the iat claim is in the future")


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _words(error: str) -> str:
    """msgspec's words in those of NEMS; they name claims and types, never values."""
    missing = re.fullmatch(r"Object missing required field `(\w+)`", error)
    if missing:
        return f"The mandatory claim {missing[1]} from the JWT associated with the Authorisation header is missing"
    place = re.search(r"at `\$\.(\w+)`", error)
    return f"the {place[1]} claim is of the wrong type" if place else "the JWT must hold JSON objects"
