"""The step `authenticate` of the faces that know their callers by ASID: which application is calling."""

from __future__ import annotations

from starlette.requests import Request

from gateway.applications import LOCAL, Application, Applications
from gateway.errors import Refusal
from gateway.faces.certificate import Certificates


class Authenticator:
    """In open mode every caller is one local application that may do all; in closed mode the one declared with its
    fromASID, which must show one of its certificates where the operator has callers show one.
    """

    def __init__(self, mode: str, applications: Applications, certificates: Certificates) -> None:
        self._open = mode == "open"
        self._applications, self._certificates = applications, certificates

    def authenticate(self, request: Request) -> Application:
        """The calling application.

        Raises:
            Refusal: MISSING_OR_INVALID_HEADER; ACCESS_DENIED when nobody is declared with that ASID, or the certificate
                is missing or another's.
        """
        if self._open:
            return LOCAL
        asid = request.headers.get("fromasid", "").strip()
        if not asid:
            raise Refusal.because("MISSING_OR_INVALID_HEADER", "fromASID HTTP Header is missing", "fromASID")
        application = self._applications.with_asid(asid)
        if application is None:
            raise Refusal.because("ACCESS_DENIED", "no application is declared with this ASID", "fromASID")
        if self._certificates.required:
            self._require_certificate(request, application)
        return application

    def _require_certificate(self, request: Request, application: Application) -> None:
        names = self._certificates.names(request)
        if not names:
            raise Refusal.because("ACCESS_DENIED", "a client certificate is needed")
        if not names & application.certificates:
            raise Refusal.because("ACCESS_DENIED", "the client certificate is not that of this ASID's application")
