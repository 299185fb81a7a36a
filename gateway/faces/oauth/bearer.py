"""Which application is calling, by its bearer token (RFC 6750): for the faces mns and r4."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.applications import LOCAL, Application, Applications
from gateway.clock import now_ms
from gateway.errors import Refusal
from gateway.faces.oauth.quota import Quota
from gateway.faces.oauth.tokens import Tokens


class Bearer:
    """In open mode every caller is one local application that may do all; in closed mode the one whose token comes
    with the request.
    """

    def __init__(self, mode: str, applications: Applications, tokens: Tokens, quota: Quota) -> None:
        self._open = mode == "open"
        self._applications, self._tokens, self._quota = applications, tokens, quota

    def authenticate(self, headers: Mapping[str, str]) -> Application:
        """The calling application, which has made one request more; `headers` are found in lower case.

        Raises:
            Refusal: TOKEN_MISSING, TOKEN_INVALID or TOKEN_EXPIRED.
            Throttled: its quota is used up.
        """
        if self._open:
            return LOCAL
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refusal.because("TOKEN_MISSING", "a bearer token is needed", "Authorization")
        application = self._applications.with_id(self._tokens.application(token.strip(), now_ms()))
        if application is None:
            raise Refusal.because("TOKEN_INVALID", "the application is no longer declared", "Authorization")
        self._quota.take(application)
        return application
