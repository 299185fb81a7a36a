"""The step `authenticate`: which application is calling."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.applications import LOCAL, Application, Applications
from gateway.errors import Refusal

_ASID = re.compile(r"[0-9]{12}")


class Authenticator:
    """In open mode every caller is one local application that may do all; in closed mode the one declared with its
    fromASID.
    """

    def __init__(self, mode: str, applications: Applications) -> None:
        self._open = mode == "open"
        self._applications = applications

    def authenticate(self, headers: Mapping[str, str]) -> Application:
        """The calling application.

        Raises:
            Refusal: MISSING_OR_INVALID_HEADER, or ACCESS_DENIED when nobody is declared with that ASID.
        """
        if self._open:
            return LOCAL
        asid = headers.get("fromasid", "").strip()
        if not asid:
            raise Refusal.because("MISSING_OR_INVALID_HEADER", "fromASID HTTP Header is missing", "fromASID")
        application = self._applications.with_asid(asid)
        if application is None:
            raise Refusal.because("ACCESS_DENIED", "no application is declared with this ASID", "fromASID")
        return application


def require_spine_headers(headers: Mapping[str, str]) -> None:
    """Check the headers that every NEMS request must have, in the order that Spine does.

    Raises:
        Refusal: MISSING_OR_INVALID_HEADER.

    The JWT is not proof of anything, since nobody signs it: only its shape is looked at.
    """
    for name in ("fromASID", "toASID"):
        value = headers.get(name.lower(), "").strip()
        if not value:
            raise _bad_header(name, f"{name} HTTP Header is missing")
        if not _ASID.fullmatch(value):
            raise _bad_header(name, f"{name} must be 12 digits")
    authorization = headers.get("authorization", "").strip()
    if not authorization:
        raise _bad_header("Authorization", "Authorization HTTP Header is missing")
    if not re.fullmatch(r"Bearer\s+[\w-]+\.[\w-]+\.[\w-]*", authorization, re.ASCII):
        raise _bad_header("Authorization", "Authorization must be Bearer and a JWT")


def require_interaction(headers: Mapping[str, str], interaction: str) -> None:
    """Check that InteractionID is `interaction`.

    Raises:
        Refusal: MISSING_OR_INVALID_HEADER.
    """
    given = headers.get("interactionid", "").strip()
    if not given:
        raise _bad_header("InteractionID", "InteractionID HTTP Header is missing")
    if given.lower() != interaction.lower():
        raise _bad_header("InteractionID", "InteractionID header does not match request")


def _bad_header(name: str, text: str) -> Refusal:
    return Refusal.because("MISSING_OR_INVALID_HEADER", text, name)
