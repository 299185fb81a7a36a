"""The R4 face: which service answers where; the CapabilityStatement is told from the same list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.catalogue import Catalogue
from gateway.delivery.topics import Topics
from gateway.errors import Refusal
from gateway.faces.claim_check import ClaimCheck
from gateway.faces.guard import Guard, wrong_verb
from gateway.faces.mns.acknowledgement import ProcessMessage
from gateway.faces.oauth.bearer import Bearer
from gateway.faces.r4 import search, topic
from gateway.faces.r4.definition import PROCESS_NOTIFICATION, SIGNING_SECRET, Definitions
from gateway.faces.r4.incoming import ProcessNotification
from gateway.faces.r4.metadata import Metadata, Service
from gateway.faces.r4.operations import Operations
from gateway.faces.r4.outcome import refusal_response
from gateway.faces.r4.request import Limits, Requests
from gateway.faces.r4.search import Search
from gateway.faces.r4.secret import SigningSecret
from gateway.faces.r4.subscription import Greeter, Subscriptions
from gateway.faces.r4.topic import TopicResources
from gateway.fhir.notification import IG
from gateway.store.base import Store
from gateway.subscriptions.book import Book

_SEARCHES = {"Subscription": search.PARAMETERS, "Basic": topic.PARAMETERS}
PROCESS_MESSAGE = "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"
_STATUS = f"{IG}/OperationDefinition/backport-subscription-status"
_EVENTS = f"{IG}/OperationDefinition/backport-subscription-events"


@dataclass(frozen=True, slots=True)
class R4Parts:
    """What the face is made of; `tokens` says that callers need one."""

    store: Store
    book: Book
    catalogue: Catalogue
    bearer: Bearer
    greeter: Greeter
    claim_check: ClaimCheck
    base_url: str
    limits: Limits
    incoming: ProcessNotification
    acknowledgements: ProcessMessage
    tokens: bool


def routes(parts: R4Parts) -> list[BaseRoute]:
    """The routes of the face."""
    guard = Guard("r4", refusal_response)
    services = _services(parts)
    topics = [one.topic for one in parts.catalogue if one.takes_subscribers]
    metadata = Metadata(services, _SEARCHES, topics, f"{parts.base_url}/R4", tokens=parts.tokens)
    return [
        Route("/R4/metadata", guard("metadata", metadata), methods=["GET"]),
        *(Route(one.path, guard(one.action, one.handler), methods=[one.method]) for one in services),
        *(Route(path, guard("receive", wrong_verb(*verbs))) for path, verbs in _verbs(services).items()),
        Route("/R4{rest:path}", guard("receive", _nothing_here)),
    ]


def _verbs(services: Sequence[Service]) -> dict[str, list[str]]:
    """The verbs that each path has."""
    found: dict[str, list[str]] = {}
    for one in services:
        found.setdefault(one.path, []).extend(["GET", "HEAD"] if one.method == "GET" else [one.method])
    return found


def _services(parts: R4Parts) -> list[Service]:
    topics = Topics(parts.catalogue, parts.base_url)
    requests = Requests(parts.catalogue, parts.limits)
    subscriptions = Subscriptions(parts.book, parts.bearer, requests, topics, parts.greeter)
    find = Search(parts.book, parts.bearer, topics, f"{parts.base_url}/R4/Subscription")
    url = f"{parts.base_url}/R4"
    operations = Operations(parts.store, parts.book, parts.bearer, subscriptions, topics, url)
    offered = TopicResources(parts.catalogue, parts.bearer, url)
    every, one, named = "/R4/Subscription", "/R4/Subscription/{id}", "Subscription"
    definitions = Definitions(url)
    hear, sign, answer = f"${PROCESS_NOTIFICATION}", f"${SIGNING_SECRET}", "$process-message"
    secret = SigningSecret(parts.book, parts.bearer, subscriptions, parts.limits.secret_overlap)
    signing = definitions.canonical(SIGNING_SECRET)
    return [
        Service("POST", every, "subscribe", subscriptions.create, named, "create"),
        Service("GET", every, "search", find, named, "search-type"),
        # Before those that take any id.
        Service("GET", f"{every}/$status", "status", operations.statuses, named, "$status", _STATUS),
        Service("POST", f"{every}/$status", "status", operations.statuses, named, "$status", _STATUS),
        Service("GET", f"{one}/$status", "status", operations.status, named, "$status", _STATUS),
        Service("POST", f"{one}/$status", "status", operations.status, named, "$status", _STATUS),
        Service("GET", f"{one}/$events", "events", operations.events, named, "$events", _EVENTS),
        Service("POST", f"{one}/$events", "events", operations.events, named, "$events", _EVENTS),
        Service("GET", f"{one}/{sign}", "signing-secret", secret.read, named, sign, signing),
        Service("POST", f"{one}/{sign}", "signing-secret", secret.rotate, named, sign, signing),
        Service("GET", one, "read", subscriptions.read, named, "read"),
        Service("PUT", one, "resubscribe", subscriptions.update, named, "update"),
        Service("DELETE", one, "unsubscribe", subscriptions.delete, named, "delete"),
        Service("GET", "/R4/Basic", "search", offered.search, "Basic", "search-type"),
        Service("GET", "/R4/Basic/{id}", "read", offered.read, "Basic", "read"),
        Service("POST", f"/R4/{hear}", "hear", parts.incoming, "", hear, definitions.canonical(PROCESS_NOTIFICATION)),
        Service("POST", f"/R4/{answer}", "acknowledge", parts.acknowledgements, "", answer, PROCESS_MESSAGE),
        Service("GET", "/R4/OperationDefinition/{id}", "read", definitions.read, "OperationDefinition", "read"),
        Service("GET", "/R4/Binary/{id}", "claim-check", parts.claim_check.read_binary, "Binary", "read"),
    ]


async def _nothing_here(_: Request) -> Response:
    raise Refusal.because("NO_RECORD_FOUND", "there is nothing here; GET /R4/metadata tells what there is")
