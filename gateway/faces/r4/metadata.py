"""`GET /R4/metadata`: what this face does, told from the services that are registered for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.clock import instant, now_ms
from gateway.faces.r4.outcome import fhir_response
from gateway.fhir.notification import IG, SUBSCRIPTION

_TOPIC: Final = f"{IG}/StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
_PROFILES: Final = {"Subscription": [SUBSCRIPTION]}
_SECURITY: Final = "http://terminology.hl7.org/CodeSystem/restful-security-service"


@dataclass(frozen=True, slots=True)
class Service:
    """One thing that the face does: where, and what FHIR calls it.

    `action` is its name in the log; `resource` is the type it is for, "" for the system; `interaction` is a code of
    FHIR's RESTful interactions, or the name of an operation with its `definition`.
    """

    method: str
    path: str
    action: str
    handler: Callable[[Request], Awaitable[Response]]
    resource: str = ""
    interaction: str = ""
    definition: str = ""


class Metadata:
    """Answers with the CapabilityStatement of `services`."""

    def __init__(
        self,
        services: Sequence[Service],
        searches: Mapping[str, Mapping[str, tuple[str, str]]],
        topics: Sequence[str],
        url: str,
        *,
        tokens: bool,
    ) -> None:
        """`searches` are the search parameters of each type with their types and definitions; `topics` canonicals;
        `tokens` says that a bearer token is needed.
        """
        self._services, self._searches, self._topics = services, searches, topics
        self._url, self._tokens, self._since = url, tokens, instant(now_ms())

    async def __call__(self, _: Request) -> Response:
        """200 with the CapabilityStatement; nobody needs to be known for it."""
        return fhir_response(self.statement(), 200)

    def statement(self) -> dict[str, Any]:
        """The CapabilityStatement."""
        of_system = [one for one in self._services if one.interaction.startswith("$") and not one.resource]
        named = dict.fromkeys(one.resource for one in self._services)
        return {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": self._since,
            "kind": "instance",
            "instantiates": [f"{IG}/CapabilityStatement/backport-subscription-server-r4"],
            "software": {"name": "FHIR event gateway", "version": version("fhir-event-gateway")},
            "implementation": {"description": "FHIR event gateway, face R4", "url": self._url},
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json", "json"],
            "implementationGuide": [f"{IG}/ImplementationGuide/hl7.fhir.uv.subscriptions-backport"],
            "rest": [
                {
                    "mode": "server",
                    "security": self._security(),
                    "resource": [self._resource(name) for name in named if name],
                    **({"operation": _operations(of_system)} if of_system else {}),
                }
            ],
        }

    def _resource(self, name: str) -> dict[str, Any]:
        services = [one for one in self._services if one.resource == name]
        codes = dict.fromkeys(one.interaction for one in services if not one.interaction.startswith("$"))
        operations = _operations([one for one in services if one.interaction.startswith("$")])
        parameters = [
            {"name": parameter, "definition": definition, "type": kind}
            for parameter, (kind, definition) in self._searches.get(name, {}).items()
        ]
        topics = [{"url": _TOPIC, "valueCanonical": topic} for topic in self._topics]
        return {
            **({"extension": topics} if name == "Subscription" else {}),
            "type": name,
            **({"supportedProfile": _PROFILES[name]} if name in _PROFILES else {}),
            "interaction": [{"code": code} for code in codes],
            "versioning": "no-version",
            **({"searchParam": parameters} if parameters else {}),
            **({"operation": operations} if operations else {}),
        }

    def _security(self) -> dict[str, Any]:
        if not self._tokens:
            return {"description": "Open: every caller may do all."}
        return {
            "service": [{"coding": [{"system": _SECURITY, "code": "OAuth"}]}],
            "description": "A bearer token of the gateway's token endpoint.",
        }


def _operations(services: Sequence[Service]) -> list[dict[str, str]]:
    """Each operation once, however many ways there are to call it."""
    return [
        {"name": name, "definition": definition}
        for name, definition in dict.fromkeys((one.interaction, one.definition) for one in services)
    ]
