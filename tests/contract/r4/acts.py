"""What tests of the R4 face begin with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from gateway.demo import TOPIC
from tests.faces.oauth.people import assertion, form, key_set
from tests.harness import Gateway, eventually

FHIR = {"Content-Type": "application/fhir+json"}
IG = "http://hl7.org/fhir/uv/subscriptions-backport"
EXTENSIONS = f"{IG}/StructureDefinition/"
CHANNEL_TYPES = "urn:fhir-event-gateway:channel-type"
APPLICATIONS = """
applications:
  - {{id: one, name: One, asids: ["200000000001"], jwks_file: {keys}, publish: ["*"], subscribe: ["*"],
     subscription_kinds: [generic, explicit], mailboxes: [A20047OT001]}}
  - {{id: two, name: Two, asids: ["200000000002"], jwks_file: {keys}, subscribe: ["*"], subscription_kinds: [explicit]}}
"""


def extension(name: str, **value: Any) -> dict[str, Any]:
    """An extension of the guide."""
    return {"url": EXTENSIONS + name, **value}


def resource(endpoint: str = "http://127.0.0.1:9/", **changed: Any) -> dict[str, Any]:
    """A Subscription without a payload level: what MNS delivers is asked for."""
    channel = {"type": "rest-hook", "endpoint": endpoint, "payload": "application/fhir+json"}
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "Tests",
        "criteria": f"{TOPIC}pds-change-of-gp-1",
        "channel": channel | changed.pop("channel", {}),
        **changed,
    }


def topical(endpoint: str = "http://127.0.0.1:9/", content: str = "id-only", **changed: Any) -> dict[str, Any]:
    """A Subscription as the guide has it, at a payload level."""
    payload = {"extension": [extension("backport-payload-content", valueCode=content)]}
    channel = {"_payload": payload, **changed.pop("channel", {})}
    return resource(endpoint, channel=channel, **changed)


def create(gateway: Gateway, body: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
    """Post a Subscription."""
    return gateway.http.post("/R4/Subscription", content=json.dumps(body), headers={**FHIR, **(headers or {})})


def subscribe(gateway: Gateway, body: dict[str, Any]) -> str:
    """Post a Subscription; its URL, once it is active."""
    answer = create(gateway, body)
    assert answer.status_code == 201, answer.text
    place = str(answer.headers["Location"])
    eventually(lambda: gateway.http.get(place).json()["status"] == "active")
    return place


def closed(folder: Path, more: str = "", **environment: str) -> Gateway:
    """A gateway in closed mode that knows two applications, and those that `more` declares."""
    (folder / "keys.json").write_bytes(key_set())
    (folder / "applications.yaml").write_text(APPLICATIONS.format(keys=folder / "keys.json") + more.strip("\n"))
    settings = {"GATEWAY_SECURITY__MODE": "closed", "GATEWAY_APPLICATIONS": str(folder / "applications.yaml")}
    return Gateway(folder, **settings, **environment)


def token(gateway: Gateway, application: str = "one") -> dict[str, str]:
    """The headers by which an application is known."""
    answer = gateway.http.post("/oauth2/token", data=form(assertion(f"{gateway.url}/oauth2/token", application)))
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def parameters(status: dict[str, Any]) -> dict[str, Any]:
    """The values of a status by name; those that repeat as lists of their parts."""
    found: dict[str, Any] = {}
    for one in status["parameter"]:
        if one["name"] == "notification-event":
            found.setdefault("notification-event", []).append({part["name"]: _value(part) for part in one["part"]})
        else:
            found[one["name"]] = _value(one)
    return found


def told(body: bytes) -> dict[str, Any]:
    """The status that a notification begins with, by name."""
    return parameters(json.loads(body)["entry"][0]["resource"])


def _value(parameter: dict[str, Any]) -> Any:
    value = next(value for name, value in parameter.items() if name.startswith("value"))
    return value.get("reference", value) if isinstance(value, dict) else value
