"""`$status` and `$events` on subscriptions (Subscriptions R5 Backport IG 1.1.0, OperationDefinitions)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.clock import instant, now_ms
from gateway.delivery.topics import CONTENTS, Topics
from gateway.errors import Refusal
from gateway.events import NUMBERED
from gateway.faces.http import content_syntax, has_body, read_body, status
from gateway.faces.oauth.bearer import Bearer
from gateway.faces.r4.outcome import asked_url, fhir_response
from gateway.faces.r4.subscription import Subscriptions
from gateway.fhir.json import parse_json
from gateway.fhir.notification import Content, status_searchset
from gateway.fhir.tables import load
from gateway.reader import check
from gateway.store.base import Store
from gateway.subscriptions.book import Book
from gateway.subscriptions.subscription import Subscription

R4 = load("R4")
EVENTS: Final = 100
"""How many events `$events` gives at once."""
_LAST: Final = 2**62
_CONTENTS: Final[Mapping[str, Content]] = {content: content for content in CONTENTS.values()}


class Operations:
    """Tells how subscriptions are, and what they were told; `url` is that of the face."""

    def __init__(
        self, store: Store, book: Book, bearer: Bearer, subscriptions: Subscriptions, topics: Topics, url: str
    ) -> None:
        self._store, self._book, self._bearer = store, book, bearer
        self._subscriptions, self._topics, self._url = subscriptions, topics, url

    async def status(self, request: Request) -> Response:
        """200 with the status of one subscription; `id` and `status` are ignored here."""
        application = self._bearer.authenticate(request.headers)
        one = await self._subscriptions.own(request, application)
        return await self._told([one], request)

    async def statuses(self, request: Request) -> Response:
        """200 with the status of each of the caller's subscriptions that `id` and `status` name."""
        application = self._bearer.authenticate(request.headers)
        asked = await _inputs(request, {"id", "status"})
        identities, states = set(asked["id"]), set(asked["status"])
        found = [
            one
            for one in self._book.of(application.id, "r4")
            if (not identities or one.id in identities) and (not states or status(one) in states)
        ]
        return await self._told(found, request)

    async def events(self, request: Request) -> Response:
        """200 with a notification of the events from `eventsSinceNumber` to `eventsUntilNumber`, as far as they are
        kept; the first so many of them.
        """
        application = self._bearer.authenticate(request.headers)
        one = await self._subscriptions.own(request, application)
        if one.form not in NUMBERED:
            raise Refusal.because("NOT_SUPPORTED", "events are numbered with backport-payload-content only", "$events")
        asked = await _inputs(request, {"eventsSinceNumber", "eventsUntilNumber", "content"})
        content = _content(asked["content"], one)
        since, until = _number(asked, "eventsSinceNumber", 1), _number(asked, "eventsUntilNumber", _LAST)
        kept = await self._store.numbered_events(one.id, since, until, EVENTS)
        counts = await self._store.event_counts([one.id])
        told = self._topics.status(one, status(one), "query-event", counts.get(one.id, 0))
        bundle = self._topics.of_events(told, str(uuid.uuid4()), instant(now_ms()), kept, content)
        return fhir_response(bundle, 200)

    async def _told(self, found: Sequence[Subscription], request: Request) -> Response:
        counts = await self._store.event_counts([one.id for one in found])
        told = [
            (self._topics.status(one, status(one), "query-status", counts.get(one.id, 0)), str(uuid.uuid4()))
            for one in found
        ]
        return fhir_response(status_searchset(told, asked_url(request, self._url)), 200)


async def _inputs(request: Request, names: set[str]) -> dict[str, list[str]]:
    """The inputs of an operation by name: from the query, or from a Parameters resource that was posted."""
    asked = [(name, part) for name, value in request.query_params.multi_items() for part in value.split(",")]
    if request.method == "POST" and has_body(request):
        if content_syntax(request, default="json") != "json":
            raise Refusal.because("UNSUPPORTED_MEDIA_TYPE", "must be application/fhir+json", "Content-Type")
        asked += _posted(await read_body(request, 65_536))
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, value in asked:
        if name in found:
            found[name].append(value)
        elif name != "_format":
            raise Refusal.because("NOT_SUPPORTED", f"not an input here; there are: {', '.join(sorted(names))}", name)
    return found


def _posted(body: bytes) -> list[tuple[str, str]]:
    resource = parse_json(body, R4).resource
    if resource.get("resourceType") != "Parameters":
        raise Refusal.because("INVALID_RESOURCE", "must be Parameters", "resource")
    check(resource, R4)
    return [(one["name"], _value(one)) for one in resource.get("parameter", [])]


def _value(parameter: dict[str, Any]) -> str:
    return next((str(value) for name, value in parameter.items() if name.startswith("value")), "")


def _number(asked: Mapping[str, list[str]], name: str, default: int) -> int:
    values = asked[name]
    if not values:
        return default
    if len(values) > 1 or not values[0].isascii() or not values[0].isdecimal() or len(values[0]) > 18:
        raise Refusal.because("NOT_SUPPORTED", "must be one whole number", name)
    return int(values[0])


def _content(values: Sequence[str], one: Subscription) -> Content:
    if not values:
        return CONTENTS[one.form]
    if len(values) > 1 or values[0] not in _CONTENTS:
        raise Refusal.because("NOT_SUPPORTED", f"must be one of {', '.join(_CONTENTS)}", "content")
    return _CONTENTS[values[0]]
