"""A subscription is requested, then active or in error, and off when its owner says so."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.demo import TOPIC
from gateway.resources import folder
from tests.contract.r4.acts import FHIR, create, parameters, subscribe, topical
from tests.contract.r4.assertions import is_status
from tests.harness import Gateway, Listener, eventually, message
from tests.ports import free_port


def shown(gateway: Gateway, place: str) -> dict[str, Any]:
    return dict(gateway.http.get(place).json())


def status_of(gateway: Gateway, place: str) -> dict[str, Any]:
    answer = gateway.http.get(f"{place}/$status")
    assert answer.status_code == 200, answer.text
    (entry,) = answer.json()["entry"]
    is_status(entry["resource"])
    return parameters(entry["resource"])


def update(gateway: Gateway, place: str, **changed: Any) -> httpx.Response:
    resource = shown(gateway, place) | changed
    return gateway.http.put(place, content=json.dumps(resource), headers=FHIR)


@pytest.mark.rule("r4-19", "r4-20", "r4-29", "r4-30", "r4-49", "r4-50", "r4-54", "r4-137")
@pytest.mark.rule("r4-124", "r4-125", "r4-127", "r4-133", "r4-134")
def test_created_requested_and_active_after_the_handshake(gateway: Gateway, listener: Listener) -> None:
    listener.answers.delay_seconds = 0.5
    asked = topical(listener.url)
    made = create(gateway, asked)
    place = made.headers["Location"]
    assert made.status_code == 201
    assert place == f"{gateway.url}/R4/Subscription/{made.json()['id']}"
    assert shown(gateway, place)["status"] == "requested"
    gateway.publish(message())
    eventually(lambda: shown(gateway, place)["status"] == "active")
    assert len(listener.received) == 1, "what happened before it was active is not told"
    read = shown(gateway, place)
    assert all(read[name] == asked[name] for name in asked if name != "status")
    assert gateway.http.delete(place).status_code == 204
    assert gateway.http.get(place).status_code == 404


@pytest.mark.rule("r4-21", "r4-31", "r4-78", "r4-79")
@pytest.mark.parametrize("answer", [500, 404, 301, None])
def test_a_handshake_that_fails_leaves_it_in_error(gateway: Gateway, listener: Listener, answer: int | None) -> None:
    listener.answers.status = answer or 204
    endpoint = listener.url if answer else f"http://127.0.0.1:{free_port()}/"
    place = create(gateway, topical(endpoint)).headers["Location"]
    eventually(lambda: shown(gateway, place)["status"] == "error")
    said = status_of(gateway, place)
    assert (said["status"], said["events-since-subscription-start"]) == ("error", "0")
    assert said["error"]["coding"][0]["code"] == "no-response"
    gateway.publish(message())
    time.sleep(0.3)  # nothing is to come, so nothing can be waited for
    assert all(b"event-notification" not in one.body for one in listener.received)
    listener.answers.status = 204
    again = update(gateway, place, status="requested", channel=topical(listener.url)["channel"])
    assert (again.status_code, again.json()["status"]) == (200, "requested")
    eventually(lambda: shown(gateway, place)["status"] == "active")
    gateway.http.delete(place)


def test_a_handshake_that_a_crash_cut_short_is_made_again(tmp_path: Path, listener: Listener) -> None:
    with Gateway(tmp_path) as gateway:
        listener.answers.delay_seconds = 2
        place = create(gateway, topical(listener.url)).headers["Location"]
        listener.wait_for(1)
        gateway.kill()
        listener.answers.delay_seconds = 0
        gateway.start()
        eventually(lambda: shown(gateway, place)["status"] == "active")


@pytest.mark.rule("r4-126")
def test_an_update_that_changes_where_notifications_go_asks_there_first(gateway: Gateway, listener: Listener) -> None:
    place = subscribe(gateway, topical(listener.url))
    with Listener() as other:
        channel = topical(other.url)["channel"]
        answer = update(gateway, place, status="active", channel=channel)
        assert (answer.status_code, answer.json()["status"]) == (200, "requested")
        eventually(lambda: shown(gateway, place)["status"] == "active")
        gateway.publish(message())
        assert b"event-notification" in other.wait_for(2)[1].body
        assert len(listener.received) == 1
        unchanged = update(gateway, place, reason="Another reason", status="active")
        assert (unchanged.status_code, unchanged.json()["status"]) == (200, "active")
        assert shown(gateway, place)["reason"] == "Another reason"
        assert len(other.received) == 2
    gateway.http.delete(place)


def test_an_update_during_the_handshake_asks_at_the_new_place(gateway: Gateway, listener: Listener) -> None:
    listener.answers.delay_seconds = 1
    place = create(gateway, topical(listener.url)).headers["Location"]
    listener.wait_for(1)
    with Listener() as other:
        update(gateway, place, status="requested", channel=topical(other.url)["channel"])
        assert b'"handshake"' in other.wait_for(1)[0].body
        eventually(lambda: shown(gateway, place)["status"] == "active")
    gateway.http.delete(place)


def test_two_subscriptions_that_ask_for_the_same_are_two(gateway: Gateway, listener: Listener) -> None:
    places = [subscribe(gateway, topical(listener.url)) for _ in range(2)]
    gateway.publish(message())
    events = [one for one in listener.wait_for(4) if b"event-notification" in one.body]
    told = [parameters(json.loads(one.body)["entry"][0]["resource"]) for one in events]
    assert {(one["subscription"], one["events-since-subscription-start"]) for one in told} == {
        (place, "1") for place in places
    }
    for place in places:
        gateway.http.delete(place)


def test_off_means_that_nothing_comes_and_nothing_is_counted(gateway: Gateway, listener: Listener) -> None:
    place = subscribe(gateway, topical(listener.url))
    assert update(gateway, place, status="off").json()["status"] == "off"
    gateway.publish(message())
    assert status_of(gateway, place)["events-since-subscription-start"] == "0"
    assert update(gateway, place, status="requested").json()["status"] == "requested"
    eventually(lambda: shown(gateway, place)["status"] == "active")
    gateway.publish(message())
    listener.wait_for(3)
    assert status_of(gateway, place)["events-since-subscription-start"] == "1"
    gateway.http.delete(place)


@pytest.mark.parametrize("changed", [{"id": "another"}, {"status": "error"}, {"criteria": "http://example.org/"}])
def test_an_update_that_cannot_be_done_changes_nothing(gateway: Gateway, changed: dict[str, Any]) -> None:
    place = create(gateway, topical()).headers["Location"]
    eventually(lambda: shown(gateway, place)["status"] == "error")
    update(gateway, place, status="off")
    before = shown(gateway, place)
    assert update(gateway, place, **changed).status_code == 422
    assert shown(gateway, place) == before
    gateway.http.delete(place)


def test_what_the_server_says_of_it_is_not_the_subscribers_to_write(gateway: Gateway, listener: Listener) -> None:
    place = subscribe(
        gateway, topical(listener.url, error="my own words", meta={"lastUpdated": "2020-01-01T00:00:00Z"})
    )
    made = shown(gateway, place)
    assert "error" not in made
    assert made["meta"]["lastUpdated"] > "2026"
    changed = update(gateway, place, reason="Another", error="my own words").json()
    assert changed["reason"] == "Another"
    assert "error" not in changed
    assert changed["meta"]["lastUpdated"] > made["meta"]["lastUpdated"]
    gateway.http.delete(place)


def test_nobody_new_subscribes_to_a_topic_that_is_retired(tmp_path: Path, listener: Listener) -> None:
    with Gateway(tmp_path) as gateway:
        place = subscribe(gateway, topical(listener.url)).removeprefix(gateway.url)
        other = subscribe(gateway, topical(listener.url, criteria=f"{TOPIC}vaccinations-1")).removeprefix(gateway.url)
    shipped = folder("config") / "event-types" / "pds-change-of-gp-1.yaml"
    own = tmp_path / "event-types"
    own.mkdir()
    (own / shipped.name).write_text(shipped.read_text().replace("state: active", "state: no-longer-supported"))
    with Gateway(tmp_path, GATEWAY_EVENT_TYPES=str(own)) as gateway:
        assert f"{TOPIC}pds-change-of-gp-1" not in gateway.http.get("/R4/metadata").text
        refused = create(gateway, topical(listener.url))
        assert refused.status_code == 422
        (issue,) = refused.json()["issue"]
        assert (issue["code"], issue["expression"]) == ("not-supported", ["Subscription.criteria"])
        assert update(gateway, other, criteria=f"{TOPIC}pds-change-of-gp-1").status_code == 422
        assert update(gateway, place, reason="It goes on").status_code == 200


def test_what_is_not_there_is_not_updated(gateway: Gateway) -> None:
    body = json.dumps(topical() | {"id": "none"})
    assert gateway.http.put("/R4/Subscription/none", content=body, headers=FHIR).status_code == 404
    assert gateway.http.get("/R4/Subscription/none/$status").status_code == 404
    assert gateway.http.get("/R4/Subscription/none/$events").status_code == 404


@pytest.mark.rule("r4-77", "r4-78", "r4-79", "r4-102")
def test_an_endpoint_that_fails_for_long_is_told_so_and_misses_no_number(tmp_path: Path, listener: Listener) -> None:
    with Gateway(
        tmp_path, GATEWAY_DELIVERY__ERROR_AFTER_SECONDS="1", GATEWAY_DELIVERY__PROBE_SECONDS="[0.5]"
    ) as gateway:  # fmt: skip
        place = subscribe(gateway, topical(listener.url))
        listener.answers.status = 500
        for _ in range(6):
            gateway.publish(message())
        eventually(lambda: shown(gateway, place)["status"] == "error")
        said = status_of(gateway, place)
        assert (said["status"], said["events-since-subscription-start"]) == ("error", "6")
        eventually(lambda: any(b'"query-status"' in one.body for one in listener.received))
        (notice,) = [one for one in listener.received if b'"query-status"' in one.body]
        assert parameters(json.loads(notice.body)["entry"][0]["resource"])["status"] == "error"
        gateway.publish(message())
        assert status_of(gateway, place)["events-since-subscription-start"] == "7"
        listener.answers.status = 204
        eventually(lambda: shown(gateway, place)["status"] == "active")
        gateway.wait_until_idle()
        told = [parameters(json.loads(one.body)["entry"][0]["resource"]) for one in listener.received]
        numbers = {event["event-number"] for one in told for event in one.get("notification-event", [])}
        assert numbers == {str(number) for number in range(1, 8)}
