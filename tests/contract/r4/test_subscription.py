"""Webhook subscriptions, in the form of the Subscriptions R5 Backport IG 1.1.0."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.demo import TOPIC
from tests.contract.r4 import acts
from tests.contract.r4.acts import EXTENSIONS, FHIR, create, resource, token
from tests.harness import Gateway, Listener, eventually, message, nems_headers


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway without MESH."""
    with Gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def test_create_read_delete(gateway: Gateway, listener: Listener) -> None:
    made = create(gateway, resource(listener.url))
    assert made.status_code == 201
    place = made.headers["Location"]
    assert made.json()["status"] == "active"
    assert place == f"{gateway.url}/R4/Subscription/{made.json()['id']}"
    assert gateway.http.get(place).json() == made.json()
    assert gateway.http.delete(place).status_code == 204
    assert gateway.http.get(place).status_code == 404
    assert gateway.http.delete(place).status_code == 404


def test_a_webhook_gets_a_signal(gateway: Gateway, listener: Listener) -> None:
    place = create(gateway, resource(listener.url, channel={"header": ["X-Api-Key: secret word"]})).headers["Location"]
    gateway.publish(message())
    (request,) = listener.wait_for(1)
    assert request.headers["Content-Type"] == "application/fhir+json"
    assert request.headers["X-Api-Key"] == "secret word"
    signal = json.loads(request.body)
    assert signal["type"] == "history"
    parameters = signal["entry"][0]["resource"]
    assert parameters["id"] == request.headers["webhook-id"]
    assert parameters["parameter"][0]["valueReference"]["reference"].startswith(gateway.url)
    focus = parameters["parameter"][3]["part"][2]["valueReference"]["reference"]
    assert focus == "https://api.service.nhs.uk/personal-demographics/FHIR/R4/Patient/9990001006"
    gateway.http.delete(place)


def test_a_webhook_gets_a_cloudevent_when_it_asks_for_one(gateway: Gateway, listener: Listener) -> None:
    asked = resource(listener.url, channel={"payload": "application/cloudevents+json"})
    place = create(gateway, asked).headers["Location"]
    gateway.publish(message())
    (request,) = listener.wait_for(1)
    assert request.headers["Content-Type"] == "application/cloudevents+json"
    event = json.loads(request.body)
    assert event["specversion"] == "1.0"
    assert (event["type"], event["subject"]) == ("pds-change-of-gp-2", "9990001006")
    assert "filtering" not in event
    gateway.http.delete(place)


def test_the_claim_check_gives_the_original(gateway: Gateway, listener: Listener) -> None:
    topic = f"{TOPIC}vaccinations-1"
    place = create(gateway, resource(listener.url, criteria=topic)).headers["Location"]
    body = message("vaccinations-1")
    gateway.publish(body, "vaccinations-1")
    (request,) = listener.wait_for(1)
    focus = json.loads(request.body)["entry"][0]["resource"]["parameter"][3]["part"][2]["valueReference"]["reference"]
    answer = gateway.http.get(focus)
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["content-type"] == "application/fhir+xml"
    assert gateway.http.get(f"{gateway.url}/claim-check/0000000000000").status_code == 404
    assert gateway.http.get(f"{gateway.url}/claim-check/x").status_code == 404
    gateway.http.delete(place)


def test_headers_are_shown_when_they_are_set_and_not_again(gateway: Gateway) -> None:
    made = create(gateway, resource("http://127.0.0.1:9/h", channel={"header": ["X-Api-Key: secret"]}))
    assert made.json()["channel"]["header"] == ["X-Api-Key: secret"]
    assert "secret" not in gateway.http.get(made.headers["Location"]).text


def test_subscriptions_are_there_after_a_restart(gateway: Gateway, listener: Listener) -> None:
    create(gateway, resource(listener.url))
    gateway.stop()
    gateway.start()
    gateway.publish(message())
    listener.wait_for(1)


