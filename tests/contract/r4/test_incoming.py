"""Notifications of another FHIR server, here a second gateway, are taken in, once each, and none is missed."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mesh.mailbox import Mailbox
from mesh.message import OutgoingMessage
from mesh.sandbox.run import LocalMesh
from tests.contract.r4.acts import EXTENSIONS, FHIR, subscribe, token, topical
from tests.contract.r4.acts import closed as closed_gateway
from tests.harness import GATEWAY_MAILBOX, SUBSCRIBER_MAILBOX, Gateway, Listener, collect, eventually, message, run

PLACE = "/R4/$process-notification"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The other server."""
    with Gateway(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with Gateway(tmp_path, GATEWAY_R4__GAP_SECONDS="0.5") as running:
        yield running


def known(gateway: Gateway) -> list[Any]:
    return gateway.ask(lambda store: store.upstreams(100))


def numbers(gateway: Gateway) -> int:
    """How many events came in."""
    return len(gateway.events())


def order(gateway: Gateway, *arguments: str) -> str:
    """What `gateway r4` answers."""
    done = run("r4", *arguments, **gateway.environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def heard_by(listener: Listener, count: int) -> list[bytes]:
    """The event notifications that a listener got, in the order of their numbers."""
    events = [one.body for one in listener.wait_for(count + 1) if b"event-notification" in one.body]
    return sorted(events, key=lambda body: int(json.loads(body)["entry"][0]["resource"]["parameter"][4]["valueString"]))


def post(gateway: Gateway, body: bytes, **headers: str) -> httpx.Response:
    return gateway.http.post(PLACE, content=body, headers={**FHIR, **headers})


@pytest.mark.parametrize("content", ["id-only", "full-resource"])
def test_what_another_server_tells_comes_in_and_goes_on(
    server: Gateway, gateway: Gateway, listener: Listener, content: str
) -> None:
    reference = order(
        gateway, "subscribe", f"{server.url}/R4", "http://fhir.nhs.uk/R5/SubscriptionTopic/pds-change-of-gp-1",
        "--content", content, "--heartbeat", "10", "--filter", "subject=9990001006",
    )  # fmt: skip
    eventually(lambda: server.http.get(reference).json()["status"] == "active")
    (upstream,) = known(gateway)
    assert (upstream.reference, upstream.kind, upstream.events) == (reference, "handshake", 0)
    subscribe(gateway, topical(listener.url))
    for _ in range(3):
        server.publish(message())
    eventually(lambda: numbers(gateway) == 3)
    first = gateway.events()[0].event
    assert (first.type, first.face, first.source) == ("pds-change-of-gp-1", "r4", f"{server.url}/R4")
    assert [json.loads(body)["resourceType"] for body in heard_by(listener, 3)] == ["Bundle"] * 3
    assert reference in order(gateway, "list")
    server.http.delete(reference)


def test_nothing_is_asked_for_that_could_not_be_kept(listener: Listener, tmp_path: Path) -> None:
    server = listener.url.removesuffix("/signals")
    topic = "http://fhir.nhs.uk/R5/SubscriptionTopic/pds-change-of-gp-1"
    done = run("r4", "subscribe", server, topic, GATEWAY_STORE__URL=f"sqlite:///{tmp_path / 'none.db'}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "there is no such database" in done.stderr
    assert listener.received == []


def test_a_topic_that_is_left_out_is_that_of_the_subscription(server: Gateway, gateway: Gateway) -> None:
    """The guide lets notifications leave it out (Backported R5 SubscriptionStatus, topic 0..1)."""
    topic = "http://fhir.nhs.uk/R5/SubscriptionTopic/pds-change-of-gp-1"
    reference = order(gateway, "subscribe", f"{server.url}/R4", topic)
    eventually(lambda: [(one.reference, one.topic) for one in known(gateway)] == [(reference, topic)])
    told = changed(
        type="event-notification",
        topic=None,
        subscription={"reference": reference},
        events_since_subscription_start="1",
        more=[event()],
    )
    for _ in range(2):
        assert post(gateway, told).status_code == 200
    (trace,) = gateway.events()
    assert (trace.event.type, trace.event.dataref) == ("pds-change-of-gp-1", "http://127.0.0.1:9/Patient/1")
    elsewhere = changed(type="event-notification", topic=None, more=[event()])
    assert post(gateway, elsewhere).status_code == 422
    server.http.delete(reference)


def test_a_server_that_never_tells_the_topic_is_understood(gateway: Gateway, listener: Listener) -> None:
    listener.answers.status, listener.answers.body = 201, b'{"resourceType": "Subscription", "id": "7"}'
    server = listener.url.removesuffix("/signals")
    topic = "http://fhir.nhs.uk/R5/SubscriptionTopic/pds-change-of-gp-1"
    reference = order(gateway, "subscribe", server, topic)
    assert reference == f"{server}/Subscription/7"
    of_it = {"subscription": {"reference": reference}, "topic": None}
    first = changed(type="event-notification", events_since_subscription_start="1", more=[event()], **of_it)
    for body in (changed(type="handshake", status="requested", **of_it), first):
        assert post(gateway, body).status_code == 200
    assert [trace.event.type for trace in gateway.events()] == ["pds-change-of-gp-1"]
    (upstream,) = known(gateway)
    assert (upstream.topic, upstream.events, upstream.missing) == (topic, 1, ())


def test_what_comes_twice_is_taken_once(server: Gateway, gateway: Gateway, listener: Listener) -> None:
    place = subscribe(server, topical(listener.url))
    server.publish(message())
    (body,) = heard_by(listener, 1)
    for _ in range(3):
        assert post(gateway, body).status_code == 200
    assert numbers(gateway) == 1
    again = server.http.get(f"{place}/$events").content
    assert post(gateway, again).status_code == 200
    assert numbers(gateway) == 1
    server.http.delete(place)


def test_gaps_are_filled_from_the_server(server: Gateway, gateway: Gateway, listener: Listener) -> None:
    place = subscribe(server, topical(listener.url))
    for _ in range(6):
        server.publish(message())
    bodies = heard_by(listener, 6)
    handshake = listener.received[0].body
    for body in (handshake, bodies[0], bodies[5], bodies[2]):
        assert post(gateway, body).status_code == 200
    eventually(lambda: numbers(gateway) == 6)
    eventually(lambda: known(gateway)[0].missing == ())
    assert known(gateway)[0].events == 6
    server.http.delete(place)


def test_what_the_server_no_longer_has_is_not_asked_for_for_ever(
    server: Gateway, gateway: Gateway, listener: Listener
) -> None:
    place = subscribe(server, topical(listener.url))
    server.publish(message())
    (body,) = heard_by(listener, 1)
    handshake = listener.received[0].body
    ahead = body.replace(
        b'"events-since-subscription-start","valueString":"1"', b'"events-since-subscription-start","valueString":"3"'
    )
    assert ahead != body
    for one in (handshake, ahead):
        assert post(gateway, one).status_code == 200
    eventually(lambda: known(gateway)[0].missing == ())
    assert '"lost":2' in gateway.log.read_text()
    server.http.delete(place)


def test_a_gap_waits_for_a_server_that_is_away(tmp_path: Path, gateway: Gateway, listener: Listener) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    with Gateway(folder) as other:
        subscribe(other, topical(listener.url))
        for _ in range(2):
            other.publish(message())
        bodies = heard_by(listener, 2)
        other.stop()
        for body in (listener.received[0].body, bodies[1]):
            post(gateway, body)
        eventually(lambda: '"action":"gap"' in gateway.log.read_text())
        assert known(gateway)[0].missing == (1,)
        other.start()
        eventually(lambda: numbers(gateway) == 2)


BASE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "history",
    "entry": [
        {
            "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001",
            "resource": {
                "resourceType": "Parameters",
                "id": "1",
                "meta": {"profile": [f"{EXTENSIONS}backport-subscription-status-r4"]},
                "parameter": [
                    {"name": "subscription", "valueReference": {"reference": "http://127.0.0.1:9/Subscription/1"}},
                    {"name": "topic", "valueCanonical": "http://fhir.nhs.uk/R5/SubscriptionTopic/pds-change-of-gp-1"},
                    {"name": "status", "valueCode": "active"},
                    {"name": "type", "valueCode": "heartbeat"},
                    {"name": "events-since-subscription-start", "valueString": "0"},
                ],
            },
            "request": {"method": "GET", "url": "http://127.0.0.1:9/Subscription/1/$status"},
            "response": {"status": "200"},
        }
    ],
}


def changed(**values: Any) -> bytes:
    """The heartbeat above with values of its status changed; without those that are None."""
    bundle = json.loads(json.dumps(BASE))
    resource = bundle["entry"][0]["resource"]
    kept = [one for one in resource["parameter"] if values.get(one["name"].replace("-", "_"), ...) is not None]
    for one in kept:
        value = next(name for name in one if name.startswith("value"))
        one[value] = values.get(one["name"].replace("-", "_"), one[value])
    resource["parameter"] = kept + values.get("more", [])
    return json.dumps(bundle).encode()


def event(number: str = "1", patient: str = "") -> dict[str, Any]:
    return {"name": "notification-event", "part": [
        {"name": "event-number", "valueString": number},
        {"name": "timestamp", "valueInstant": "2026-11-02T09:15:00Z"},
        {"name": "focus", "valueReference": {"reference": f"http://127.0.0.1:9/Patient/{patient or number}"}},
    ]}  # fmt: skip


def test_heartbeats_are_recorded(gateway: Gateway) -> None:
    assert post(gateway, changed(status="error")).status_code == 200
    (upstream,) = known(gateway)
    assert (upstream.kind, upstream.state, upstream.application) == ("heartbeat", "error", "local")
    assert numbers(gateway) == 0


def test_several_events_of_one_notification_come_in_one_by_one(gateway: Gateway) -> None:
    told = changed(type="event-notification", events_since_subscription_start="3", more=[event("2"), event("3")])
    assert post(gateway, told).status_code == 200
    events = [trace.event for trace in gateway.events()]
    assert sorted(str(one.dataref) for one in events) == [f"http://127.0.0.1:9/Patient/{number}" for number in (2, 3)]
    assert len({one.id for one in events}) == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"resourceType": "Patient"}', 422),
        (json.dumps(BASE | {"type": "message"}).encode(), 422),
        (json.dumps(BASE | {"entry": []}).encode(), 422),
        (changed(subscription=None), 422),
        (changed(type=None), 422),
        (changed(status=None), 422),
        (changed(type="event-notificaton", more=[event()]), 422),
        (changed(status="well"), 422),
        (changed(events_since_subscription_start="many"), 422),
        (changed(subscription={"reference": "Subscription/1"}), 403),
        (changed(subscription={"reference": "file:///Subscription/1"}), 403),
        (changed(type="event-notification", topic=None, more=[event()]), 422),
        (changed(type="event-notification", topic="http://example.org/t", more=[event()]), 422),
        (
            changed(
                type="event-notification", more=[{"name": "notification-event", "part": [{"name": "event-number"}]}]
            ),
            422,
        ),
    ],
)
def test_what_is_no_notification_is_refused_and_not_kept(gateway: Gateway, body: bytes, status: int) -> None:
    answer = post(gateway, body)
    assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome"), answer.text
    assert (numbers(gateway), known(gateway)) == (0, [])
    assert '"level":"error"' not in gateway.log.read_text()


