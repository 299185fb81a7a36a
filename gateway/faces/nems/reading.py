"""From the bytes of a NEMS message to the event that it tells of: parse → validate → map in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from gateway.applications import Application
from gateway.catalogue import Catalogue, EventType, interaction_key
from gateway.errors import Issue, Refusal
from gateway.events import XML, Event, Face, Original, Record
from gateway.faces.nems.identity import require_interaction
from gateway.faces.nems.leniency import faults
from gateway.faces.nems.life_cycle import on_publish
from gateway.fhir.json import parse_json
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from gateway.reader import Reader, Received

STU3 = load("STU3")
_EVENT = "Bundle.entry[0].resource.event"


class Publication(Record, frozen=True):
    """A message as an application has published it, with its header InteractionID; the event gets `row_id`."""

    SHOWN: ClassVar = ("row_id", "original")

    row_id: int
    original: Original
    interaction: str
    application: Application


class Reading(Protocol):
    """Reads what is published, in this process or another."""

    async def read(self, publication: Publication) -> tuple[Event, Sequence[Issue]]:
        """The event that a message tells of, and what its publisher is told of its type.

        Raises:
            Refusal: the message cannot be taken.
        """
        ...


class NemsReader:
    """Reads messages in this process."""

    def __init__(self, reader: Reader, catalogue: Catalogue) -> None:
        self._reader, self._catalogue = reader, catalogue

    async def read(self, publication: Publication) -> tuple[Event, Sequence[Issue]]:
        """As `read_now`, for who may have to wait for it."""
        return self.read_now(publication)

    def read_now(self, publication: Publication) -> tuple[Event, Sequence[Issue]]:
        """The event that a message tells of, and what its publisher is told of its type.

        Raises:
            Refusal: the message cannot be taken.
        """
        application, original = publication.application, publication.original
        message = read_message(original.body, original.media_type, "nems", application, publication.row_id)
        event_type = message_event_type(message.resource, self._catalogue)
        require_interaction(publication.interaction, _interaction(publication.interaction, event_type))
        if not application.may_publish(event_type.id):
            raise Refusal.because("ASID_CHECK_FAILED", "this application may not publish events of this type", _EVENT)
        notices = on_publish(event_type, f"{_EVENT}.code")
        return self._reader.read(message, event_type, STU3), notices


def read_message(body: bytes, media_type: str, face: Face, application: Application, row_id: int = 0) -> Received:
    """An event message, parsed; its event gets `row_id`, or a new one.

    Raises:
        Refusal: it is not well formed, or holds what STU3 does not know.
    """
    parsed = (parse_xml if media_type == XML else parse_json)(body, STU3)
    original = Original(body, media_type, "nems-message")
    return Received(face, application, original, parsed.resource, parsed.warnings, faults, row_id)


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


def _interaction(given: str, event_type: EventType) -> str:
    """The InteractionID expected, in the spelling given if it is one of the two that NEMS's own documents use."""
    prefix, _, name = given.rpartition(":")
    named, _, verb = name.rpartition(".")
    code = event_type.nems.code if event_type.nems else event_type.id
    of_events = prefix.lower() == "urn:nhs:names:services:events" and verb.lower() == "write"
    if of_events and interaction_key(named) == interaction_key(code):
        return given
    return f"urn:nhs:names:services:events:{code}.Write"
