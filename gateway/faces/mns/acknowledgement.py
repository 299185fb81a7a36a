"""Acknowledgements: a FHIR message that answers an event becomes an event of its own, which the publisher of the first
can subscribe to (NHS England Acknowledgement Framework, draft; MNS, "nhshco-hc-complete-1-ack-1").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import Response

from gateway import ids
from gateway.applications import Application
from gateway.catalogue import EventType
from gateway.errors import Issue, Refusal
from gateway.events import JSON, Event, Face, Original
from gateway.faces.claim_check import was_told
from gateway.faces.http import content_syntax, read_body
from gateway.faces.oauth.bearer import Bearer
from gateway.fhir.json import parse_json
from gateway.fhir.tables import load
from gateway.intake import EVER, Intake
from gateway.reader import Received, check
from gateway.store.base import Answer, InboxMessage, Store
from gateway.subscriptions.book import Book

log = structlog.get_logger()
R4 = load("R4")
SYSTEM: Final = "https://fhir.nhs.uk/CodeSystem/message-event"
SUFFIX: Final = "-ack-1"
_HEADER: Final = "Bundle.entry[0].resource"
# The public documents do not say how a message tells which of the two it is; these are the names that the NHS Health
# Check service has for them, here as codes of MessageHeader.reason.
_KINDS: Final = {"TECH_ACK": "technical", "BUSINESS_ACK": "business"}


class Acknowledgements:
    """Takes in acknowledgements from applications that were told of the event which they answer, whichever way they
    come.
    """

    def __init__(self, intake: Intake, book: Book) -> None:
        self._intake, self._book, self._catalogue = intake, book, intake.catalogue
        self._store: Store = intake.store

    async def take(self, body: bytes, application: Application, face: Face, inbox: InboxMessage | None = None) -> None:
        """Keep an acknowledgement, as an event and beside the event it answers; once, however often it comes.

        Raises:
            Refusal: it is none, or answers no event that the application was told of.
            Unavailable: the store cannot take it now.
        """
        bundle = parse_json(body, R4).resource
        _check(bundle)
        header = _header(bundle)
        answered = await self._answered(application, header["response"]["identifier"])
        event_type = self._event_type(header, answered)
        received = Received(face, application, Original(body, JSON, "r4-message"), bundle)
        event = self._intake.made(received, event_type, _attributes(bundle, header, answered))
        first = await self._intake.accept(event, event_type, repeat_seconds=EVER)
        await self._store.add_answer(_answer(event, first or event.row_id, answered))
        if inbox:
            # Last: of what a crash leaves undone before this, MESH gives the message again.
            await self._store.add_to_inbox(inbox)
        log.info("acknowledge", event_id=ids.show(answered.row_id), kind=_kind(header), code=header["response"]["code"])

    async def _answered(self, application: Application, identifier: str) -> Event:
        for row_id in await self._store.events_named(identifier):
            trace = await self._store.trace(row_id)
            if trace and await was_told(self._book, application, trace):
                return trace.event
        text = "there is no event of this id that the application was told of"
        raise Refusal.because("NO_RECORD_FOUND", text, f"{_HEADER}.response.identifier")

    def _event_type(self, header: dict[str, Any], answered: Event) -> EventType:
        mns = self._catalogue[answered.type].mns
        expected = f"{mns.type if mns else answered.type}{SUFFIX}"
        event_type = self._catalogue.named(expected)
        if event_type is None:
            raise Refusal.because("NOT_SUPPORTED", f"there is no event type {expected}", f"{_HEADER}.event")
        event = header.get("eventCoding", {})
        if (event.get("system"), event.get("code")) != (SYSTEM, expected):
            raise Refusal.because("INVALID_RESOURCE", f"must be {SYSTEM}|{expected}", f"{_HEADER}.event")
        return event_type


class ProcessMessage:
    """Answers `POST /R4/$process-message`."""

    def __init__(self, acknowledgements: Acknowledgements, bearer: Bearer, max_body_bytes: int) -> None:
        self._acknowledgements, self._bearer, self._max_body_bytes = acknowledgements, bearer, max_body_bytes

    async def __call__(self, request: Request) -> Response:
        """202 once the acknowledgement is durable."""
        application = self._bearer.authenticate(request.headers)
        if content_syntax(request, default="json") != "json":
            raise Refusal.because("UNSUPPORTED_MEDIA_TYPE", f"must be {JSON}", "Content-Type")
        await self._acknowledgements.take(await read_body(request, self._max_body_bytes), application, "r4")
        return Response(status_code=202)


def is_acknowledgement(resource: Mapping[str, Any]) -> bool:
    """Whether a resource is a message of FHIR R4 that answers another; one of STU3 has an `event` in its header."""
    entries = resource.get("entry")
    first = entries[0] if isinstance(entries, list) and entries else None
    header = first.get("resource") if isinstance(first, dict) else None
    answers = isinstance(header, dict) and "response" in header and "event" not in header
    return resource.get("resourceType") == "Bundle" and resource.get("type") == "message" and answers


def _check(bundle: dict[str, Any]) -> None:
    """Refuse what is not valid, or lacks what names an event; all of it is told."""
    needed = ("id", "timestamp") if bundle.get("type") == "message" else ()
    missing = [Issue("INVALID_RESOURCE", f"Bundle.{name}", "is needed") for name in needed if name not in bundle]
    try:
        check(bundle, R4)
    except Refusal as refusal:
        raise Refusal([*refusal.issues, *missing]) from None
    if missing:
        raise Refusal(missing)


def _header(bundle: dict[str, Any]) -> dict[str, Any]:
    if bundle["resourceType"] != "Bundle" or bundle["type"] != "message":
        raise Refusal.because("INVALID_RESOURCE", "must be a Bundle of type message", "Bundle.type")
    entries = bundle.get("entry")
    header: dict[str, Any] = entries[0].get("resource", {}) if entries else {}
    if header.get("resourceType") != "MessageHeader" or "response" not in header:
        raise Refusal.because("INVALID_RESOURCE", "must be a MessageHeader with a response", _HEADER)
    return header


def _attributes(bundle: dict[str, Any], header: dict[str, Any], answered: Event) -> dict[str, Any]:
    attributes = {
        "id": bundle["id"],
        "source": header["source"]["endpoint"],
        "time": bundle["timestamp"],
        "subject": answered.subject,
        "filtering": {
            "acknowledged": answered.id,
            "acknowledgementtype": _kind(header),
            "responsecode": header["response"]["code"],
        },
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _kind(header: dict[str, Any]) -> str:
    """An acknowledgement that does not say more tells that the message came."""
    codes = [coding.get("code") for coding in header.get("reason", {}).get("coding", [])]
    return next((_KINDS[code] for code in codes if code in _KINDS), "technical")


def _answer(event: Event, row_id: int, answered: Event) -> Answer:
    filters = event.filtering
    return Answer(
        answered.row_id, row_id, event.received_ms, event.application, filters["acknowledgementtype"],
        filters["responsecode"],
    )  # fmt: skip