def test_closed_a_server_is_known_by_its_key_and_speaks_of_its_own_subscriptions(tmp_path: Path) -> None:
    key = secrets.token_urlsafe(32)
    (tmp_path / "key").write_text(key)
    with closed_gateway(tmp_path, more=f"""
  - {{id: hospital, name: Hospital, publish: [pds-change-of-gp-1],
     upstream: {{server: "http://127.0.0.1:9", key_file: {tmp_path}/key}}}}
""") as gateway:  # fmt: skip
        own = {"Authorization": f"Bearer {key}"}
        told = changed(type="event-notification", events_since_subscription_start="1", more=[event()])
        assert post(gateway, told).status_code == 401
        assert post(gateway, told, Authorization="Bearer wrong").status_code == 401
        assert post(gateway, told, **token(gateway)).status_code == 401
        elsewhere = changed(subscription={"reference": "http://127.0.0.2:9/Subscription/1"})
        assert post(gateway, elsewhere, **own).status_code == 403
        other = told.replace(b"pds-change-of-gp-1", b"vaccinations-1")
        assert post(gateway, other, **own).status_code == 403
        assert (numbers(gateway), known(gateway)) == (0, [])
        assert post(gateway, told, **own).status_code == 200
        relative = changed(subscription={"reference": "Subscription/1"})
        assert post(gateway, relative, **own).status_code == 200
        (upstream,) = known(gateway)
        assert (upstream.reference, upstream.application) == ("http://127.0.0.1:9/Subscription/1", "hospital")
        assert key not in gateway.log.read_text()


