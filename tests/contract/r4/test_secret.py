"""Signing secrets and the order of notifications: what this gateway adds to the guide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.contract.r4.acts import create, resource
from tests.harness import Gateway, Listener, message


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def parameters(answer: Any) -> dict[str, str]:
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return {
        one["name"]: next(value for name, value in one.items() if name != "name") for one in answer.json()["parameter"]
    }


def test_requests_are_signed_with_the_secret_that_its_owner_reads(gateway: Gateway, listener: Listener) -> None:
    place = create(gateway, resource(listener.url)).headers["Location"] + "/$signing-secret"
    secret = parameters(gateway.http.get(place))["secret"]
    gateway.publish(message())
    request = listener.wait_for(1)[-1]
    Webhook(secret).verify(request.body, request.headers)
    told = parameters(gateway.http.post(place))
    assert told["secret"] == parameters(gateway.http.get(place))["secret"] != secret
    assert told["previous-until"]
    gateway.publish(message())
    request = listener.wait_for(2)[-1]
    for good in (secret, told["secret"]):
        Webhook(good).verify(request.body, request.headers)


def test_a_secret_is_its_owners(gateway: Gateway) -> None:
    assert gateway.http.get("/R4/Subscription/none/$signing-secret").status_code == 404
    assert gateway.http.post("/R4/Subscription/none/$signing-secret").status_code == 404


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("ordering", {"valueCode": "per-subject"}, 201),
        ("ordering", {"valueCode": "none"}, 201),
        ("ordering", {"valueCode": "by-weight"}, 422),
        ("retry-seconds", {"valueString": "5, 30.5,120"}, 201),
        ("retry-seconds", {"valueString": "5,soon"}, 422),
        ("retry-seconds", {"valueString": "-5"}, 422),
        ("retry-seconds", {"valueString": "nan"}, 422),
        ("retry-seconds", {"valueString": ",".join(["1"] * 21)}, 422),
    ],
)
def test_order_and_waits_are_asked_for_by_extensions(
    gateway: Gateway, listener: Listener, name: str, value: dict[str, str], status: int
) -> None:
    extension = {"url": f"urn:fhir-event-gateway:{name}", **value}
    made = create(gateway, resource(listener.url, channel={"extension": [extension]}))
    assert made.status_code == status
