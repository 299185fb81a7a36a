"""Signing secrets of webhooks that were subscribed as on MNS: an extension, as the webhooks are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from mesh.sandbox.run import LocalMesh
from tests.contract.mns.acts import BASE, V2, Caller, closed, cloudevent
from tests.harness import SUBSCRIBER_MAILBOX, Gateway, Listener

CORRELATED = {"X-Correlation-ID": "secrets"}
FHIR = {**CORRELATED, "Content-Type": "application/fhir+json"}


@pytest.fixture
def gateway(mesh: LocalMesh, tmp_path: Path) -> Iterator[Gateway]:
    """In open mode, where webhooks may be on this machine."""
    with Gateway(tmp_path, mesh) as running:
        yield running


def resource(kind: str, endpoint: str) -> dict[str, Any]:
    return {
        "resourceType": "Subscription", "status": "requested", "reason": "", "criteria": "eventType=pds-change-of-gp-2",
        "channel": {"type": kind, "endpoint": endpoint, "payload": "application/fhir+json"},
    }  # fmt: skip


def created(gateway: Gateway, body: dict[str, Any]) -> str:
    """The path of a new subscription."""
    answer = gateway.http.post(f"{BASE}/subscriptions", json=body, headers=FHIR)
    assert answer.status_code == 201, answer.text
    return f"{BASE}/subscriptions/{answer.json()['id']}"


def publish(gateway: Gateway) -> None:
    headers = {**CORRELATED, "Content-Type": V2}
    assert gateway.http.post(f"{BASE}/events", json=cloudevent(), headers=headers).status_code == 200


def test_requests_are_signed_with_the_secret_that_its_owner_reads(gateway: Gateway, listener: Listener) -> None:
    place = created(gateway, resource("rest-hook", listener.url)) + "/$signing-secret"
    read = gateway.http.get(place, headers=CORRELATED)
    assert (read.status_code, read.headers["Cache-Control"]) == (200, "no-store")
    secret = read.json()["secret"]
    publish(gateway)
    request = listener.wait_for(1)[-1]
    Webhook(secret).verify(request.body, request.headers)

    rotated = gateway.http.post(place, headers=CORRELATED).json()
    assert rotated["secret"] == gateway.http.get(place, headers=CORRELATED).json()["secret"] != secret
    assert rotated["previousUntil"]
    publish(gateway)
    request = listener.wait_for(2)[-1]
    for good in (secret, rotated["secret"]):
        Webhook(good).verify(request.body, request.headers)


def test_one_that_becomes_a_webhook_is_signed_from_then_on(gateway: Gateway, listener: Listener) -> None:
    place = created(gateway, resource("message", f"mesh://{SUBSCRIBER_MAILBOX}?workflow_id=W"))
    for method in ("GET", "POST"):
        unsigned = gateway.http.request(method, f"{place}/$signing-secret", headers=CORRELATED)
        assert (unsigned.status_code, unsigned.json()) == (400, {"errors": "Only requests to webhooks are signed"})
    assert gateway.http.put(place, json=resource("rest-hook", listener.url), headers=FHIR).status_code == 204
    secret = gateway.http.get(f"{place}/$signing-secret", headers=CORRELATED).json()["secret"]
    publish(gateway)
    request = listener.wait_for(1)[-1]
    Webhook(secret).verify(request.body, request.headers)


def test_a_secret_is_its_owners(tmp_path: Path) -> None:
    with closed(tmp_path) as gateway:
        one, other = Caller(gateway), Caller(gateway, "subscriber")
        made = one.subscribe(resource("rest-hook", "https://hooks.example.invalid/"))
        place = f"/subscriptions/{made.json()['id']}/$signing-secret"
        secret = one.call("GET", place).json()["secret"]
        for method in ("GET", "POST"):
            assert other.call(method, place).json() == {"errors": "Not found"}
        assert one.call("GET", place, headers={"Authorization": None}).status_code == 401
        assert one.call("DELETE", place).headers["Allow"] == "GET, HEAD, POST"
        assert one.call("GET", place).json() == {"secret": secret}
        assert secret not in gateway.log.read_text()
