"""What tests of the MNS face begin with: a gateway in closed mode, and applications that have tokens."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import httpx

from mesh.sandbox.run import LocalMesh
from tests.faces.oauth.people import assertion, form, key_set
from tests.harness import SUBSCRIBER_MAILBOX, Gateway

BASE = "/multicast-notification-service"
V2, V1 = "application/cloudevents+json", "application/json"
APPLICATIONS = f"""
applications:
  - id: everything
    name: May do all
    jwks_file: {{folder}}/keys.json
    mailboxes: [{SUBSCRIBER_MAILBOX}]
    publish: ["*"]
    subscribe: ["*"]
    subscription_kinds: [explicit, generic]
  - id: publisher
    name: May publish changes of GP
    jwks_file: {{folder}}/keys.json
    publish: [pds-change-of-gp-2]
  - id: subscriber
    name: May subscribe to changes of GP
    jwks_file: {{folder}}/keys.json
    mailboxes: [OTHERMAILBOX]
    subscribe: [pds-change-of-gp-2]
    subscription_kinds: [generic]
  - id: nobody
    name: May do nothing
    jwks_file: {{folder}}/keys.json
  - id: hasty
    name: May ask three times a minute
    jwks_file: {{folder}}/keys.json
    publish: ["*"]
    quota_per_minute: 3
"""


def closed(folder: Path, mesh: LocalMesh | None = None, **environment: str) -> Gateway:
    """A gateway that knows these applications."""
    (folder / "keys.json").write_bytes(key_set())
    declared = folder / "applications.yaml"
    declared.write_text(APPLICATIONS.format(folder=folder))
    environment = {"GATEWAY_SECURITY__MODE": "closed", "GATEWAY_APPLICATIONS": str(declared), **environment}
    return Gateway(folder, mesh, **environment)


class Caller:
    """An application that calls the MNS face with a token of its own."""

    def __init__(self, gateway: Gateway, application: str = "everything") -> None:
        self._gateway = gateway
        signed = assertion(f"{gateway.url}/oauth2/token", application)
        answer = gateway.http.post("/oauth2/token", data=form(signed))
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]

    def call(
        self, method: str, path: str, *, headers: dict[str, str | None] | None = None, **more: Any
    ) -> httpx.Response:
        """A call of the face; a header that is None is left out."""
        whole = {
            "Authorization": f"Bearer {self.token}", "X-Correlation-ID": str(uuid.uuid4()), **(headers or {}),
        }  # fmt: skip
        present = {name: value for name, value in whole.items() if value is not None}
        return self._gateway.http.request(method, BASE + path, headers=present, **more)

    def publish(self, event: object, media_type: str = V2, **headers: str | None) -> httpx.Response:
        """Post an event."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", "/events", json=event, headers={"Content-Type": media_type, **named})

    def subscribe(self, resource: object) -> httpx.Response:
        """Post a Subscription."""
        return self.call("POST", "/subscriptions", json=resource, headers={"Content-Type": "application/fhir+json"})


def cloudevent(**changed: Any) -> dict[str, Any]:
    """A CloudEvent of a change of GP with an id of its own; attributes that are None are left out."""
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "https://fhir.nhs.uk/Id/nhsSpineASID/200000000115",
        "type": "pds-change-of-gp-2",
        "time": "2026-11-02T09:15:00Z",
        "subject": "9990001006",
        "dataref": "https://api.service.nhs.uk/personal-demographics/FHIR/R4/Patient/9990001006",
        **changed,
    }
    return {name: value for name, value in event.items() if value is not None}


def v1_event(**changed: Any) -> dict[str, Any]:
    """The same in the form before CloudEvents."""
    source = {
        "name": "NHS DIGITAL",
        "identifier": {"system": "https://fhir.nhs.uk/Id/nhsSpineASID", "value": "200000000115"},
    }
    event = {
        "id": str(uuid.uuid4()),
        "type": "pds-change-of-gp-1",
        "subject": {"nhsNumber": "9990001006", "familyName": "TESTER", "dob": "2017-10"},
        "source": source,
        "time": "2026-11-02T09:15:00.000Z",
        "data": {
            "versionId": 'W/"2"',
            "fullUrl": "https://api.service.nhs.uk/personal-demographics/FHIR/R4/Patient/9990001006",
            "registrationEncounterCode": "3",
            "provenance": source,
        },
        **changed,
    }
    return {name: value for name, value in event.items() if value is not None}
