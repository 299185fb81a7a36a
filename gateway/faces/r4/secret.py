"""The secret that a webhook's requests are signed with: `/R4/Subscription/{id}/$signing-secret`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.clock import instant, now_ms
from gateway.errors import Refusal
from gateway.faces.oauth.bearer import Bearer
from gateway.faces.r4.outcome import fhir_response
from gateway.faces.r4.subscription import Subscriptions
from gateway.signing import Secret
from gateway.subscriptions.book import Book


class SigningSecret:
    """Tells the owner of a subscription its signing secret, and changes it; for `overlap_seconds` the old one signs
    too.
    """

    def __init__(self, book: Book, bearer: Bearer, subscriptions: Subscriptions, overlap_seconds: float) -> None:
        self._book, self._bearer, self._subscriptions = book, bearer, subscriptions
        self._overlap_ms = round(overlap_seconds * 1000)

    async def read(self, request: Request) -> Response:
        """200 with the present secret, as Parameters."""
        one = await self._subscriptions.own(request, self._bearer.authenticate(request.headers))
        if not one.secrets:
            raise Refusal.because("NO_RECORD_FOUND", "its requests are not signed; POST here makes a secret")
        return _told(one.secrets[0])

    async def rotate(self, request: Request) -> Response:
        """200 with a new secret, as Parameters; until `previous-until` requests are signed with the one before, too."""
        one = await self._subscriptions.own(request, self._bearer.authenticate(request.headers))
        if one.channel != "rest-hook":
            raise Refusal.because("NOT_SUPPORTED", "only requests to webhooks are signed", "Subscription.channel.type")
        until_ms = now_ms() + self._overlap_ms
        made = await self._book.rotate_secret(one.id, until_ms)
        if made is None:
            raise Refusal.because("NO_RECORD_FOUND", "there is no such Subscription")
        return _told(made, until_ms if one.secrets else None)


def _told(secret: Secret, previous_until_ms: int | None = None) -> Response:
    parameters = [{"name": "secret", "valueString": secret.text}]
    if previous_until_ms is not None:
        parameters.append({"name": "previous-until", "valueInstant": instant(previous_until_ms)})
    # Nobody on the way is to keep it (RFC 9111, section 5.2.2.5).
    return fhir_response({"resourceType": "Parameters", "parameter": parameters}, 200, {"Cache-Control": "no-store"})
