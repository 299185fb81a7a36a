"""Subscriptions: `POST /STU3/Subscription`, `GET` and `DELETE /STU3/Subscription/{id}` (NEMS, "Create
subscription").
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response

from gateway.applications import Application
from gateway.catalogue import Catalogue, EventType
from gateway.clock import instant, now_ms
from gateway.errors import Refusal
from gateway.events import JSON, XML
from gateway.faces.accept import require_acceptable
from gateway.faces.http import content_syntax, end_ms, read_body, status
from gateway.faces.nems.identity import READ_SCOPES, SUBSCRIBE_SCOPES, Identity, interaction_of, require_interaction
from gateway.faces.nems.life_cycle import on_subscribe
from gateway.faces.nems.spine import fhir_response, operation_outcome
from gateway.fhir.json import parse_json
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from gateway.reader import check
from gateway.subscriptions import nems_criteria
from gateway.subscriptions.book import Book
from gateway.subscriptions.subscription import Subscription

log = structlog.get_logger()
STU3 = load("STU3")
INTERACTION = "urn:nhs:names:services:clinicals-sync:SubscriptionsApi"
_ID = re.compile(r"[0-9a-f]{32}")
_ODS_URL = re.compile(r"https://directory\.spineservices\.nhs\.uk/STU3/Organization/([A-Za-z0-9]+)")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a subscriber may ask for: `mesh` says that the gateway has a mailbox to send from, `every_patient` that a
    generic subscription may do without a rule.
    """

    mesh: bool
    every_patient: bool
    max_body_bytes: int


class Subscriptions:
    """Creates, reads and deletes the subscriptions of the NEMS face."""

    def __init__(self, book: Book, catalogue: Catalogue, identity: Identity, base_url: str, limits: Limits) -> None:
        self._book, self._catalogue, self._identity = book, catalogue, identity
        self._base_url, self._limits = base_url, limits

    async def create(self, request: Request) -> Response:
        """201 with the subscription's place in Location: with an empty body, or with what there is to say of its event
        types.
        """
        application = self._authenticate(request, "Post")
        syntax = content_syntax(request, default="xml")
        body = await read_body(request, self._limits.max_body_bytes)
        media_type = XML if syntax == "xml" else JSON
        resource = parse(body, media_type)
        subscription, event_types = self._subscription(resource, application, body, media_type)
        notices = on_subscribe(event_types, nems_criteria.LOCATION)
        await self._book.add(subscription)
        log.info(
            "subscribe",
            face="nems",
            subscription_id=subscription.id,
            kind=subscription.kind,
            application=application.id,
        )
        place = {"Location": f"{self._base_url}/STU3/Subscription/{subscription.id}"} | _version(subscription)
        return fhir_response(request, operation_outcome(notices), 201, place) if notices else Response(None, 201, place)

    async def read(self, request: Request) -> Response:
        """200 with the Subscription, active, its criteria as they were sent."""
        subscription = await self._own(request, self._authenticate(request, "Get"))
        resource = parse(subscription.resource, subscription.media_type)
        meta = {name: value for name, value in resource.get("meta", {}).items() if name == "profile"}
        answer = resource | {
            "id": subscription.id,
            "meta": {"lastUpdated": instant(subscription.created_ms)} | meta,
            "status": status(subscription),
        }
        return fhir_response(request, answer, 200, _version(subscription))

    async def delete(self, request: Request) -> Response:
        """200 with an empty body."""
        subscription = await self._own(request, self._authenticate(request, "Delete"))
        if not await self._book.remove(subscription.id):
            raise _not_found(subscription.id)
        log.info("unsubscribe", face="nems", subscription_id=subscription.id, application=subscription.application)
        return Response(status_code=200)

    def _authenticate(self, request: Request, verb: str) -> Application:
        application = self._identity.caller(request, READ_SCOPES if verb == "Get" else SUBSCRIBE_SCOPES)
        require_interaction(interaction_of(request.headers), INTERACTION + verb)
        require_acceptable(request)
        return application

    async def _own(self, request: Request, application: Application) -> Subscription:
        identity = request.path_params["id"]
        if not _ID.fullmatch(identity):
            raise Refusal.because("BAD_REQUEST", "a subscription id is 32 hexadecimal digits", "id")
        subscription = await self._book.get(identity)
        if subscription is None or subscription.face != "nems":
            raise _not_found(identity)
        if subscription.application != application.id:
            raise Refusal.because("ACCESS_DENIED", "the subscription is another application's")
        return subscription

    def _subscription(
        self, resource: dict[str, Any], application: Application, body: bytes, media_type: str
    ) -> tuple[Subscription, tuple[EventType, ...]]:
        # An extension may stand for a value that has to be there.
        if resource.get("status") != "requested":
            raise _invalid("status", "must be requested")
        channel = resource["channel"]
        if channel.get("type") != "message":
            raise _invalid("channel.type", "must be message")
        mailbox = (channel.get("endpoint") or "").upper()  # MESH knows no case, and a mailbox gets one copy
        if not re.fullmatch(r"[A-Za-z0-9]{1,100}", mailbox):
            raise _invalid("channel.endpoint", "must be a MESH mailbox id")
        ods_code = _ods_code(resource)
        criteria = nems_criteria.parse(
            resource.get("criteria", ""), self._catalogue, ods_code, every_patient=self._limits.every_patient
        )
        _authorise(application, criteria, mailbox, ods_code)
        if not self._limits.mesh:
            raise Refusal.because("NOT_IMPLEMENTED", "this gateway has no MESH mailbox to send from", "channel")
        subscription = Subscription(
            id=uuid.uuid4().hex,
            application=application.id,
            face="nems",
            event_types=tuple(one.id for one in criteria.event_types),
            subject=criteria.nhs_number,
            channel="mesh",
            endpoint=mailbox,
            form="nems-message",
            criteria=resource["criteria"],
            resource=body,
            media_type=media_type,
            created_ms=now_ms(),
            tag=criteria.tag,
            end_ms=end_ms(resource),
            filter=criteria.filter,
        )
        return subscription, criteria.event_types


