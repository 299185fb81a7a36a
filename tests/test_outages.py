"""When the other side is away, the publisher does not notice, and everything arrives once it is back."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.sandbox.run import LocalMesh
from tests.harness import Gateway, Listener, collect, eventually, message

COUNT = 20


def attempts(gateway: Gateway) -> list[list[str]]:
    """The outcomes of the attempts at each delivery."""
    return [[attempt.outcome for attempt in one.attempts] for trace in gateway.events() for one in trace.deliveries]


@pytest.mark.fault("MESH is away", "publishers do not notice; all delivered when it is back, none twice")
def test_mesh_is_away_for_a_while(tmp_path: Path, mesh: LocalMesh) -> None:
    with Gateway(tmp_path, mesh) as gateway:
        gateway.subscribe_mailbox()
        mesh.stop()
        bodies = [message() for _ in range(COUNT)]
        assert {gateway.publish(body).status_code for body in bodies} == {202}
        eventually(lambda: all(attempts(gateway)), say=lambda: "not every delivery was attempted")
        degraded = {"status": "degraded", "checks": {"store": "ok", "migrations": "ok", "mesh": "not_sent"}}
        eventually(lambda: gateway.http.get("/readyz").json() == degraded)
        mesh.start()
        assert sorted(one.body for one in collect(mesh, COUNT)) == sorted(bodies)
        eventually(lambda: all(tried[-1] == "delivered" for tried in attempts(gateway)))
        assert all(tried[0] == "failed" for tried in attempts(gateway))


@pytest.mark.fault("MESH takes a message and its answer is lost", "MESH is asked; delivered, none twice")
def test_an_answer_of_mesh_is_lost_and_the_message_is_not_sent_twice(tmp_path: Path, mesh: LocalMesh) -> None:
    with Gateway(tmp_path, mesh) as gateway:
        gateway.subscribe_mailbox()
        mesh.fault("drop", path_contains="/outbox", method="POST", times=3, accept=True)
        bodies = [message() for _ in range(COUNT)]
        for body in bodies:
            assert gateway.publish(body).status_code == 202
        eventually(lambda: len([tried for tried in attempts(gateway) if tried[-1:] == ["delivered"]]) == COUNT)
        assert sorted(one.body for one in collect(mesh, COUNT)) == sorted(bodies)
        assert sum(tried[0] == "uncertain" for tried in attempts(gateway)) == 3
    mesh.clear_faults()


@pytest.mark.fault("A mailbox does not exist", "a dead letter at once")
def test_a_mailbox_that_does_not_exist_is_a_dead_letter_at_once(tmp_path: Path, mesh: LocalMesh) -> None:
    with Gateway(tmp_path, mesh) as gateway:
        mesh.fault("status", path_contains="/outbox", method="POST", times=1, status=417)
        gateway.subscribe_mailbox()
        gateway.publish(message())
        eventually(lambda: [one.state for trace in gateway.events() for one in trace.deliveries] == ["dead"])
        assert attempts(gateway) == [["refused"]]
    mesh.clear_faults()


@pytest.mark.fault("Nobody listens at a webhook", "all delivered when somebody does, none twice")
def test_the_webhook_is_away_for_a_while(tmp_path: Path, listener: Listener) -> None:
    with Gateway(tmp_path) as gateway:
        gateway.subscribe_webhook(listener.url)
        listener.close()
        assert {gateway.publish(message()).status_code for _ in range(COUNT)} == {202}
        eventually(lambda: any(attempts(gateway)))
        listener.open()
        assert len({request.headers["webhook-id"] for request in listener.wait_for(COUNT)}) == COUNT


def test_the_webhook_fails_and_is_tried_again_on_schedule(tmp_path: Path, listener: Listener) -> None:
    with Gateway(tmp_path) as gateway:
        gateway.subscribe_webhook(listener.url)
        listener.answers.status = 503
        gateway.publish(message())
        listener.wait_for(2)
        listener.answers.status = 200
        eventually(lambda: attempts(gateway)[0][-1:] == ["delivered"])
        ids = {request.headers["webhook-id"] for request in listener.received}
        assert len(ids) == 1, "a repeat must be told by its id"
        (trace,) = gateway.events()
        statuses = [attempt.status for attempt in trace.deliveries[0].attempts]
        assert statuses == [503] * (len(statuses) - 1) + [200]


def test_when_the_schedule_ends_the_delivery_is_dead(tmp_path: Path, listener: Listener) -> None:
    listener.answers.status = 500
    with Gateway(tmp_path, GATEWAY_DELIVERY__RETRY_SECONDS="[0.1, 0.1]") as gateway:
        gateway.subscribe_webhook(listener.url)
        gateway.publish(message())
        eventually(lambda: [one.state for trace in gateway.events() for one in trace.deliveries] == ["dead"])
        assert attempts(gateway) == [["failed"] * 3]


def test_a_webhook_that_is_gone_is_not_tried_again(tmp_path: Path, listener: Listener) -> None:
    listener.answers.status = 410
    with Gateway(tmp_path) as gateway:
        gateway.subscribe_webhook(listener.url)
        gateway.publish(message())
        eventually(lambda: [one.state for trace in gateway.events() for one in trace.deliveries] == ["dead"])
        assert attempts(gateway) == [["refused"]]


def test_a_redirect_is_not_followed(tmp_path: Path, listener: Listener) -> None:
    with Listener() as elsewhere, Gateway(tmp_path) as gateway:
        listener.answers.status = 307
        listener.answers.headers["Location"] = elsewhere.url
        gateway.subscribe_webhook(listener.url)
        gateway.publish(message())
        listener.wait_for(2)
        assert elsewhere.received == []


@pytest.mark.fault("More waits for a slow webhook than fits in memory", "the others get theirs at once")
def test_a_backlog_for_one_endpoint_leaves_room_for_the_others(tmp_path: Path, listener: Listener) -> None:
    """More waits for the slow endpoint than fits in memory, and what is due longest is all for it."""
    listener.answers.delay_seconds = 4
    limits = {"GATEWAY_DELIVERY__PER_ENDPOINT": "2", "GATEWAY_DELIVERY__IN_MEMORY": "20"}
    with Listener() as quick, Gateway(tmp_path, **limits) as gateway:
        slow = gateway.subscribe_webhook(listener.url)
        for _ in range(60):
            gateway.publish(message())
        gateway.http.delete(f"/R4/Subscription/{slow}")
        gateway.subscribe_webhook(quick.url)
        for _ in range(5):
            gateway.publish(message())
        quick.wait_for(5, 3)


def test_a_slow_webhook_delays_no_other(tmp_path: Path, listener: Listener) -> None:
    listener.answers.delay_seconds = 3
    with Listener() as quick, Gateway(tmp_path, GATEWAY_DELIVERY__PER_ENDPOINT="2") as gateway:
        gateway.subscribe_webhook(listener.url)
        gateway.subscribe_webhook(quick.url)
        for _ in range(COUNT):
            gateway.publish(message())
        quick.wait_for(COUNT, 2)
        assert len(listener.received) <= 4
