"""The claim check: the original message behind a thin signal, for those whom the signal was for."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway import ids
from gateway.applications import LOCAL, Application
from gateway.delivery.render import Renderer
from gateway.delivery.topics import original
from gateway.errors import Refusal
from gateway.events import CLOUDEVENT, JSON, XML, Delivery, Event, Form
from gateway.faces.accept import wanted_types
from gateway.faces.oauth.bearer import Bearer
from gateway.fhir.json import render_json
from gateway.store.base import EventTrace, Store
from gateway.subscriptions.book import Book

_MAPPED: Final[dict[str, Form]] = {CLOUDEVENT: "cloudevent", JSON: "mns-signal", XML: "nems-message"}
"""What an event can be mapped to, by the media type that asks for it."""
_ANY: Final = frozenset({"", "*/*", "application/*"})


class ClaimCheck:
    """Gives an event to those applications of whose subscriptions one matched it, for as long as it is kept."""

    def __init__(self, store: Store, book: Book, bearer: Bearer, renderer: Renderer) -> None:
        self._store, self._book, self._bearer, self._renderer = store, book, bearer, renderer

    async def read(self, request: Request) -> Response:
        """`GET /claim-check/{id}`: 200 with the bytes that were published or, if Accept asks for that, with the event
        mapped to a CloudEvent, a FHIR signal (JSON) or a NEMS message (XML).
        """
        event = await self._event(request)
        body, kind = self._written(event, wanted_types(request))
        return Response(body, media_type=kind, headers={"Vary": "Accept"})

    async def read_binary(self, request: Request) -> Response:
        """`GET /R4/Binary/{id}`: 200 with the bytes that were published or, if Accept asks for FHIR, with the Binary
        that holds them (FHIR R4, Binary, "Serving Binary resources").
        """
        event = await self._event(request)
        if JSON in wanted_types(request):
            return Response(render_json(original(event)), media_type=JSON, headers={"Vary": "Accept"})
        return Response(event.original.body, media_type=event.original.media_type, headers={"Vary": "Accept"})

    async def _event(self, request: Request) -> Event:
        application = self._bearer.authenticate(request.headers)
        try:
            trace = await self._store.trace(ids.parse(request.path_params["id"]))
        except ValueError:
            trace = None
        if trace is None or not await was_told(self._book, application, trace):
            # The same answer for both: whether an event exists is nobody else's business.
            raise Refusal.because("NO_RECORD_FOUND", "there is no such event for this application")
        return trace.event

    def _written(self, event: Event, wanted: list[str]) -> tuple[bytes, str]:
        offered = dict.fromkeys([event.original.media_type, *_MAPPED])
        for kind in wanted:
            if kind in _ANY or kind == event.original.media_type:
                return event.original.body, event.original.media_type
            if form := _MAPPED.get(kind):
                try:
                    return self._renderer.render(event, Delivery(event.row_id, event.row_id, "rest-hook", "", form, ()))
                except Refusal:  # not every event can take every form
                    offered.pop(kind, None)
        raise Refusal.because("NOT_ACCEPTABLE", f"there are: {', '.join(offered)}", "Accept")


async def was_told(book: Book, application: Application, trace: EventTrace) -> bool:
    """Whether a subscription of the application matched the event."""
    if application is LOCAL:
        return True
    matched = [await book.find(one) for told in trace.deliveries for one in told.delivery.subscriptions]
    return any(subscription and subscription.application == application.id for subscription in matched)