def test_the_same_in_the_own_mailbox(mesh: LocalMesh, tmp_path: Path) -> None:
    mesh.clear()
    with Gateway(tmp_path, mesh) as gateway:
        gateway.subscribe_mailbox("pds-record-change-1")
        topic = "http://fhir.nhs.uk/R5/SubscriptionTopic/pds-record-change-1"
        told = changed(
            type="event-notification",
            topic=topic,
            events_since_subscription_start="1",
            more=[event(patient="9990001006")],
        )
        with Mailbox(mesh.settings_for(SUBSCRIBER_MAILBOX)) as mailbox:
            for body in (changed(type="handshake", status="requested"), told, told, b'{"resourceType": "Bundle"}'):
                outgoing = OutgoingMessage(
                    GATEWAY_MAILBOX, "ANY", str(uuid.uuid4()), body, content_type=FHIR["Content-Type"]
                )
                mailbox.send(outgoing)
        eventually(lambda: numbers(gateway) == 1)
        with Mailbox(mesh.settings_for(GATEWAY_MAILBOX)) as own:
            eventually(lambda: own.list_messages() == [])
        assert gateway.events()[0].event.face == "mesh"
        assert known(gateway)[0].missing == ()
        assert len(collect(mesh, 1)) == 1, "a NEMS subscriber is told of it"


def test_closed_a_server_without_a_place_of_its_own_is_known_by_its_mailbox(mesh: LocalMesh, tmp_path: Path) -> None:
    mesh.clear()
    with closed_gateway(tmp_path, **Gateway.of_mesh(mesh)) as gateway:
        told = changed(type="event-notification", events_since_subscription_start="2", more=[event("2")])
        outgoing = OutgoingMessage(GATEWAY_MAILBOX, "ANY", str(uuid.uuid4()), told, content_type=FHIR["Content-Type"])
        with Mailbox(mesh.settings_for(SUBSCRIBER_MAILBOX)) as mailbox:
            mailbox.send(outgoing)
        eventually(lambda: numbers(gateway) == 1)
        eventually(lambda: [one.application for one in known(gateway)] == ["one"])
        assert known(gateway)[0].reference.startswith("mesh:one:")
