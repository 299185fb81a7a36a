"""Webhook subscriptions: `POST /R4/Subscription`, `GET` and `DELETE /R4/Subscription/{id}`.

The resource is that of the Subscriptions R5 Backport IG 1.1.0: criteria is a SubscriptionTopic's canonical URL. What
the webhook gets is the signal that MNS delivers, or its CloudEvent when `channel.payload` asks for
application/cloudevents+json.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response

from gateway.addresses import is_webhook_url, names_forbidden_address
from gateway.applications import Application
from gateway.catalogue import Catalogue, EventType
from gateway.clock import instant, now_ms
from gateway.errors import Refusal
from gateway.events import JSON, Form
from gateway.faces.authenticate import Authenticator
from gateway.faces.http import content_syntax, end_ms, read_body, status
from gateway.faces.r4.outcome import fhir_response
from gateway.fhir.json import parse_json
from gateway.fhir.tables import load
from gateway.intake import check
from gateway.subscriptions.book import Book
from gateway.subscriptions.subscription import Subscription

log = structlog.get_logger()
R4 = load("R4")
_FORMS: dict[str, Form] = {
    "application/fhir+json": "mns-signal",
    "application/cloudevents+json": "cloudevent",
}
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)")
# What HTTP itself, or the gateway, must say.
_OWN_HEADERS = frozenset(
    [
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "webhook-id",
    ]
)


class Subscriptions:
    """Creates, reads and deletes webhook subscriptions; `loopback` says that webhooks may go to this machine, and
    without TLS.
    """

    def __init__(
        self, book: Book, catalogue: Catalogue, authenticator: Authenticator, base_url: str, *, loopback: bool
    ) -> None:
        self._book, self._catalogue, self._authenticator = book, catalogue, authenticator
        self._base_url, self._loopback = base_url, loopback

    async def create(self, request: Request) -> Response:
        """201 with the Subscription, active, and its place in Location."""
        application = self._authenticator.authenticate(request)
        if content_syntax(request, default="json") != "json":
            raise Refusal.because("UNSUPPORTED_MEDIA_TYPE", "must be application/fhir+json", "Content-Type")
        body = await read_body(request, 65_536)
        resource = _parse(body)
        subscription = self._subscription(resource, application, body)
        await self._book.add(subscription)
        log.info(
            "subscribe", face="r4", subscription_id=subscription.id, kind=subscription.kind, application=application.id
        )
        place = {"Location": f"{self._base_url}/R4/Subscription/{subscription.id}"}
        return fhir_response(_shown(subscription), 201, place)

    async def read(self, request: Request) -> Response:
        """200 with the Subscription."""
        return fhir_response(_shown(await self._own(request)), 200)

    async def delete(self, request: Request) -> Response:
        """204."""
        subscription = await self._own(request)
        await self._book.remove(subscription.id)
        log.info("unsubscribe", face="r4", subscription_id=subscription.id, application=subscription.application)
        return Response(status_code=204)

    async def _own(self, request: Request) -> Subscription:
        application = self._authenticator.authenticate(request)
        subscription = await self._book.get(request.path_params["id"])
        if subscription is None or subscription.face != "r4" or subscription.application != application.id:
            raise Refusal.because("NO_RECORD_FOUND", "there is no such Subscription")
        return subscription

    def _subscription(self, resource: dict[str, Any], application: Application, body: bytes) -> Subscription:
        _refuse_unsupported(resource)
        event_type = self._event_type(resource["criteria"])
        if not application.may_subscribe(event_type.id, "generic"):
            text = f"this application may not have generic subscriptions to {event_type.id}"
            raise Refusal.because("ACCESS_DENIED", text, "Subscription.criteria")
        channel = resource["channel"]
        return Subscription(
            id=str(uuid.uuid4()),
            application=application.id,
            face="r4",
            event_types=(event_type.id,),
            subject=None,
            channel="rest-hook",
            endpoint=self._endpoint(channel.get("endpoint")),
            form=_form(channel.get("payload")),
            criteria=resource["criteria"],
            resource=body,
            media_type=JSON,
            created_ms=now_ms(),
            headers=tuple(_header(index, text) for index, text in enumerate(channel.get("header", []))),
            end_ms=end_ms(resource),
        )

    def _event_type(self, topic: str) -> EventType:
        event_type = self._catalogue.with_topic(topic)
        if event_type is None or event_type.state == "withdrawn":
            known = ", ".join(sorted(one.topic for one in self._catalogue))
            raise Refusal.because(
                "NOT_SUPPORTED", f"not a topic of this gateway; there are: {known}", "Subscription.criteria"
            )
        return event_type

    def _endpoint(self, url: str | None) -> str:
        if url is None or not is_webhook_url(url):
            raise _unsupported("channel.endpoint", "must be an http or https URL without credentials or fragment")
        if names_forbidden_address(url, loopback=self._loopback):
            raise _unsupported("channel.endpoint", "must be at a public address")
        if not self._loopback and not url.startswith("https:"):
            raise _unsupported("channel.endpoint", "must be https")
        return url


def _parse(body: bytes) -> dict[str, Any]:
    resource = parse_json(body, R4).resource
    if resource.get("resourceType") != "Subscription":
        raise Refusal.because("INVALID_RESOURCE", "must be a Subscription", "resource")
    check(resource, R4)
    return resource


def _refuse_unsupported(resource: dict[str, Any]) -> None:
    """Anything that would change what is delivered, and that this face cannot do, is refused by name."""
    if resource["status"] != "requested":
        raise _unsupported("status", "must be requested")
    if resource["channel"]["type"] != "rest-hook":
        raise _unsupported("channel.type", "must be rest-hook")
    for element in (resource.get("_criteria"), resource["channel"].get("_type")):
        for extension in (element or {}).get("extension", []):
            name = extension.get("url", "").rpartition("/")[2]
            if name in {"backport-filter-criteria", "backport-channel-type"}:
                raise _unsupported("criteria" if "filter" in name else "channel.type", f"{name} is not supported")


def _form(payload: str | None) -> Form:
    form = _FORMS.get((payload or "").partition(";")[0].strip())
    if form is None:
        raise _unsupported("channel.payload", f"must be one of {', '.join(_FORMS)}")
    return form


def _header(index: int, text: str) -> tuple[str, str]:
    match = _HEADER.fullmatch(text)
    if match is None or match[1].lower() in _OWN_HEADERS:
        raise _unsupported(f"channel.header[{index}]", "must be `Name: value`, and not a header that the gateway sets")
    return match[1], match[2]


def _shown(subscription: Subscription) -> dict[str, Any]:
    """The resource as its owner sees it: without its headers, which may hold a secret."""
    resource = parse_json(subscription.resource, R4).resource
    channel = {name: value for name, value in resource["channel"].items() if name not in {"header", "_header"}}
    meta = resource.get("meta", {}) | {"lastUpdated": instant(subscription.created_ms)}
    return resource | {"id": subscription.id, "meta": meta, "status": status(subscription), "channel": channel}


def _unsupported(path: str, text: str) -> Refusal:
    return Refusal.because("NOT_SUPPORTED", text, f"Subscription.{path}")
