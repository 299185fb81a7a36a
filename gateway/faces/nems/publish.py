"""Publish: `POST /STU3/Events/1/$process-message` (NEMS, "Publish an event message")."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway import metrics
from gateway.applications import Application
from gateway.catalogue import Catalogue, EventType, interaction_key
from gateway.errors import Issue, Refusal
from gateway.events import JSON, XML, Event, Face, Original
from gateway.faces.accept import require_acceptable
from gateway.faces.http import content_syntax, read_body
from gateway.faces.nems.identity import PUBLISH_SCOPES, Identity, require_interaction
from gateway.faces.nems.leniency import faults
from gateway.faces.nems.life_cycle import on_publish
from gateway.faces.nems.spine import fhir_response, operation_outcome
from gateway.fhir.json import parse_json
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from gateway.intake import Intake, Received

STU3 = load("STU3")
_EVENT = "Bundle.entry[0].resource.event"


class Publish:
    """Takes in event messages as NEMS does: XML, and JSON as an extension of ours."""

    def __init__(
        self,
        intake: Intake,
        catalogue: Catalogue,
        identity: Identity,
        max_body_bytes: int,
        repeat_seconds: float,
    ) -> None:
        self._intake, self._catalogue, self._identity = intake, catalogue, identity
        self._max_body_bytes, self._repeat_seconds = max_body_bytes, repeat_seconds

    async def __call__(self, request: Request) -> Response:
        """202 once the event is durable: with an empty body, or with what there is to say of its type."""
        event, event_type, notices = self._read(request, await self._receive(request))
        await self._intake.accept(event, event_type, repeat_seconds=self._repeat_seconds)
        metrics.received("nems", "accepted")
        return fhir_response(request, operation_outcome(notices), 202) if notices else Response(status_code=202)

    async def _receive(self, request: Request) -> Received:
        """The message, once its headers are right."""
        application = self._identity.caller(request, PUBLISH_SCOPES)
        if not application.may_publish_any:
            raise Refusal.because("ASID_CHECK_FAILED", "this application is not registered to publish", "InteractionID")
        require_acceptable(request)
        syntax = content_syntax(request, default="xml")
        body = await read_body(request, self._max_body_bytes)
        return read_message(body, XML if syntax == "xml" else JSON, "nems", application)

    def _read(self, request: Request, message: Received) -> tuple[Event, EventType, list[Issue]]:
        """The event that the message tells of, and what there is to say of its type. A function of its own, so that
        the parsed message is let go before the event is kept.
        """
        event_type = message_event_type(message.resource, self._catalogue)
        require_interaction(request.headers, self._interaction(request, event_type))
        if not message.application.may_publish(event_type.id):
            raise Refusal.because("ASID_CHECK_FAILED", "this application may not publish events of this type", _EVENT)
        notices = on_publish(event_type, f"{_EVENT}.code")
        return self._intake.read(message, event_type, STU3), event_type, notices

    @staticmethod
    def _interaction(request: Request, event_type: EventType) -> str:
        """The InteractionID expected, in the spelling given if it is one of the two that NEMS's own documents use."""
        given = request.headers.get("interactionid", "").strip()
        prefix, _, name = given.rpartition(":")
        named, _, verb = name.rpartition(".")
        code = event_type.nems.code if event_type.nems else event_type.id
        of_events = prefix.lower() == "urn:nhs:names:services:events" and verb.lower() == "write"
        if of_events and interaction_key(named) == interaction_key(code):
            return given
        return f"urn:nhs:names:services:events:{code}.Write"


def read_message(body: bytes, media_type: str, face: Face, application: Application) -> Received:
    """An event message, parsed.

    Raises:
        Refusal: it is not well formed, or holds what STU3 does not know.
    """
    parsed = (parse_xml if media_type == XML else parse_json)(body, STU3)
    original = Original(body, media_type, "nems-message")
    return Received(face, application, original, parsed.resource, parsed.warnings, faults)


def message_event_type(bundle: dict[str, Any], catalogue: Catalogue) -> EventType:
    """The type of the event that a message Bundle tells of.

    Raises:
        Refusal: it is not a message Bundle with a MessageHeader first, or its event is unknown.
    """
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "message":
        raise Refusal.because("INVALID_RESOURCE", "must be a Bundle of type message", "Bundle.type")
    header = _first_resource(bundle)
    if header.get("resourceType") != "MessageHeader":
        raise Refusal.because("INVALID_RESOURCE", "must be a MessageHeader", "Bundle.entry[0].resource")
    code = _event_code(header)
    event_type = catalogue.named(code)
    if event_type is None or event_type.nems is None or code not in event_type.nems.codes:
        raise Refusal.because("INVALID_CODE_VALUE", "not an event that this gateway takes", f"{_EVENT}.code")
    return event_type


def _first_resource(bundle: dict[str, Any]) -> dict[str, Any]:
    entries = bundle.get("entry")
    first = entries[0] if isinstance(entries, list) and entries else None
    resource = first.get("resource") if isinstance(first, dict) else None
    return resource if isinstance(resource, dict) else {}


def _event_code(header: dict[str, Any]) -> str:
    event = header.get("event")
    code = event.get("code") if isinstance(event, dict) else None
    if not isinstance(code, str):
        raise Refusal.because("INVALID_RESOURCE", "the event code is missing", f"{_EVENT}.code")
    # Zero-width spaces got into codes from the pages that publishers copied them from.
    return code.replace("\u200b", "").strip()
