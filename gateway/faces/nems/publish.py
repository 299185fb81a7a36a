"""Publish: `POST /STU3/Events/1/$process-message` (NEMS, "Publish an event message")."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway import metrics
from gateway.catalogue import Catalogue
from gateway.errors import Refusal
from gateway.events import JSON, XML, Original
from gateway.faces.accept import require_acceptable
from gateway.faces.http import content_syntax, read_body
from gateway.faces.nems.identity import PUBLISH_SCOPES, Identity, interaction_of
from gateway.faces.nems.reading import Publication, Reading
from gateway.faces.nems.spine import fhir_response, operation_outcome
from gateway.intake import Intake


class Publish:
    """Takes in event messages as NEMS does: XML, and JSON as an extension of ours."""

    def __init__(
        self,
        intake: Intake,
        reading: Reading,
        catalogue: Catalogue,
        identity: Identity,
        max_body_bytes: int,
        repeat_seconds: float,
    ) -> None:
        self._intake, self._reading, self._catalogue, self._identity = intake, reading, catalogue, identity
        self._max_body_bytes, self._repeat_seconds = max_body_bytes, repeat_seconds

    async def __call__(self, request: Request) -> Response:
        """202 once the event is durable: with an empty body, or with what there is to say of its type."""
        event, notices = await self._reading.read(await self._receive(request))
        await self._intake.accept(event, self._catalogue[event.type], repeat_seconds=self._repeat_seconds)
        metrics.received("nems", "accepted")
        return fhir_response(request, operation_outcome(notices), 202) if notices else Response(status_code=202)

    async def _receive(self, request: Request) -> Publication:
        """The message, once the headers are right that can be told without it."""
        application = self._identity.caller(request, PUBLISH_SCOPES)
        if not application.may_publish_any:
            raise Refusal.because("ASID_CHECK_FAILED", "this application is not registered to publish", "InteractionID")
        require_acceptable(request)
        syntax = content_syntax(request, default="xml")
        body = await read_body(request, self._max_body_bytes)
        original = Original(body, XML if syntax == "xml" else JSON, "nems-message")
        return Publication(self._intake.new_id(), original, interaction_of(request.headers), application)
