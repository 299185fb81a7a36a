"""The claim check: the original message behind a thin signal, for those whom the signal was for."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway import ids
from gateway.applications import LOCAL
from gateway.errors import Refusal
from gateway.faces.authenticate import Authenticator
from gateway.store.base import EventTrace, Store
from gateway.subscriptions.book import Book


class ClaimCheck:
    """Answers `GET /claim-check/{id}`."""

    def __init__(self, store: Store, book: Book, authenticator: Authenticator) -> None:
        self._store, self._book, self._authenticator = store, book, authenticator

    async def read(self, request: Request) -> Response:
        """200 with the bytes that were published, for an application of whose subscriptions one matched the event."""
        application = self._authenticator.authenticate(request)
        try:
            trace = await self._store.trace(ids.parse(request.path_params["id"]))
        except ValueError:
            trace = None
        if trace is None or not (application is LOCAL or await self._was_told(application.id, trace)):
            # The same answer for both: whether an event exists is nobody else's business.
            raise Refusal.because("NO_RECORD_FOUND", "there is no such event for this application")
        return Response(trace.event.original.body, media_type=trace.event.original.media_type)

    async def _was_told(self, application: str, trace: EventTrace) -> bool:
        matched = [await self._book.find(one) for told in trace.deliveries for one in told.delivery.subscriptions]
        return any(subscription and subscription.application == application for subscription in matched)
