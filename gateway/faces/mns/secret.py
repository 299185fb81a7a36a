"""The secret that a webhook's requests are signed with: `/subscriptions/{id}/$signing-secret`, as webhooks an extension
of MNS.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.clock import instant, now_ms
from gateway.errors import Refusal
from gateway.faces.mns.answers import answer
from gateway.faces.mns.subscription import Subscriptions
from gateway.signing import Secret
from gateway.subscriptions.book import Book


class SigningSecret:
    """Tells the owner of a subscription its signing secret, and changes it; for `overlap_seconds` the old one signs
    too.
    """

    def __init__(self, book: Book, subscriptions: Subscriptions, overlap_seconds: float) -> None:
        self._book, self._subscriptions = book, subscriptions
        self._overlap_ms = round(overlap_seconds * 1000)

    async def read(self, request: Request) -> Response:
        """200 with the present secret."""
        one = await self._subscriptions.own(request)
        if not one.secrets:
            raise _not_signed()
        return _told(one.secrets[0])

    async def rotate(self, request: Request) -> Response:
        """200 with a new secret; until `previousUntil` requests are signed with the one before, too."""
        one = await self._subscriptions.own(request)
        if one.channel != "rest-hook":
            raise _not_signed()
        until_ms = now_ms() + self._overlap_ms
        made = await self._book.rotate_secret(one.id, until_ms)
        if made is None:
            raise Refusal.because("NO_RECORD_FOUND", "Not found")
        return _told(made, until_ms if one.secrets else None)


def _told(secret: Secret, previous_until_ms: int | None = None) -> Response:
    until = {} if previous_until_ms is None else {"previousUntil": instant(previous_until_ms)}
    told = answer({"secret": secret.text, **until})
    # Nobody on the way is to keep it (RFC 9111, section 5.2.2.5).
    told.headers["Cache-Control"] = "no-store"
    return told


def _not_signed() -> Refusal:
    return Refusal.because("BAD_REQUEST", "Only requests to webhooks are signed")
