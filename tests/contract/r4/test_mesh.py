"""MESH as a channel: a custom channel type, since FHIR has no code for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesh.sandbox.run import LocalMesh
from tests.contract.r4.acts import CHANNEL_TYPES, closed, create, extension, parameters, token, topical
from tests.contract.r4.assertions import is_bundle, is_status
from tests.harness import SUBSCRIBER_MAILBOX, Gateway, collect, message

ENDPOINT = f"mesh://{SUBSCRIBER_MAILBOX}?workflow_id=MY_TOPICS"


@pytest.fixture(scope="module")
def gateway(mesh: LocalMesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("gateway"), mesh) as running:
        yield running


def by_mesh(endpoint: str = ENDPOINT, content: str = "id-only", **channel: Any) -> dict[str, Any]:
    coding = {"system": CHANNEL_TYPES, "code": "mesh"}
    of_type = {"extension": [extension("backport-channel-type", valueCoding=coding)]}
    return topical(endpoint, content, channel={"type": "message", "_type": of_type, **channel})


@pytest.mark.rule("r4-18", "r4-59")
@pytest.mark.parametrize("content", ["empty", "id-only", "full-resource"])
def test_notifications_go_to_the_mailbox_at_once(gateway: Gateway, mesh: LocalMesh, content: str) -> None:
    made = create(gateway, by_mesh(content=content))
    assert (made.status_code, made.json()["status"]) == (201, "active")
    for _ in range(2):
        gateway.publish(message())
    received = collect(mesh, 2)
    told = []
    for one in received:
        assert (one.workflow_id, one.content_type) == ("MY_TOPICS", "application/fhir+json")
        assert one.file_name.endswith(".json")
        bundle = json.loads(one.body)
        is_bundle(bundle, "history")
        is_status(bundle["entry"][0]["resource"])
        told.append(parameters(bundle["entry"][0]["resource"]))
    assert sorted(event["event-number"] for one in told for event in one["notification-event"]) == ["1", "2"]
    assert {one["subscription"] for one in told} == {made.headers["Location"]}
    gateway.http.delete(made.headers["Location"])


def test_a_mailbox_is_one_however_its_name_is_written(gateway: Gateway, mesh: LocalMesh) -> None:
    made = create(gateway, by_mesh(ENDPOINT.replace(SUBSCRIBER_MAILBOX, SUBSCRIBER_MAILBOX.lower())))
    gateway.publish(message())
    collect(mesh, 1)
    (delivery,) = gateway.events()[0].deliveries
    assert delivery.delivery.endpoint == SUBSCRIBER_MAILBOX
    gateway.http.delete(made.headers["Location"])


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (by_mesh("https://example.org/"), "channel.endpoint"),
        (by_mesh(f"mesh://{SUBSCRIBER_MAILBOX}"), "channel.endpoint"),
        (by_mesh(header=["X-Key: v"]), "channel.header"),
        (by_mesh(extension=[extension("backport-heartbeat-period", valueUnsignedInt=60)]), "channel"),
        (by_mesh(type="rest-hook"), "channel.type"),
    ],
)
def test_what_mesh_cannot_do_is_refused_by_name(gateway: Gateway, body: dict[str, Any], where: str) -> None:
    answer = create(gateway, body)
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, [f"Subscription.{where}"])


def test_nobody_subscribes_anothers_mailbox(mesh: LocalMesh, tmp_path: Path) -> None:
    with closed(tmp_path, **Gateway.of_mesh(mesh)) as gateway:
        other = by_mesh("mesh://OTHERMAILBOX?workflow_id=W")
        assert create(gateway, other, token(gateway)).status_code == 403
        assert create(gateway, by_mesh(), token(gateway)).status_code == 201
