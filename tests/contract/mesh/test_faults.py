"""MESH answering every fault that is known of it: each event is delivered, or is a dead letter that can be seen.

A message arrives twice only where its outcome could not be known; here MESH can always be asked in the end, so never.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.clock import now_ms
from gateway.settings import StoreSettings
from gateway.store.base import DeliveryTrace
from gateway.store.chosen import tell
from mesh.sandbox.run import LocalMailbox, LocalMesh
from tests.contract.mesh.acts import send, waiting
from tests.harness import (
    GATEWAY_MAILBOX,
    SUBSCRIBER_MAILBOX,
    Gateway,
    collect,
    eventually,
    message,
    nems_headers,
    nems_subscription,
    subscriptions_api,
)
from tests.ports import free_port

READ_SECONDS = 1
SEND = {"method": "POST", "path_contains": "/outbox"}
LOOK_UP = {"method": "GET", "path_contains": "/outbox/tracking"}


@pytest.fixture(scope="module")
def mesh() -> Iterator[LocalMesh]:
    """A MESH where one mailbox does not take changes of GP."""
    strict = LocalMailbox("STRICT001", workflow_ids=("VACCINATIONS_1",))
    with LocalMesh(
        [LocalMailbox(GATEWAY_MAILBOX), LocalMailbox(SUBSCRIBER_MAILBOX), strict], port=free_port()
    ) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(mesh: LocalMesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    environment = {"GATEWAY_MESH__READ_SECONDS": str(READ_SECONDS), "GATEWAY_MESH__TRACK_SECONDS": "0"}
    with Gateway(tmp_path_factory.mktemp("gateway"), mesh, **environment) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(gateway: Gateway, mesh: LocalMesh) -> Iterator[None]:
    mesh.clear()
    yield
    mesh.clear_faults()
    gateway.wait_until_idle()


@pytest.fixture(scope="module")
def subscribed(gateway: Gateway) -> str:
    return gateway.subscribe_mailbox()


def published(gateway: Gateway) -> DeliveryTrace:
    """The delivery of an event that is published now, once it has ended."""
    assert gateway.publish(message()).status_code == 202
    gateway.wait_until_idle(40)
    return gateway.events()[0].deliveries[0]


@pytest.mark.fault("MESH refuses the mailbox (403) for a while", "sends are held back; all delivered once it is mended")
@pytest.mark.fault("MESH asks for patience (425, 429)", "sends are held back for as long as it asks; delivered once")
@pytest.mark.fault(
    "MESH answers a send with 500, 502, 503 or 504, having taken it or not",
    "asked before it is sent again; delivered once",
)
@pytest.mark.fault(
    "MESH's answer to a send is lost, late, cut short or without an id", "asked before it is sent again; delivered once"
)
@pytest.mark.fault("MESH cannot be asked what became of a send", "asked until it answers; delivered once")
@pytest.mark.parametrize(
    "orders",
    [
        pytest.param([{"kind": "status", "status": 403, "times": 2, **SEND}], id="403: password, key, clock"),
        pytest.param([{"kind": "status", "status": 425, "headers": {"Retry-After": "1"}, **SEND}], id="425"),
        pytest.param([{"kind": "status", "status": 429, "headers": {"Retry-After": "1"}, **SEND}], id="429"),
        *(
            pytest.param([{"kind": "status", "status": status, "accept": taken, **SEND}], id=f"{status}, {said}")
            for status in (500, 502, 503, 504)
            for taken, said in ((False, "not taken"), (True, "taken"))
        ),
        pytest.param([{"kind": "drop", **SEND}], id="connection lost before it was taken"),
        pytest.param([{"kind": "drop", "accept": True, **SEND}], id="connection lost after it was taken"),
        pytest.param([{"kind": "delay", "seconds": 1.5, **SEND}], id="taken after we stopped waiting"),
        pytest.param(
            [{"kind": "delay", "seconds": 1.5, "accept": True, **SEND}], id="answered after we stopped waiting"
        ),
        pytest.param([{"kind": "truncate", **SEND}], id="answer cut short"),
        pytest.param([{"kind": "status", "status": 200, **SEND}], id="200 without an id"),
        pytest.param(
            [{"kind": "drop", "accept": True, **SEND}, {"kind": "status", "status": 503, "times": 2, **LOOK_UP}],
            id="lost, and the look-up fails twice",
        ),
        pytest.param(
            [{"kind": "drop", "accept": True, **SEND}, {"kind": "delay", "seconds": 1.5, **LOOK_UP}],
            id="lost, and the look-up hangs",
        ),
        pytest.param(
            [{"kind": "drop", **SEND}, {"kind": "status", "status": 403, **LOOK_UP}], id="lost, and then refused"
        ),
    ],
)
def test_a_fault_of_a_send_is_got_over_and_the_message_arrives_once(
    gateway: Gateway, mesh: LocalMesh, subscribed: str, orders: list[dict[str, Any]]
) -> None:
    for order in orders:
        mesh.fault(**order)
    ended = published(gateway)
    assert ended.state == "delivered"
    assert len(ended.attempts) > 1
    assert waiting(mesh, SUBSCRIBER_MAILBOX) == [ended.remote_id]


@pytest.mark.fault("MESH goes away", "all delivered when it is back")
def test_a_mesh_that_goes_away_loses_nothing(gateway: Gateway, mesh: LocalMesh, subscribed: str) -> None:
    mesh.stop()
    assert gateway.publish(message()).status_code == 202
    eventually(lambda: len(gateway.events()[0].deliveries[0].attempts) >= 2)
    mesh.start()
    gateway.wait_until_idle(40)
    ended = gateway.events()[0].deliveries[0]
    assert (ended.state, waiting(mesh, SUBSCRIBER_MAILBOX)) == ("delivered", [ended.remote_id])


def test_a_message_that_was_sent_twice_by_somebody_counts_as_delivered(
    gateway: Gateway, mesh: LocalMesh, subscribed: str
) -> None:
    mesh.fault("drop", accept=True, **SEND)
    mesh.fault("status", status=300, **LOOK_UP)
    ended = published(gateway)
    assert (ended.state, ended.attempts[-1].status) == ("delivered", 300)
    assert len(waiting(mesh, SUBSCRIBER_MAILBOX)) == 1


@pytest.mark.fault(
    "MESH does not know a mailbox, or the mailbox does not take the workflow (417)",
    "a dead letter at once, with MESH's code",
)
@pytest.mark.parametrize(
    ("mailbox", "says"),
    [
        ("NOBODY001", "rejected code 12 Unregistered to address"),
        ("STRICT001", "rejected code 17 Workflow ID not registered for mailbox"),
    ],
)
def test_what_mesh_refuses_for_good_is_a_dead_letter_that_says_why(
    gateway: Gateway, mesh: LocalMesh, mailbox: str, says: str
) -> None:
    body = nems_subscription("pds-record-change-1").decode().replace(SUBSCRIBER_MAILBOX, mailbox)
    headers = nems_headers(**subscriptions_api("Post"))
    made = gateway.http.post("/STU3/Subscription", content=body.encode(), headers=headers)
    assert made.status_code == 201
    assert gateway.publish(message("pds-record-change-1"), "pds-record-change-1").status_code == 202
    gateway.wait_until_idle()
    (ended,) = gateway.events()[0].deliveries
    assert (ended.state, len(ended.attempts), ended.attempts[0].status) == ("dead", 1, 417)
    assert ended.attempts[0].detail == says
    gateway.http.delete(made.headers["Location"], headers=nems_headers(**subscriptions_api("Delete")))


RETRIEVE = {"method": "GET", "path_contains": "/inbox/"}
LIST = {"method": "GET", "path_contains": f"{GATEWAY_MAILBOX}/inbox"}
ACKNOWLEDGE = {"method": "PUT", "path_contains": "/acknowledged"}


@pytest.mark.fault(
    "MESH fails, hangs or breaks off while the own mailbox is listed or read",
    "collected at a later look; one event a message",
)
@pytest.mark.fault("MESH's answer to an acknowledgement is lost", "the message comes again and is no second event")
@pytest.mark.parametrize(
    "order",
    [
        pytest.param({"kind": "status", "status": 403, **LIST}, id="list: 403"),
        pytest.param({"kind": "status", "status": 429, **LIST}, id="list: 429"),
        pytest.param({"kind": "status", "status": 503, **LIST}, id="list: 503"),
        pytest.param({"kind": "delay", "seconds": 1.5, **LIST}, id="list: hangs"),
        pytest.param({"kind": "truncate", **RETRIEVE}, id="download: breaks off"),
        pytest.param({"kind": "drop", **RETRIEVE}, id="download: connection lost"),
        pytest.param({"kind": "status", "status": 404, **RETRIEVE}, id="download: 404"),
        pytest.param({"kind": "status", "status": 410, **RETRIEVE}, id="download: 410"),
        pytest.param({"kind": "status", "status": 503, "times": 2, **RETRIEVE}, id="download: 503 twice"),
        pytest.param({"kind": "delay", "seconds": 1.5, **RETRIEVE}, id="download: hangs"),
        pytest.param({"kind": "drop", **ACKNOWLEDGE}, id="acknowledgement: lost before"),
        pytest.param({"kind": "drop", "accept": True, **ACKNOWLEDGE}, id="acknowledgement: lost after"),
        pytest.param({"kind": "status", "status": 404, **ACKNOWLEDGE}, id="acknowledgement: 404"),
        pytest.param({"kind": "status", "status": 403, **ACKNOWLEDGE}, id="acknowledgement: 403"),
        pytest.param({"kind": "delay", "seconds": 1.5, **ACKNOWLEDGE}, id="acknowledgement: hangs"),
    ],
)
def test_a_fault_while_collecting_is_got_over_and_each_message_is_one_event(
    gateway: Gateway, mesh: LocalMesh, order: dict[str, Any]
) -> None:
    before = len(gateway.events())
    mesh.fault(**order)
    bodies = {message(), message()}
    for body in bodies:
        send(mesh, body)
    eventually(lambda: len(gateway.events()) >= before + 2, 30)
    eventually(lambda: waiting(mesh) == [], 30)
    assert {trace.event.original.body for trace in gateway.events()[: len(gateway.events()) - before]} == bodies
    assert len(gateway.events()) == before + 2


def test_a_mailbox_that_mesh_refuses_is_left_alone_for_a_while(
    gateway: Gateway, mesh: LocalMesh, subscribed: str
) -> None:
    """A second message is not sent to MESH only to be refused too."""
    mesh.fault("status", status=429, headers={"Retry-After": "2"}, **SEND)
    assert gateway.publish(message()).status_code == 202
    eventually(lambda: gateway.events()[0].deliveries[0].attempts)
    assert gateway.publish(message()).status_code == 202
    gateway.wait_until_idle(40)
    second, first = (trace.deliveries[0] for trace in gateway.events()[:2])
    assert first.attempts[0].status == 429
    assert (second.attempts[0].status, second.attempts[0].detail.split(":")[0]) == (None, "held back")
    assert {first.state, second.state} == {"delivered"}
    assert len(waiting(mesh, SUBSCRIBER_MAILBOX)) == 2


@pytest.mark.fault("MESH's answer to a replay is lost", "the message before is not taken for it; delivered once more")
def test_a_replay_whose_answer_is_lost_is_not_taken_for_the_message_before(
    gateway: Gateway, mesh: LocalMesh, subscribed: str
) -> None:
    first = published(gateway)
    mesh.fault("drop", **SEND)
    settings = StoreSettings(url=gateway.environment["GATEWAY_STORE__URL"], max_waiting=1)
    assert tell(settings, lambda store: store.replay([first.delivery.id], now_ms())) == [first.delivery.id]
    gateway.wait_until_idle(40)
    again = gateway.events()[0].deliveries[0]
    assert (again.state, again.delivery.replays) == ("delivered", 1)
    assert set(waiting(mesh, SUBSCRIBER_MAILBOX)) == {first.remote_id, again.remote_id}
    assert first.remote_id != again.remote_id


def test_a_report_about_a_replay_finds_its_delivery(gateway: Gateway, mesh: LocalMesh, subscribed: str) -> None:
    published(gateway)
    (sent,) = collect(mesh, 1)
    mesh.report(
        GATEWAY_MAILBOX, linked_message_id="unknown", local_id=f"{sent.local_id}.1", workflow_id=sent.workflow_id
    )
    eventually(lambda: gateway.events()[0].deliveries[0].state == "dead")
