"""Notifications from other FHIR servers, taken as a rest-hook subscriber takes them: `POST /R4/$process-notification`.

The guide has no operation for it: to a server, the endpoint of a subscriber is any URL. FHIR's own $process-message is
for Bundles of type message, which a notification is not; so this is an operation of the gateway's own, beside it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import Response

from gateway import metrics
from gateway.addresses import is_webhook_url
from gateway.applications import LOCAL, Application
from gateway.catalogue import Catalogue, EventType
from gateway.clock import now_ms
from gateway.errors import Refusal
from gateway.events import JSON, Face, Original
from gateway.faces.http import content_syntax, read_body
from gateway.fhir.json import parse_json, render_json
from gateway.fhir.subscription_status import ReceivedStatus, is_notification, is_of_mns, one_by_one, read_status
from gateway.fhir.tables import load
from gateway.intake import Intake
from gateway.reader import Received, check
from gateway.store.base import Heard, InboxMessage

log = structlog.get_logger()
R4 = load("R4")
_EVENTS = frozenset({"event-notification", "query-event"})
_REPEAT_SECONDS = 400 * 86_400.0
"""An event that came less than so long ago is not taken again: servers deliver at least once."""
_TOPIC = "Bundle.entry[0].resource.parameter.where(name = 'topic')"
_SUBSCRIPTION = "Bundle.entry[0].resource.parameter.where(name = 'subscription')"


class Incoming:
    """Takes notifications, whichever way they come."""

    def __init__(self, intake: Intake, catalogue: Catalogue) -> None:
        self._intake, self._catalogue = intake, catalogue

    async def take(
        self, body: bytes, application: Application, face: Face, inbox: InboxMessage | None = None
    ) -> ReceivedStatus:
        """Take in what a notification tells, once each; what it says of its subscription.

        Raises:
            Refusal: it is no notification, or one that the application may not send.
            Unavailable: the store cannot take it now.
        """
        bundle = parse_json(body, R4).resource
        if not is_notification(bundle):
            text = "must be a Bundle of type history that begins with Parameters"
            raise Refusal.because("INVALID_RESOURCE", text, "Bundle")
        check(bundle, R4)
        status = read_status(bundle)
        numbered = not is_of_mns(bundle)
        reference = _reference(status.subscription, application, face) if numbered else ""
        without = status.kind in _EVENTS and reference and not status.topic
        whole = await self._with_topic(bundle, reference) if without else bundle
        if status.kind in _EVENTS and (notifications := list(one_by_one(whole))):
            # The exact bytes, unless they told of several events, or not of what.
            exact = body if notifications == [bundle] else None
            await self._take_events(notifications, exact, application, face, inbox)
        elif inbox:
            await self._intake.store.add_to_inbox(replace(inbox, disposition="report", reason=status.kind))
        if numbered:
            await self._intake.store.hear(_heard(status, reference, application))
        log.info("hear", face=face, kind=status.kind, state=status.state, application=application.id)
        return status

    async def _take_events(
        self,
        notifications: list[dict[str, Any]],
        exact: bytes | None,
        application: Application,
        face: Face,
        inbox: InboxMessage | None,
    ) -> None:
        types = [self._event_type(one, application) for one in notifications]
        for index, (one, event_type) in enumerate(zip(notifications, types, strict=True)):
            told = exact or render_json(one)
            original = Original(told, JSON, "mns-signal" if is_of_mns(one) else "r4-status")
            last = inbox if index == len(notifications) - 1 else None
            event = self._intake.read(Received(face, application, original, one), event_type, R4)
            await self._intake.accept(event, event_type, last, repeat_seconds=_REPEAT_SECONDS)

    async def _with_topic(self, bundle: dict[str, Any], reference: str) -> dict[str, Any]:
        """A notification that leaves out its topic, as the guide lets it, with the one that its subscription has."""
        topic = next((one.topic for one in await self._intake.store.upstreams(0) if one.reference == reference), "")
        first, *others = bundle["entry"]
        resource = first["resource"]
        told = [*resource.get("parameter", []), *([{"name": "topic", "valueCanonical": topic}] if topic else [])]
        return bundle | {"entry": [first | {"resource": resource | {"parameter": told}}, *others]}

    def _event_type(self, bundle: dict[str, Any], application: Application) -> EventType:
        """The type of the event: by its topic or, in a signal of MNS, by its name."""
        event_type = self._catalogue.named(_mns_type(bundle)) if is_of_mns(bundle) else self._of_topic(bundle)
        if event_type is None or event_type.state == "withdrawn":
            raise Refusal.because("NOT_SUPPORTED", "not a topic of an event that this gateway takes", _TOPIC)
        if not application.may_publish(event_type.id):
            raise Refusal.because("ACCESS_DENIED", "this application may not publish events of this type", _TOPIC)
        return event_type

    def _of_topic(self, bundle: dict[str, Any]) -> EventType | None:
        return self._catalogue.with_topic(read_status(bundle).topic.partition("|")[0])


class ProcessNotification:
    """Answers `POST /R4/$process-notification`; a server is known by the key that it was given to send."""

    def __init__(
        self, incoming: Incoming, applications: Iterable[Application], max_body_bytes: int, *, tokens: bool
    ) -> None:
        self._incoming, self._max_body_bytes, self._open = incoming, max_body_bytes, not tokens
        self._keys = [(one.upstream.key, one) for one in applications if one.upstream]

    async def __call__(self, request: Request) -> Response:
        """200 with an empty body once all that it tells is durable."""
        application = self._sender(request.headers.get("authorization", ""))
        if content_syntax(request, default="json") != "json":
            raise Refusal.because("UNSUPPORTED_MEDIA_TYPE", "must be application/fhir+json", "Content-Type")
        body = await read_body(request, self._max_body_bytes)
        await self._incoming.take(body, application, "r4")
        metrics.received("r4", "accepted")
        return Response(status_code=200)

    def _sender(self, authorization: str) -> Application:
        if self._open:
            return LOCAL
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not given:
            raise Refusal.because("TOKEN_MISSING", "the key that this server was given is needed", "Authorization")
        for key, application in self._keys:
            if hmac.compare_digest(key.encode(), given.strip().encode("utf-8", "replace")):
                return application
        raise Refusal.because("TOKEN_INVALID", "no server has this key", "Authorization")


def _reference(subscription: str, application: Application, face: Face) -> str:
    """The URL of the subscription, which is at the application's own server; where it sends by MESH and has none that
    we know, a name that no other application's subscription can have.

    Raises:
        Refusal: ACCESS_DENIED, where it is elsewhere.
    """
    if face == "mesh" and application.upstream is None and application is not LOCAL:
        return f"mesh:{application.id}:{subscription}"
    server = application.upstream.server.rstrip("/") if application.upstream else ""
    whole = f"{server}/{subscription}" if server and not urlsplit(subscription).scheme else subscription
    of_server = whole.startswith(f"{server}/Subscription/") if server else application is LOCAL
    if not of_server or not is_webhook_url(whole):
        raise Refusal.because("ACCESS_DENIED", "must be a Subscription of this application's server", _SUBSCRIPTION)
    return whole


def _heard(status: ReceivedStatus, reference: str, application: Application) -> Heard:
    numbers = status.numbers if status.kind in _EVENTS else ()
    return Heard(
        reference, application.id, status.kind, status.state, status.events, numbers, now_ms(), status.topic
    )  # fmt: skip


def _mns_type(bundle: dict[str, Any]) -> str:
    parameters = bundle["entry"][0]["resource"]["parameter"]
    context = next(one for one in parameters if one["name"] == "additional-context")
    return next((part.get("valueString", "") for part in context.get("part", []) if part["name"] == "event-type"), "")