def parse(body: bytes, media_type: str) -> dict[str, Any]:
    """A valid STU3 Subscription.

    Raises:
        Refusal: it is not one.
    """
    resource = (parse_xml if media_type == XML else parse_json)(body, STU3).resource
    if resource.get("resourceType") != "Subscription":
        raise Refusal.because("INVALID_RESOURCE", "must be a Subscription", "resource")
    check(resource, STU3)
    return resource


def _authorise(application: Application, criteria: nems_criteria.NemsCriteria, mailbox: str, ods_code: str) -> None:
    if not application.acts_for(ods_code):
        raise Refusal.because(
            "ACCESS_DENIED", "this application does not act for that organisation", "Subscription.contact[0]"
        )
    if not application.may_use_mailbox(mailbox):
        raise Refusal.because(
            "ACCESS_DENIED", "that mailbox is not this application's", "Subscription.channel.endpoint"
        )
    for event_type in criteria.event_types:
        if not application.may_subscribe(event_type.id, criteria.kind):
            text = f"this application may not have {criteria.kind} subscriptions to {event_type.id}"
            raise Refusal.because("ASID_CHECK_FAILED", text, nems_criteria.LOCATION)


def _ods_code(resource: dict[str, Any]) -> str:
    """The organisation that subscribes: the first contact is its address in the ODS directory."""
    contact = (resource.get("contact") or [{}])[0]
    match = _ODS_URL.fullmatch(contact.get("value") or "")
    if contact.get("system") != "url" or contact.get("use", "work") != "work" or match is None:
        raise _invalid(
            "contact[0]",
            "must be https://directory.spineservices.nhs.uk/STU3/Organization/[ODS code], system url, use work",
        )
    return match[1]


def _version(subscription: Subscription) -> dict[str, str]:
    """The headers that date a subscription: there is one version of each."""
    made = formatdate(subscription.created_ms / 1000, usegmt=True)
    return {"Last-Modified": made, "ETag": f'W/"{subscription.created_ms:x}"'}


def _invalid(path: str, text: str) -> Refusal:
    return Refusal.because("INVALID_RESOURCE", text, f"Subscription.{path}")


def _not_found(identity: str) -> Refusal:
    return Refusal.because("NO_RECORD_FOUND", f"No record found for supplied Subscription identifier - {identity}")
