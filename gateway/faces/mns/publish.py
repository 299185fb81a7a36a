"""Publish: `POST /events` (OpenAPI description of MNS), as CloudEvents and in the form before them."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway import metrics
from gateway.applications import Application
from gateway.catalogue import Catalogue, EventType
from gateway.errors import Refusal
from gateway.events import CLOUDEVENT, Form, Original
from gateway.faces.http import media_type, read_body, require_plain
from gateway.faces.mns.answers import NO_RIGHTS, NOT_AUTHORISED, answer
from gateway.faces.mns.attributes import cloudevent_issues, issue, v1_issues
from gateway.faces.mns.edge import require_correlation
from gateway.faces.oauth.bearer import Bearer
from gateway.fhir.json import read_object
from gateway.intake import EVER, Intake
from gateway.reader import Received

V1: Final = "application/json"
_FORMS: Final[dict[str, Form]] = {CLOUDEVENT: "cloudevent", V1: "mns-v1"}
_ISSUES: Final = {"cloudevent": cloudevent_issues, "mns-v1": v1_issues}


class Publish:
    """Takes in events as MNS does. An event that the application has published before, by source and id, is answered
    as the first time, and nothing comes of it.
    """

    def __init__(self, intake: Intake, catalogue: Catalogue, bearer: Bearer, max_body_bytes: int) -> None:
        self._intake, self._catalogue, self._bearer = intake, catalogue, bearer
        self._max_body_bytes = max_body_bytes

    async def __call__(self, request: Request) -> Response:
        """200 with the publisher's id once the event is durable."""
        headers = request.headers
        application = self._bearer.authenticate(headers)
        if not application.may_publish_any:
            raise Refusal.because("ACCESS_DENIED", NO_RIGHTS)
        require_correlation(headers)
        require_plain(headers)
        named = media_type(headers.get("content-type", ""))
        body = await read_body(request, self._max_body_bytes)
        attributes = read_event(body, named)
        event_type = self._event_type(attributes["type"])
        if not application.may_publish(event_type.id):
            raise Refusal.because("ACCESS_DENIED", NOT_AUTHORISED)
        event = self._intake.map_in(_received(application, body, named, attributes), event_type, ())
        await self._intake.accept(event, event_type, repeat_seconds=EVER)
        metrics.received("mns", "accepted")
        return answer({"id": event.id})

    def _event_type(self, name: str) -> EventType:
        event_type = self._catalogue.named(name)
        if event_type is None or event_type.mns is None or event_type.state == "withdrawn":
            raise Refusal([issue("type")])
        return event_type


def read_event(body: bytes, named: str) -> dict[str, Any]:
    """The attributes of an event, in the form that the media type `named` stands for, each of the right form.

    Raises:
        Refusal: they are not; every one that is not is told.
    """
    if named not in _FORMS:
        raise Refusal.because("UNSUPPORTED_MEDIA_TYPE", f"Content-Type must be {CLOUDEVENT} or {V1}")
    event = read_object(body)
    if issues := _ISSUES[_FORMS[named]](event):
        raise Refusal(issues)
    filtering = event.get("filtering")
    if type(filtering) is dict and None in filtering.values():
        event["filtering"] = {name: value for name, value in filtering.items() if value is not None}
    return event


def _received(application: Application, body: bytes, named: str, attributes: dict[str, Any]) -> Received:
    return Received("mns", application, Original(body, named, _FORMS[named]), attributes)
