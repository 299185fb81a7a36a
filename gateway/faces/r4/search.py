"""Search for subscriptions: `GET /R4/Subscription` (FHIR R4, Search; Subscriptions R5 Backport IG 1.1.0)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from gateway.delivery.topics import CONTENTS, Topics
from gateway.errors import Refusal
from gateway.faces.http import status
from gateway.faces.oauth.bearer import Bearer
from gateway.faces.r4.extensions import read_extensions
from gateway.faces.r4.outcome import fhir_response
from gateway.faces.r4.request import parse
from gateway.faces.r4.subscription import shown
from gateway.fhir.notification import IG, searchset
from gateway.subscriptions.book import Book
from gateway.subscriptions.subscription import Subscription

PAGE: Final = 100
"""How many are told at once, unless `_count` asks for fewer."""

_Values = Callable[[Subscription], Iterable[str]]


def _filters(one: Subscription) -> Iterable[str]:
    return read_extensions(parse(one.resource)).get("backport-filter-criteria", ())


_EXACT: Final[Mapping[str, _Values]] = {
    "_id": lambda one: (one.id,),
    "url": lambda one: (one.endpoint, str(parse(one.resource)["channel"].get("endpoint"))),
    "status": lambda one: (status(one),),
    "type": lambda one: (str(parse(one.resource)["channel"]["type"]),),
    "payload": lambda one: (one.payload,),
    "topic": lambda one: (one.criteria,),
}
# Search by string finds what begins so, in either case (FHIR R4, Search, string).
_BEGINNING: Final[Mapping[str, _Values]] = {
    "criteria": lambda one: (one.criteria,),
    "filter-criteria": _filters,
    "custom-channel": lambda one: ("mesh",) if one.channel == "mesh" else (),
    "payload-type": lambda one: filter(None, [CONTENTS.get(one.form)]),
}
PARAMETERS: Final[Mapping[str, tuple[str, str]]] = {
    "_id": ("token", "http://hl7.org/fhir/SearchParameter/Resource-id"),
    "url": ("uri", "http://hl7.org/fhir/SearchParameter/Subscription-url"),
    "status": ("token", "http://hl7.org/fhir/SearchParameter/Subscription-status"),
    "criteria": ("string", "http://hl7.org/fhir/SearchParameter/Subscription-criteria"),
    "type": ("token", "http://hl7.org/fhir/SearchParameter/Subscription-type"),
    "payload": ("token", "http://hl7.org/fhir/SearchParameter/Subscription-payload"),
    "topic": ("uri", f"{IG}/SearchParameter/Subscription-topic"),
    "filter-criteria": ("string", f"{IG}/SearchParameter/Subscription-filter-criteria"),
    "custom-channel": ("string", f"{IG}/SearchParameter/Subscription-custom-channel"),
    "payload-type": ("string", f"{IG}/SearchParameter/Subscription-payload-type"),
}
"""The type of each search parameter, and where it is defined."""
_OWN: Final = frozenset({"_count", "_after", "_format"})


class Search:
    """Finds the subscriptions of the caller."""

    def __init__(self, book: Book, bearer: Bearer, topics: Topics, url: str) -> None:
        self._book, self._bearer, self._topics, self._url = book, bearer, topics, url

    async def __call__(self, request: Request) -> Response:
        """200 with a searchset Bundle, of one page."""
        application = self._bearer.authenticate(request.headers)
        asked = request.query_params.multi_items()
        wanted = [_criterion(name, value) for name, value in asked if name not in _OWN]
        count, found, more = _count(request.query_params.get("_count")), list[Subscription](), False
        after = request.query_params.get("_after", "")
        for one in self._book.of(application.id, "r4"):
            if one.id > after and all(meets(one) for meets in wanted):
                more = len(found) == count
                if more:
                    break
                found.append(one)
        entries = [self._entry(one) for one in found]
        following = self._page(asked, found[-1].id) if more and found else ""
        return fhir_response(searchset(entries, self._page(asked), following), 200)

    def _entry(self, one: Subscription) -> dict[str, Any]:
        return {"fullUrl": self._topics.url(one.id), "resource": shown(one), "search": {"mode": "match"}}

    def _page(self, asked: list[tuple[str, str]], after: str = "") -> str:
        query = [(name, value) for name, value in asked if not after or name != "_after"]
        query += [("_after", after)] if after else []
        return f"{self._url}?{urlencode(query)}" if query else self._url


def _criterion(name: str, value: str) -> Callable[[Subscription], bool]:
    """Whether a subscription meets one parameter: values that are joined by a comma are alternatives."""
    values = value.split(",")
    if exact := _EXACT.get(name):
        # A token may come with its system, which is FHIR's own here.
        tokens = {one.rpartition("|")[2] if PARAMETERS[name][0] == "token" else one for one in values}
        return lambda one: not tokens.isdisjoint(exact(one))
    if beginning := _BEGINNING.get(name):
        starts = tuple(one.casefold() for one in values)
        return lambda one: any(found.casefold().startswith(starts) for found in beginning(one))
    text = f"not a search parameter here; there are: {', '.join([*PARAMETERS, '_count'])}"
    raise Refusal.because("NOT_SUPPORTED", text, name)


def _count(text: str | None) -> int:
    if text is None:
        return PAGE
    if not text.isdecimal() or len(text) > 9:
        raise Refusal.because("NOT_SUPPORTED", "must be a whole number", "_count")
    return min(int(text), PAGE)
