"""The topics that can be subscribed to: each event type as a SubscriptionTopic, in the form that FHIR R4 has for it.

R4 has no SubscriptionTopic. The next release of the Subscriptions R5 Backport IG recommends a Basic resource whose
extensions are the elements of R5's, which is what is written here; release 1.1.0 leaves it open.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.catalogue import Catalogue, EventType
from gateway.errors import Refusal
from gateway.faces.oauth.bearer import Bearer
from gateway.faces.r4.filters import SUBJECT
from gateway.faces.r4.outcome import asked_url, fhir_response
from gateway.fhir.notification import searchset

_R5: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic"
_TYPES: Final = "http://hl7.org/fhir/fhir-types"
# The states of the catalogue in FHIR's words (PublicationStatus).
_STATUS: Final = {"active": "active", "deprecated": "active", "no-longer-supported": "retired"}
PARAMETERS: Final = {
    "_id": ("token", "http://hl7.org/fhir/SearchParameter/Resource-id"),
    "code": ("token", "http://hl7.org/fhir/SearchParameter/clinical-code"),
}


class TopicResources:
    """Tells the topics of the catalogue; `url` is that of the R4 face."""

    def __init__(self, catalogue: Catalogue, bearer: Bearer, url: str) -> None:
        self._catalogue, self._bearer, self._url = catalogue, bearer, url

    async def read(self, request: Request) -> Response:
        """200 with the topic of an event type."""
        self._bearer.authenticate(request.headers)
        wanted = request.path_params["id"]
        found = next((one for one in told(self._catalogue) if one.id == wanted), None)
        if found is None:
            raise Refusal.because("NO_RECORD_FOUND", "there is no such topic")
        return fhir_response(topic(found), 200)

    async def search(self, request: Request) -> Response:
        """200 with a searchset of topics."""
        self._bearer.authenticate(request.headers)
        asked = dict(request.query_params)
        for name in asked:
            if name not in {*PARAMETERS, "_format"}:
                text = f"not a search parameter here; there are: {', '.join(PARAMETERS)}"
                raise Refusal.because("NOT_SUPPORTED", text, name)
        codes = asked.get("code", "SubscriptionTopic").split(",")
        all_of_them = any(code.rpartition("|")[2] == "SubscriptionTopic" for code in codes)
        wanted = asked["_id"].split(",") if "_id" in asked else None
        found = [one for one in told(self._catalogue) if all_of_them and (wanted is None or one.id in wanted)]
        entries = [{"fullUrl": f"{self._url}/Basic/{one.id}", "resource": topic(one)} for one in found]
        return fhir_response(searchset(entries, asked_url(request, self._url)), 200)


def told(catalogue: Catalogue) -> list[EventType]:
    """The event types whose topics are told, those that are retired too."""
    return [one for one in catalogue if one.state != "withdrawn"]


def topic(event_type: EventType) -> dict[str, Any]:
    """The topic of an event type, as Basic."""
    return {
        "resourceType": "Basic",
        "id": event_type.id,
        "modifierExtension": [{"url": f"{_R5}.status", "valueCode": _STATUS[event_type.state]}],
        "extension": [
            {"url": f"{_R5}.url", "valueUri": event_type.topic},
            {"url": f"{_R5}.title", "valueString": event_type.name},
            _can_filter_by(SUBJECT, "The NHS number of whom the event is about."),
            *(_can_filter_by(name, f"A filter of the event: {kind}.") for name, kind in event_type.filters.items()),
        ],
        "code": {"coding": [{"system": _TYPES, "code": "SubscriptionTopic"}]},
    }


def _can_filter_by(name: str, description: str) -> dict[str, Any]:
    parts = [
        {"url": "description", "valueMarkdown": description},
        {"url": "filterParameter", "valueString": name},
    ]
    return {"url": f"{_R5}.canFilterBy", "extension": parts}
