"""The claim check: an event's original, in the form that the caller can take, for those whom it was for."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.demo import TOPIC
from gateway.ids import show
from tests.contract.mns.acts import cloudevent
from tests.contract.r4.acts import closed, create, resource, token
from tests.harness import Gateway, Listener, message, nems_headers

SIGNAL, CLOUDEVENT, MESSAGE = "application/fhir+json", "application/cloudevents+json", "application/fhir+xml"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with closed(tmp_path_factory.mktemp("closed")) as running:
        yield running


@pytest.fixture(scope="module")
def event(gateway: Gateway) -> tuple[str, bytes]:
    """The id and the body of an event that one subscription, of the application `one`, matched."""
    create(gateway, resource("https://hooks.example.invalid/"), token(gateway))
    body = message()
    answer = gateway.publish(body, **nems_headers(fromASID="200000000001"))
    assert answer.status_code == 202, answer.text
    return show(gateway.events()[0].event.row_id), body


def read(gateway: Gateway, path: str, application: str = "one", **headers: str) -> Any:
    return gateway.http.get(path, headers={**token(gateway, application), **headers})


@pytest.mark.parametrize("accept", ["*/*", MESSAGE, "text/html, application/*;q=0.5", f"{MESSAGE}, {CLOUDEVENT};q=0.1"])
def test_the_bytes_that_were_published(gateway: Gateway, event: tuple[str, bytes], accept: str) -> None:
    identity, body = event
    for path in (f"/claim-check/{identity}", f"/R4/Binary/{identity}"):
        answer = read(gateway, path, Accept=accept)
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, body, MESSAGE)
        assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("accept", [CLOUDEVENT, f"{MESSAGE};q=0.5, {CLOUDEVENT}", f"{CLOUDEVENT}, {MESSAGE};q=0"])
def test_a_cloudevent_where_that_is_wanted(gateway: Gateway, event: tuple[str, bytes], accept: str) -> None:
    answer = read(gateway, f"/claim-check/{event[0]}", Accept=accept)
    assert answer.headers["content-type"] == CLOUDEVENT
    assert answer.json()["type"] == "pds-change-of-gp-2"


def test_a_signal_where_that_is_wanted(gateway: Gateway, event: tuple[str, bytes]) -> None:
    answer = read(gateway, f"/claim-check/{event[0]}", Accept=SIGNAL)
    assert answer.headers["content-type"] == SIGNAL
    assert answer.json()["entry"][0]["resource"]["resourceType"] == "Parameters"


def test_the_binary_where_fhir_is_wanted_of_it(gateway: Gateway, event: tuple[str, bytes]) -> None:
    binary = read(gateway, f"/R4/Binary/{event[0]}", Accept=SIGNAL).json()
    assert (binary["resourceType"], binary["contentType"]) == ("Binary", MESSAGE)
    assert base64.b64decode(binary["data"]) == event[1]


@pytest.mark.parametrize("base", ["", "/multicast-notification-service"])
def test_what_there_is_not_is_406(gateway: Gateway, event: tuple[str, bytes], base: str) -> None:
    answer = read(gateway, f"{base}/claim-check/{event[0]}", Accept="text/html")
    assert answer.status_code == 406
    assert all(kind in answer.text for kind in (MESSAGE, SIGNAL, CLOUDEVENT))


def test_a_form_that_the_event_cannot_take_is_not_offered(tmp_path: Any) -> None:
    with closed(tmp_path) as gateway:
        create(
            gateway,
            resource("https://hooks.example.invalid/", criteria=f"{TOPIC}patientflags-change-1"),
            token(gateway),
        )
        headers = {**token(gateway), "Content-Type": CLOUDEVENT, "X-Correlation-ID": "1"}
        sent = cloudevent(type="patientflags-change-1")
        assert (
            gateway.http.post("/multicast-notification-service/events", json=sent, headers=headers).status_code == 200
        )
        place = f"/claim-check/{show(gateway.events()[0].event.row_id)}"
        refused = read(gateway, place, Accept=MESSAGE)
        assert (refused.status_code, SIGNAL in refused.text, MESSAGE in refused.text) == (406, True, False)
        assert read(gateway, place, Accept=f"{MESSAGE}, {CLOUDEVENT};q=0.1").json() == sent


def test_under_the_base_path_of_mns_it_answers_as_mns_does(gateway: Gateway, event: tuple[str, bytes]) -> None:
    identity, body = event
    place = f"/multicast-notification-service/claim-check/{identity}"
    whole = read(gateway, place, **{"X-Correlation-ID": "mine"})
    assert (whole.status_code, whole.content, whole.headers["X-Correlation-ID"]) == (200, body, "mine")
    assert read(gateway, place, Accept=CLOUDEVENT).json()["type"] == "pds-change-of-gp-2"
    assert read(gateway, place, "two").json() == {"errors": "Not found"}
    assert gateway.http.get(place).json()["fault"]["faultstring"] == "Missing access token"
    assert gateway.http.post(place).headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/claim-check", "/R4/Binary", "/multicast-notification-service/claim-check"])
def test_others_cannot_tell_whether_it_is_there(gateway: Gateway, event: tuple[str, bytes], path: str) -> None:
    refused = [
        read(gateway, f"{path}/{event[0]}", "two"),
        *(read(gateway, f"{path}/{other}") for other in ("0" * 13, "x")),
    ]
    assert {one.status_code for one in refused} == {404}
    assert len({json.dumps(one.json(), sort_keys=True) for one in refused}) == 1
    assert gateway.http.get(f"{path}/{event[0]}").status_code == 401


def test_one_who_was_told_may_read_it_after_unsubscribing(tmp_path: Any, listener: Listener) -> None:
    with closed(tmp_path) as gateway:
        one = token(gateway)
        place = create(gateway, resource("https://hooks.example.invalid/"), one).headers["Location"]
        gateway.publish(message(), **nems_headers(fromASID="200000000001"))
        gateway.http.delete(place, headers=one)
        assert read(gateway, f"/claim-check/{show(gateway.events()[0].event.row_id)}").status_code == 200
