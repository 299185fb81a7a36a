"""Subscriptions: `/subscriptions` and `/subscriptions/{id}` (OpenAPI description of MNS)."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import Response

from gateway.applications import Application
from gateway.catalogue import Catalogue
from gateway.clock import now_ms
from gateway.errors import Refusal
from gateway.events import JSON
from gateway.faces.http import media_type, read_body, require_plain, status
from gateway.faces.mns import resource as wire
from gateway.faces.mns.answers import NO_RIGHTS, NOT_AUTHORISED, answer
from gateway.faces.mns.attributes import issue
from gateway.faces.mns.criteria import Extensions, read
from gateway.faces.mns.edge import require_correlation
from gateway.faces.oauth.bearer import Bearer
from gateway.fhir.json import read_object
from gateway.subscriptions.book import Book
from gateway.subscriptions.subscription import Subscription

log = structlog.get_logger()
PAGE: Final = 100
"""How many subscriptions a page of the list holds."""
_MAX_BYTES: Final = 65_536
_MEDIA_TYPES: Final = frozenset({JSON, "application/json"})
_UUID4: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)


class Subscriptions:
    """Creates, lists, reads, replaces and deletes an application's subscriptions; nobody sees those of others.

    `loopback` says that webhooks may go to this machine, `mesh` that the gateway has a mailbox to send from.
    """

    def __init__(
        self, book: Book, catalogue: Catalogue, bearer: Bearer, extensions: Extensions, *, loopback: bool, mesh: bool
    ) -> None:
        self._book, self._catalogue, self._bearer = book, catalogue, bearer
        self._extensions, self._loopback, self._mesh = extensions, loopback, mesh

    async def create(self, request: Request) -> Response:
        """201 with the subscription's id; it is active."""
        application = self._authenticate(request)
        subscription = self._subscription(await _read(request), application, str(uuid.uuid4()), now_ms())
        await self._keep(subscription)
        log.info("subscribe", face="mns", subscription_id=subscription.id, application=application.id)
        return answer({"id": subscription.id}, 201)

    async def search(self, request: Request) -> Response:
        """200 with a page of the application's subscriptions, in a Bundle that FHIR would not call one."""
        application = self._authenticate(request)
        after = _after(request)
        own = [one for one in self._book.of(application.id, "mns") if one.id > after]
        links = [{"relation": "self", "url": "/subscriptions"}]
        if len(own) > PAGE:
            mark = base64.urlsafe_b64encode(own[PAGE - 1].id.encode()).decode()
            links.append({"relation": "next", "url": f"/subscriptions?continue_from={mark}"})
        bundle = {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": list(map(_shown, own[:PAGE]))}
        return answer(bundle, media_type=JSON)

    async def read(self, request: Request) -> Response:
        """200 with the Subscription."""
        return answer(_shown(await self.own(request)), media_type=JSON)

    async def replace(self, request: Request) -> Response:
        """204; what is accepted from now on goes by the new one."""
        application = self._authenticate(request)
        before = await self._own(request, application)
        body = await _read(request)
        after = self._subscription(body, application, before.id, before.created_ms, before.event_types)
        await self._keep(after, instead=True)
        log.info("resubscribe", face="mns", subscription_id=after.id, application=application.id)
        return Response(status_code=204)

    async def delete(self, request: Request) -> Response:
        """204."""
        subscription = await self.own(request)
        if not await self._book.remove(subscription.id):
            raise _not_found()
        log.info("unsubscribe", face="mns", subscription_id=subscription.id, application=subscription.application)
        return Response(status_code=204)

    async def own(self, request: Request) -> Subscription:
        """The subscription of the path, which is the caller's.

        Raises:
            Refusal: BAD_REQUEST or NO_RECORD_FOUND; or the caller is not known, or has no rights.
            Throttled: its quota is used up.
        """
        return await self._own(request, self._authenticate(request))

    def _authenticate(self, request: Request) -> Application:
        application = self._bearer.authenticate(request.headers)
        if not application.may_subscribe_any:
            raise Refusal.because("ACCESS_DENIED", NO_RIGHTS)
        require_correlation(request.headers)
        return application

    async def _own(self, request: Request, application: Application) -> Subscription:
        identity = request.path_params["id"]
        if not _UUID4.fullmatch(identity):
            raise Refusal.because("BAD_REQUEST", "Please provide a valid subscription ID in UUID4 format")
        subscription = await self._book.get(identity.lower())
        if subscription is None or subscription.face != "mns" or subscription.application != application.id:
            raise _not_found()
        return subscription

    async def _keep(self, subscription: Subscription, *, instead: bool = False) -> None:
        try:
            if not instead:
                await self._book.add(subscription)
            elif not await self._book.replace(subscription):
                raise _not_found()
        except Refusal as refusal:
            if refusal.issues[0].reason != "DUPLICATE_REJECTED":
                raise
            twin = refusal.issues[0].text.rpartition(" ")[2]
            words = f"A matching subscription already exists with id: {twin}"
            raise Refusal.because("DUPLICATE_REJECTED", words) from None

    def _subscription(
        self,
        resource: dict[str, Any],
        application: Application,
        identity: str,
        created_ms: int,
        present: Collection[str] = (),
    ) -> Subscription:
        wire.check(resource, rest_hook=self._extensions.rest_hook, loopback=self._loopback)
        criteria = read(resource["criteria"], self._catalogue, self._extensions, present)
        endpoint = resource["channel"]["endpoint"]
        subscription = Subscription(
            id=identity,
            application=application.id,
            face="mns",
            event_types=(criteria.event_type.id,),
            subject=criteria.subject,
            channel="rest-hook",
            endpoint=endpoint,
            form=wire.form(resource),
            criteria=resource["criteria"],
            resource=wire.kept(resource),
            media_type=JSON,
            created_ms=created_ms,
            filter=criteria.filter,
            headers=wire.hydration_headers(resource),
        )
        if resource["channel"]["type"] == "message":
            mailbox, workflow = wire.mailbox(endpoint)
            subscription = replace(subscription, channel="mesh", endpoint=mailbox, workflow=workflow)
        _authorise(application, subscription)
        if subscription.channel == "mesh" and not self._mesh:
            raise Refusal([issue("channel.endpoint", "This gateway has no MESH mailbox to send from")])
        return subscription


def _authorise(application: Application, subscription: Subscription) -> None:
    if not application.may_subscribe(subscription.event_types[0], subscription.kind):
        raise Refusal.because("ACCESS_DENIED", NOT_AUTHORISED)
    if subscription.channel == "mesh" and not application.may_use_mailbox(subscription.endpoint):
        raise Refusal.because("ACCESS_DENIED", "User is not authorized to use the requested mailbox")


async def _read(request: Request) -> dict[str, Any]:
    require_plain(request.headers)
    if media_type(request.headers.get("content-type", "")) not in _MEDIA_TYPES:
        raise Refusal.because("UNSUPPORTED_MEDIA_TYPE", f"Content-Type must be {JSON}")
    return read_object(await read_body(request, _MAX_BYTES))


def _after(request: Request) -> str:
    """The id behind which a page begins; "" for the first."""
    mark = request.query_params.get("continue_from")
    if mark is None:
        return ""
    try:
        after = base64.b64decode(mark, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        after = ""
    if not _UUID4.fullmatch(after):
        raise Refusal.because("BAD_REQUEST", "The continue_from field was not valid")
    return after


def _shown(subscription: Subscription) -> dict[str, Any]:
    return wire.shown(subscription.resource, subscription.id, status(subscription))


def _not_found() -> Refusal:
    return Refusal.because("NO_RECORD_FOUND", "Not found")
