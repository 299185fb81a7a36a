"""`$status` and `$events`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.r4.acts import FHIR, create, parameters, resource, subscribe, topical
from tests.contract.r4.assertions import LEVELS, is_bundle, is_status
from tests.harness import Gateway, Listener, eventually, message


@pytest.fixture
def places(gateway: Gateway) -> Iterator[list[str]]:
    """An active subscription that had four events, one in error, and one that is active without a handshake."""
    with Listener() as listener:
        active = subscribe(gateway, topical(listener.url))
        for _ in range(4):
            gateway.publish(message())
        listener.wait_for(5)
    failed = create(gateway, topical("http://127.0.0.1:9/failed")).headers["Location"]
    eventually(lambda: gateway.http.get(failed).json()["status"] == "error")
    plain = create(gateway, resource("http://127.0.0.1:9/plain")).headers["Location"]
    yield [active, failed, plain]
    for place in (active, failed, plain):
        gateway.http.delete(place)


def statuses(gateway: Gateway, path: str) -> dict[str, dict[str, Any]]:
    """What $status answers, by the URLs of the subscriptions."""
    answer = gateway.http.get(path)
    assert answer.status_code == 200, answer.text
    return read(answer.json())


def read(bundle: dict[str, Any]) -> dict[str, dict[str, Any]]:
    is_bundle(bundle, "searchset")
    for entry in bundle.get("entry", []):
        is_status(entry["resource"])
    found = [parameters(entry["resource"]) for entry in bundle.get("entry", [])]
    return {one["subscription"]: one for one in found}


@pytest.mark.rule("r4-47", "r4-112", "r4-121")
def test_the_status_of_one(gateway: Gateway, places: list[str]) -> None:
    said = statuses(gateway, f"{places[0]}/$status")
    assert list(said) == [places[0]]
    told = said[places[0]]
    assert (told["type"], told["status"], told["events-since-subscription-start"]) == ("query-status", "active", "4")


@pytest.mark.rule("r4-106", "r4-109")
def test_of_one_neither_id_nor_status_matters(gateway: Gateway, places: list[str]) -> None:
    assert list(statuses(gateway, f"{places[0]}/$status?id=another&status=off")) == [places[0]]


@pytest.mark.rule("r4-108", "r4-111", "r4-112")
def test_of_all_every_one_is_told(gateway: Gateway, places: list[str]) -> None:
    said = statuses(gateway, "/R4/Subscription/$status")
    assert sorted(said) == sorted(places)
    assert [said[place]["status"] for place in places] == ["active", "error", "active"]


@pytest.mark.rule("r4-107")
@pytest.mark.parametrize("joined", [True, False])
def test_ids_are_alternatives(gateway: Gateway, places: list[str], joined: bool) -> None:
    ids = [place.rpartition("/")[2] for place in places[:2]]
    query = f"id={','.join(ids)}" if joined else "&".join(f"id={one}" for one in ids)
    assert sorted(statuses(gateway, f"/R4/Subscription/$status?{query}")) == sorted(places[:2])
    assert statuses(gateway, "/R4/Subscription/$status?id=another") == {}


@pytest.mark.rule("r4-110")
def test_status_values_are_alternatives(gateway: Gateway, places: list[str]) -> None:
    assert list(statuses(gateway, "/R4/Subscription/$status?status=error&status=off")) == [places[1]]
    assert sorted(statuses(gateway, "/R4/Subscription/$status?status=error,active")) == sorted(places)


def test_inputs_may_be_posted(gateway: Gateway, places: list[str]) -> None:
    asked = {"resourceType": "Parameters", "parameter": [{"name": "status", "valueCode": "error"}]}
    answer = gateway.http.post("/R4/Subscription/$status", content=json.dumps(asked), headers=FHIR)
    assert list(read(answer.json())) == [places[1]]
    assert list(read(gateway.http.post(f"{places[0]}/$status").json())) == [places[0]]
    in_parts = gateway.http.post("/R4/Subscription/$status", content=iter([json.dumps(asked).encode()]), headers=FHIR)
    assert list(read(in_parts.json())) == [places[1]]
    form = gateway.http.post("/R4/Subscription/$status", data={"status": "error"})
    assert (form.status_code, form.json()["issue"][0]["expression"]) == (415, ["Content-Type"])
    for content, status in (("{", 400), ('{"resourceType": "Patient"}', 422)):
        assert gateway.http.post("/R4/Subscription/$status", content=content, headers=FHIR).status_code == status


@pytest.mark.parametrize("name", ["colour", "_count"])
def test_an_input_that_there_is_not_is_refused_by_name(gateway: Gateway, places: list[str], name: str) -> None:
    for path in ("/R4/Subscription/$status", f"{places[0]}/$events"):
        answer = gateway.http.get(f"{path}?{name}=1")
        assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, [name])


@pytest.mark.rule("r4-83", "r4-115", "r4-118", "r4-119", "r4-122")
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", ["1", "2", "3", "4"]),
        ("eventsSinceNumber=2", ["2", "3", "4"]),
        ("eventsUntilNumber=2", ["1", "2"]),
        ("eventsSinceNumber=2&eventsUntilNumber=3", ["2", "3"]),
        ("eventsSinceNumber=9", []),
    ],
)
def test_events_are_told_again(gateway: Gateway, places: list[str], query: str, numbers: list[str]) -> None:
    answer = gateway.http.get(f"{places[0]}/$events?{query}")
    assert answer.status_code == 200, answer.text
    is_bundle(answer.json(), "history")
    said = is_status(answer.json()["entry"][0]["resource"])
    assert (said["type"], said["status"], said["events-since-subscription-start"]) == ("query-event", "active", "4")
    assert [one["event-number"] for one in said.get("notification-event", [])] == numbers


@pytest.mark.rule("r4-117")
@pytest.mark.parametrize("content", LEVELS)
def test_the_level_asked_for_is_told(gateway: Gateway, places: list[str], content: str) -> None:
    bundle = gateway.http.get(f"{places[0]}/$events?content={content}").json()
    said = is_status(bundle["entry"][0]["resource"])
    said.pop("topic") if content == "empty" else None
    LEVELS[content](bundle, said)
    assert len(said["notification-event"]) == 4


@pytest.mark.parametrize(
    "query", ["eventsSinceNumber=x", "eventsUntilNumber=-1", "content=all", "eventsSinceNumber=1,2"]
)
def test_events_asked_for_wrongly_are_refused(gateway: Gateway, places: list[str], query: str) -> None:
    answer = gateway.http.get(f"{places[0]}/$events?{query}")
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, [query.partition("=")[0]])


def test_events_of_a_subscription_without_numbers_are_refused(gateway: Gateway, places: list[str]) -> None:
    assert gateway.http.get(f"{places[2]}/$events").status_code == 422