FILTER = {"extension": [{"url": f"{EXTENSIONS}backport-filter-criteria", "valueString": "Patient?x=y"}]}
CHANNEL_TYPE = {"extension": [{"url": f"{EXTENSIONS}backport-channel-type", "valueCoding": {"code": "zulip"}}]}


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        (resource(criteria="http://example.org/topic"), 422, "Subscription.criteria"),
        (resource(_criteria=FILTER), 422, "Subscription.criteria"),
        (resource(status="active"), 422, "Subscription.status"),
        (resource(channel={"type": "websocket"}), 422, "Subscription.channel.type"),
        (resource(channel={"_type": CHANNEL_TYPE}), 422, "Subscription.channel.type"),
        (resource(channel={"payload": "text/plain"}), 422, "Subscription.channel.payload"),
        (resource("ftp://example.org/"), 422, "Subscription.channel.endpoint"),
        (resource("http://user:word@127.0.0.1/"), 422, "Subscription.channel.endpoint"),
        (resource("http://127.0.0.1/#part"), 422, "Subscription.channel.endpoint"),
        (resource("http://[::1/"), 422, "Subscription.channel.endpoint"),
        (resource("http://127.0.0.1:99999/"), 422, "Subscription.channel.endpoint"),
        (resource(channel={"header": ["no colon"]}), 422, "Subscription.channel.header[0]"),
        (resource(channel={"header": ["A: b", "Content-Type: x"]}), 422, "Subscription.channel.header[1]"),
        (resource(channel={"header": ["A: b\r\nC: d"]}), 422, "Subscription.channel.header[0]"),
        (resource(colour="red"), 422, "Subscription.colour"),
        ({"resourceType": "Patient"}, 422, "resource"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    gateway: Gateway, body: dict[str, Any], status: int, where: str
) -> None:
    answer = create(gateway, body)
    assert answer.status_code == status, answer.text
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert outcome["issue"][0]["expression"] == [where]


@pytest.mark.parametrize(("content", "status"), [("", 400), ("x", 400), ("[]", 400), ("{", 400), ('{"a": 1}', 422)])
def test_what_is_no_resource_is_refused(gateway: Gateway, content: str, status: int) -> None:
    answer = gateway.http.post("/R4/Subscription", content=content, headers=FHIR)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_xml_is_refused(gateway: Gateway) -> None:
    answer = gateway.http.post("/R4/Subscription", content="<a/>", headers={"Content-Type": "application/fhir+xml"})
    assert answer.status_code == 415


def test_the_same_again_is_refused(gateway: Gateway) -> None:
    body = resource("http://127.0.0.1:9/twice")
    first = create(gateway, body).json()["id"]
    again = create(gateway, body)
    assert again.status_code == 422
    assert again.json()["issue"][0]["code"] == "duplicate"
    assert first in again.text


def test_another_place_is_not_found(gateway: Gateway) -> None:
    answer = gateway.http.get("/R4/Patient/1")
    assert answer.status_code == 404
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/R4/Subscription/x", {"GET", "HEAD", "PUT", "DELETE"}),
        ("PUT", "/R4/Subscription", {"GET", "HEAD", "POST"}),
        ("POST", "/R4/Basic", {"GET", "HEAD"}),
        ("GET", "/R4/$process-message", {"POST"}),
    ],
)
def test_another_verb_is_told_which_there_are(gateway: Gateway, method: str, path: str, allowed: set[str]) -> None:
    answer = gateway.http.request(method, path)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (405, "not-supported")
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/R4/Subscription/$get-ws-binding-token", "/R4/Subscription/$events"])
def test_an_operation_that_there_is_not_is_told_so(gateway: Gateway, path: str) -> None:
    answer = gateway.http.get(path)
    assert (answer.status_code, "operation" in answer.text) == (404, True)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with acts.closed(tmp_path_factory.mktemp("closed")) as running:
        yield running


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "http://example.org/",
    ],
)
def test_closed_webhooks_go_to_public_addresses_by_tls(closed: Gateway, endpoint: str) -> None:
    answer = create(closed, resource(endpoint), token(closed))
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Subscription.channel.endpoint"]


def test_closed_a_name_that_leads_to_a_private_address_is_not_reached(closed: Gateway) -> None:
    made = create(closed, resource("https://localhost:1/"), token(closed))
    assert made.status_code == 201
    closed.publish(message(), **nems_headers(fromASID="200000000001"))
    eventually(lambda: [one.state for trace in closed.events() for one in trace.deliveries] == ["dead"])
    assert closed.events()[0].deliveries[0].attempts[0].detail == "the host has no public address"


def test_closed_kinds_and_owners_are_held(closed: Gateway) -> None:
    body = resource("https://hooks.example.org/")
    one, two = token(closed, "one"), token(closed, "two")
    assert create(closed, body, two).status_code == 403
    place = create(closed, body, one).headers["Location"]
    assert closed.http.get(place, headers=two).status_code == 404
    assert closed.http.get(place, headers=one).status_code == 200
    assert closed.http.delete(place, headers=two).status_code == 404
    assert closed.http.delete(place, headers=one).status_code == 204


def test_closed_nobody_without_a_token_is_known(closed: Gateway) -> None:
    for path in (
        "Subscription",
        "Subscription/x",
        "Subscription/$status",
        "Subscription/x/$events",
        "Basic",
        "Binary/x",
    ):
        answer = closed.http.get(f"/R4/{path}")
        assert (answer.status_code, answer.json()["resourceType"]) == (401, "OperationOutcome"), path
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert closed.http.get("/R4/metadata").status_code == 200
