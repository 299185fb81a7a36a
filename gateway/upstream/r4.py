"""The gateway as a subscriber of another FHIR server, by the Subscriptions R5 Backport IG 1.1.0."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.errors import UpstreamError
from gateway.fhir.notification import IG, SUBSCRIPTION
from gateway.upstream.outcome import told

_EXTENSIONS = f"{IG}/StructureDefinition"
_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to subscribe to: a topic's canonical, filters as the server's topic has them, the payload level, and how
    often to be told that all is well (seconds, 0 for never).
    """

    topic: str
    filters: Sequence[str] = ()
    content: str = "id-only"
    heartbeat_seconds: int = 0


def subscribe(server: str, token: str, wanted: Wanted, endpoint: str, key: str) -> str:
    """Have `server` notify `endpoint`, each time with `key`; the URL of the new Subscription.

    Raises:
        UpstreamError: the server refuses, or cannot be reached.
    """
    base = server.rstrip("/")
    body = msgspec.json.encode(_resource(wanted, endpoint, key))
    headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{base}/Subscription", body, headers, method="POST")  # noqa: S310  # the operator's
    try:
        with urllib.request.build_opener(_NoRedirects()).open(request, timeout=_SECONDS) as answer:
            return f"{base}/Subscription/{_id_in(answer.read(), answer.headers.get('Location', ''))}"
    except urllib.error.HTTPError as error:
        with error:
            raise UpstreamError(f"the server refuses: HTTP {error.code}: {told(error.read())}") from None
    except (OSError, ValueError) as error:
        raise UpstreamError(f"{base}: cannot be reached ({error})") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Another place was not configured."""

    def redirect_request(self, *_: object) -> None:
        return None


def _resource(wanted: Wanted, endpoint: str, key: str) -> dict[str, Any]:
    filters = [_extension("backport-filter-criteria", valueString=one) for one in wanted.filters]
    beat = [_extension("backport-heartbeat-period", valueUnsignedInt=wanted.heartbeat_seconds)]
    return {
        "resourceType": "Subscription",
        "meta": {"profile": [SUBSCRIPTION]},
        "status": "requested",
        "reason": "An event gateway passes these events on to its own subscribers",
        "criteria": wanted.topic,
        **({"_criteria": {"extension": filters}} if filters else {}),
        "channel": {
            **({"extension": beat} if wanted.heartbeat_seconds else {}),
            "type": "rest-hook",
            "endpoint": endpoint,
            "payload": "application/fhir+json",
            "_payload": {"extension": [_extension("backport-payload-content", valueCode=wanted.content)]},
            **({"header": [f"Authorization: Bearer {key}"]} if key else {}),
        },
    }


def _extension(name: str, **value: Any) -> dict[str, Any]:
    return {"url": f"{_EXTENSIONS}/{name}", **value}


def _id_in(body: bytes, location: str) -> str:
    """The id of the new Subscription, which the server tells in its answer or in Location."""
    try:
        identity = msgspec.json.decode(body, type=dict[str, Any]).get("id")
    except (msgspec.DecodeError, msgspec.ValidationError):
        identity = None
    found = str(identity or location.rpartition("Subscription/")[2].partition("/")[0])
    if not found:
        raise UpstreamError("the server answered without the id of the Subscription: look for it before you try again")
    return found
