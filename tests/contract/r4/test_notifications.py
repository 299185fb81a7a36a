"""A real listener is sent notifications, and each is what the guide says it must be."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.contract.r4.acts import create, extension, subscribe, topical
from tests.contract.r4.assertions import LEVELS, is_notification
from tests.harness import Gateway, Listener, Request, eventually, message

FOCUS = "https://api.service.nhs.uk/personal-demographics/FHIR/R4/Patient/9990001006"


def is_active(gateway: Gateway, place: str) -> bool:
    return bool(gateway.http.get(place).json()["status"] == "active")


def numbers(requests: list[Request]) -> list[str]:
    """The event numbers told, in the order they came."""
    statuses = [json.loads(one.body)["entry"][0]["resource"]["parameter"] for one in requests]
    told = [one["part"] for status in statuses for one in status if one["name"] == "notification-event"]
    return [part["valueString"] for parts in told for part in parts if part["name"] == "event-number"]


@pytest.mark.rule("r4-14", "r4-15", "r4-25", "r4-26", "r4-27", "r4-28", "r4-69", "r4-70", "r4-138", "r4-139")
@pytest.mark.rule("r4-35", "r4-51", "r4-53", "r4-65", "r4-67", "r4-102", "r4-103", "r4-113", "r4-7")
@pytest.mark.parametrize(
    "content",
    [
        pytest.param("empty", marks=pytest.mark.rule("r4-38", "r4-39", "r4-99")),
        pytest.param("id-only", marks=pytest.mark.rule("r4-33", "r4-40", "r4-100", "r4-104")),
        pytest.param("full-resource", marks=pytest.mark.rule("r4-43", "r4-44", "r4-45", "r4-101")),
    ],
)
@pytest.mark.parametrize(
    "payload", ["application/fhir+json", "application/json", "application/fhir+json; fhirVersion=4.0"]
)
def test_handshake_and_events_are_as_the_payload_level_has_them(
    gateway: Gateway, listener: Listener, content: str, payload: str
) -> None:
    asked = topical(listener.url, content, channel={"header": ["X-Api-Key: secret word"], "payload": payload})
    made = create(gateway, asked)
    assert (made.status_code, made.json()["status"]) == (201, "requested")
    place = made.headers["Location"]
    (handshake,) = listener.wait_for(1)
    said = is_notification(handshake, made.json(), "handshake", "requested")
    assert said["events-since-subscription-start"] == "0"
    eventually(lambda: is_active(gateway, place))
    for number in ("1", "2"):
        gateway.publish(message())
        event = listener.wait_for(int(number) + 1)[-1]
        said = is_notification(event, made.json(), "event-notification", "active")
        assert said["events-since-subscription-start"] == number
        assert [one["event-number"] for one in said["notification-event"]] == [number]
        assert event.headers["webhook-id"] == json.loads(event.body)["id"]
        LEVELS[content](json.loads(event.body), said)
    gateway.http.delete(place)


def test_the_focus_is_what_the_event_points_to_or_else_what_was_published(gateway: Gateway, listener: Listener) -> None:
    places = [subscribe(gateway, topical(listener.url, content)) for content in ("id-only", "full-resource")]
    body = message()
    gateway.publish(body)
    by_level = {len(json.loads(one.body)["entry"]): json.loads(one.body) for one in listener.wait_for(4)[2:]}
    told = [part for one in by_level[1]["entry"][0]["resource"]["parameter"] for part in one.get("part", [])]
    assert [part["valueReference"]["reference"] for part in told if part["name"] == "focus"] == [FOCUS]
    entry = by_level[2]["entry"][1]
    assert entry["resource"]["resourceType"] == "Binary"
    assert base64.b64decode(entry["resource"]["data"]) == body
    answer = gateway.http.get(entry["fullUrl"])
    assert (answer.content, answer.headers["content-type"]) == (body, "application/fhir+xml")
    for place in places:
        gateway.http.delete(place)


@pytest.mark.rule("r4-16", "r4-102", "r4-103")
def test_numbers_have_no_gap_over_restarts_and_crashes(tmp_path: Path, listener: Listener) -> None:
    with Gateway(tmp_path) as gateway:
        subscribe(gateway, topical(listener.url))
        for round_ in range(4):
            for _ in range(5):
                assert gateway.publish(message()).status_code == 202
            # Killed with notifications under way: those are sent again, under the number that they had.
            (gateway.kill if round_ % 2 else gateway.stop)()
            gateway.start()
        eventually(lambda: len(set(numbers(listener.received))) >= 20)
        assert set(numbers(listener.received)) == {str(number) for number in range(1, 21)}
        by_id = {(one.headers["webhook-id"], *numbers([one])) for one in listener.received if numbers([one])}
        assert len(by_id) == 20, "a number belongs to one notification, however often that is sent"


@pytest.mark.rule("r4-98")
def test_max_count_is_never_exceeded(gateway: Gateway, listener: Listener) -> None:
    asked = topical(listener.url, channel={"extension": [extension("backport-max-count", valuePositiveInt=20)]})
    place = subscribe(gateway, asked)
    for _ in range(3):
        gateway.publish(message())
    received = listener.wait_for(4)[1:]
    assert [len(numbers([one])) for one in received] == [1, 1, 1]
    gateway.http.delete(place)


@pytest.mark.rule("r4-97")
def test_an_attempt_fails_after_the_timeout_asked_for(gateway: Gateway, listener: Listener) -> None:
    asked = topical(listener.url, channel={"extension": [extension("backport-timeout", valueUnsignedInt=1)]})
    place = subscribe(gateway, asked)
    listener.answers.delay_seconds = 3
    gateway.publish(message())
    listener.wait_for(3)
    listener.answers.delay_seconds = 0
    first = gateway.events()[0].deliveries[0].attempts[0]
    assert (first.outcome, first.detail) == ("uncertain", "no answer in time")
    assert 900 <= first.duration_ms < 2_900
    gateway.http.delete(place)


@pytest.mark.rule("r4-93", "r4-92")
def test_heartbeats_come_at_the_period_asked_for(gateway: Gateway, listener: Listener) -> None:
    asked = topical(listener.url, channel={"extension": [extension("backport-heartbeat-period", valueUnsignedInt=1)]})
    made = create(gateway, asked)
    eventually(lambda: is_active(gateway, made.headers["Location"]))
    gateway.publish(message())
    beats = [one for one in listener.wait_for(5) if b'"heartbeat"' in one.body]
    assert len(beats) == 3
    for beat in beats:
        said = is_notification(beat, made.json(), "heartbeat", "active")
        assert said["events-since-subscription-start"] == "1"
        assert "notification-event" not in said
    place = made.headers["Location"]
    unchanged = gateway.http.put(place, json={**gateway.http.get(place).json(), "reason": "Another"})
    assert (unchanged.status_code, unchanged.json()["status"]) == (200, "active")
    before = len(listener.received)
    assert all(b'"heartbeat"' in one.body for one in listener.wait_for(before + 2)[before:])
    gateway.http.delete(place)


@pytest.mark.rule("r4-94")
def test_no_heartbeat_comes_that_nobody_asked_for(gateway: Gateway, listener: Listener) -> None:
    with Listener() as beaten:
        period = [extension("backport-heartbeat-period", valueUnsignedInt=1)]
        places = [subscribe(gateway, topical(beaten.url, channel={"extension": period}))]
        places.append(subscribe(gateway, topical(listener.url)))
        beaten.wait_for(3)
        assert len(listener.received) == 1
        for place in places:
            gateway.http.delete(place)
