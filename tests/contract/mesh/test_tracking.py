"""Whether a subscriber has collected what was delivered to its mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from gateway import ids
from gateway.store.base import DeliveryTrace
from mesh.sandbox.run import LocalMesh
from tests.harness import Gateway, collect, eventually, message, run


@pytest.fixture
def gateway(mesh: LocalMesh, tmp_path: Path) -> Iterator[Gateway]:
    mesh.clear()
    mesh.clear_faults()
    with Gateway(tmp_path, mesh, GATEWAY_MESH__TRACK_SECONDS="0.5") as running:
        running.subscribe_mailbox()
        running.publish(message())
        running.wait_until_idle()
        yield running


def delivery(gateway: Gateway) -> DeliveryTrace:
    (trace,) = gateway.events()
    return trace.deliveries[0]


def shown(gateway: Gateway) -> str:
    (trace,) = gateway.events()
    return run("events", "show", ids.show(trace.event.row_id), **gateway.environment).stdout


def metric(gateway: Gateway, name: str) -> float:
    for line in gateway.http.get("/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    raise AssertionError(name)


def test_that_a_subscriber_has_collected_can_be_looked_up(gateway: Gateway, mesh: LocalMesh) -> None:
    eventually(lambda: metric(gateway, "gateway_mesh_uncollected_oldest_seconds") > 0)
    assert delivery(gateway).collected_ms is None
    assert "not known to be collected by the recipient" in shown(gateway)
    collect(mesh, 1)
    eventually(lambda: delivery(gateway).collected_ms)
    assert delivery(gateway).state == "delivered"
    assert "collected by the recipient, seen at 20" in shown(gateway)
    eventually(lambda: metric(gateway, "gateway_mesh_uncollected_oldest_seconds") == 0)


def test_a_question_that_mesh_does_not_answer_is_asked_again(gateway: Gateway, mesh: LocalMesh) -> None:
    mesh.fault("status", path_contains="/outbox/tracking", method="GET", status=503)
    mesh.fault("drop", path_contains="/outbox/tracking", method="GET")
    collect(mesh, 1)
    eventually(lambda: delivery(gateway).collected_ms)


def test_what_mesh_has_given_up_is_a_dead_letter(gateway: Gateway, mesh: LocalMesh) -> None:
    url = f"{mesh.url}/messageexchange/admin/message/{delivery(gateway).remote_id}/event"
    event = {"status": "undeliverable", "code": "14", "event": "SEND", "description": "Message not collected"}
    requests.post(url, json=event, timeout=10).raise_for_status()
    eventually(lambda: delivery(gateway).state == "dead")
    last = delivery(gateway).attempts[-1]
    assert (last.outcome, last.detail) == ("reported", "MESH says undeliverable")
