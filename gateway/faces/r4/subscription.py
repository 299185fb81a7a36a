"""Subscriptions to topics: `/R4/Subscription`, in the form of the Subscriptions R5 Backport IG 1.1.0."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import structlog
from starlette.requests import Request
from starlette.responses import Response

from gateway.applications import Application
from gateway.clock import instant
from gateway.delivery.topics import Topics
from gateway.errors import Refusal
from gateway.faces.http import content_syntax, read_body, status
from gateway.faces.oauth.bearer import Bearer
from gateway.faces.r4.channel import unsupported
from gateway.faces.r4.outcome import fhir_response
from gateway.faces.r4.request import Requests, parse
from gateway.fhir.json import parse_json
from gateway.fhir.tables import load
from gateway.subscriptions.book import Book
from gateway.subscriptions.subscription import Subscription

log = structlog.get_logger()
_MAX_BODY_BYTES = 65_536


class Greeter(Protocol):
    """Finds out whether an endpoint is there."""

    def greet(self, subscription_id: str) -> None:
        """Begin the handshake with a requested subscription; returns at once."""
        ...


class Subscriptions:
    """Creates, reads, changes and deletes subscriptions."""

    def __init__(self, book: Book, bearer: Bearer, requests: Requests, topics: Topics, greeter: Greeter) -> None:
        self._book, self._bearer, self._requests = book, bearer, requests
        self._topics, self._greeter = topics, greeter

    async def create(self, request: Request) -> Response:
        """201 with the Subscription, and its place in Location."""
        application = self._bearer.authenticate(request.headers)
        resource = await self._resource(request)
        if resource["status"] != "requested":
            raise unsupported("status", "must be requested")
        subscription = self._requests.read(resource, application)
        await self._book.add(subscription)
        self._greet(subscription)
        log.info(
            "subscribe", face="r4", subscription_id=subscription.id, kind=subscription.kind, application=application.id,
            form=subscription.form,
        )  # fmt: skip
        # Its headers are told this once: the subscriber checks by them that it was understood.
        answer = shown(subscription) | {"channel": resource["channel"]}
        return fhir_response(answer, 201, {"Location": self._topics.url(subscription.id)})

    async def read(self, request: Request) -> Response:
        """200 with the Subscription."""
        return fhir_response(shown(await self.own(request, self._bearer.authenticate(request.headers))), 200)

    async def update(self, request: Request) -> Response:
        """200 with the Subscription as it is now; a change of where notifications go needs the handshake anew."""
        application = self._bearer.authenticate(request.headers)
        present = await self.own(request, application)
        resource = await self._resource(request)
        if resource.get("id") != present.id:
            raise Refusal.because("INVALID_RESOURCE", "must be the id of the URL", "Subscription.id")
        wanted = resource["status"]
        possible = dict.fromkeys(["requested", "off", status(present)])
        if wanted not in possible:
            raise unsupported("status", f"must be one of {', '.join(possible)}")
        asked = self._requests.read(resource, application, present)
        kept = _way(present) == _way(asked) and wanted != "requested"
        after = replace(
            asked,
            id=present.id,
            created_ms=present.created_ms,
            state="off" if wanted == "off" else present.state if kept else asked.state,
            unproven=present.unproven if kept else asked.unproven,
            reason=present.reason if kept else "",
        )
        if not await self._book.replace(after):
            raise _not_found()
        if after.state == "active":
            await self._book.set_state(after.id, "active")  # heartbeats begin anew
        self._greet(after)
        log.info("resubscribe", face="r4", subscription_id=after.id, application=application.id, state=after.state)
        return fhir_response(shown(after), 200)

    async def delete(self, request: Request) -> Response:
        """204."""
        subscription = await self.own(request, self._bearer.authenticate(request.headers))
        await self._book.remove(subscription.id)
        log.info("unsubscribe", face="r4", subscription_id=subscription.id, application=subscription.application)
        return Response(status_code=204)

    async def own(self, request: Request, application: Application) -> Subscription:
        """The subscription of the path, which is the caller's.

        Raises:
            Refusal: NO_RECORD_FOUND.
        """
        identity = request.path_params["id"]
        if identity.startswith("$"):
            text = "there is no such operation here; GET /R4/metadata tells what there is"
            raise Refusal.because("NO_RECORD_FOUND", text)
        subscription = await self._book.get(identity)
        if subscription is None or subscription.face != "r4" or subscription.application != application.id:
            raise _not_found()
        return subscription

    async def _resource(self, request: Request) -> dict[str, Any]:
        if content_syntax(request, default="json") != "json":
            raise Refusal.because("UNSUPPORTED_MEDIA_TYPE", "must be application/fhir+json", "Content-Type")
        return parse(await read_body(request, _MAX_BODY_BYTES))

    def _greet(self, subscription: Subscription) -> None:
        if subscription.state == "requested":
            self._greeter.greet(subscription.id)


def shown(subscription: Subscription) -> dict[str, Any]:
    """The resource as its owner sees it: without its headers, which may hold a secret."""
    resource = parse_json(subscription.resource, load("R4")).resource  # as it was taken in, and found valid
    channel = {name: value for name, value in resource["channel"].items() if name not in {"header", "_header"}}
    meta = {"lastUpdated": instant(subscription.created_ms), **resource.get("meta", {})}
    told = resource | {"id": subscription.id, "meta": meta, "status": status(subscription), "channel": channel}
    return told | ({"error": subscription.reason} if subscription.state == "error" and subscription.reason else {})


def _way(one: Subscription) -> tuple[object, ...]:
    """Where notifications go, and as what: a change of that needs the handshake anew."""
    return one.channel, one.endpoint, one.workflow, one.headers, one.form, one.payload


def _not_found() -> Refusal:
    return Refusal.because("NO_RECORD_FOUND", "there is no such Subscription")
