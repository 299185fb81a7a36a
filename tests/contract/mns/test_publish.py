"""`POST /events`: the OpenAPI description of MNS, its answers word for word."""

from __future__ import annotations

import gzip
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.store.base import EventTrace
from tests.contract.mns.acts import V1, V2, Caller, closed, cloudevent, v1_event
from tests.harness import Gateway

BAD_TOKEN = "Bearer g1112R_ccQ1Ebbb4gtHBP1aaaNM"


def named(gateway: Gateway, identity: str) -> list[EventTrace]:
    return [trace for trace in gateway.events() if trace.event.id == identity]


def errors(answer: Any) -> dict[str, str]:
    assert answer.status_code == 400, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    found: dict[str, str] = answer.json()["validationErrors"]
    return found


def test_an_event_is_kept_as_it_came(gateway: Gateway, caller: Caller) -> None:
    sent = cloudevent(versionid='W/"16"', filtering={"a": "b", "n": 1.5, "t": True, "l": ["x", 1], "none": None})
    answer = caller.publish(sent, X_Correlation_ID="11C46F5F-CDEF")
    assert (answer.status_code, answer.json()) == (200, {"id": sent["id"]})
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Correlation-ID"] == "11C46F5F-CDEF"
    assert answer.headers["x-amzn-RequestId"]
    (trace,) = named(gateway, sent["id"])
    event = trace.event
    assert (event.face, event.application, event.type) == ("mns", "everything", "pds-change-of-gp-1")
    assert json.loads(event.original.body) == sent
    assert (event.original.media_type, event.original.form) == (V2, "cloudevent")
    assert (event.subject, event.versionid, event.time) == ("9990001006", 'W/"16"', "2026-11-02T09:15:00Z")
    assert event.filtering == {"a": "b", "n": 1.5, "t": True, "l": ["x", 1]}


def test_an_event_of_the_form_before_cloudevents_is_kept(gateway: Gateway, caller: Caller) -> None:
    sent = v1_event()
    answer = caller.publish(sent, f"{V1}; charset=utf-8")
    assert (answer.status_code, answer.json()) == (200, {"id": sent["id"]})
    (trace,) = named(gateway, sent["id"])
    assert (trace.event.source, trace.event.subject, trace.event.versionid) == (
        "https://fhir.nhs.uk/Id/nhsSpineASID/200000000115", "9990001006", 'W/"2"',
    )  # fmt: skip


@pytest.mark.parametrize("missing", ["subject", "dataref", "versionid", "filtering"])
def test_what_is_optional_may_be_left_out(caller: Caller, missing: str) -> None:
    assert caller.publish(cloudevent(**{missing: None})).status_code == 200


@pytest.mark.parametrize("missing", ["id", "source", "specversion", "type", "time"])
def test_what_is_required_is_asked_for(caller: Caller, missing: str) -> None:
    word = {"type": "event type"}.get(missing, missing)
    assert errors(caller.publish(cloudevent(**{missing: None}))) == {missing: f"Please provide a valid {word}"}


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("id", ""), ("id", 5), ("id", "a b"), ("id", "a\u00a0b"), ("id", "x" * 513),
        ("source", ""), ("source", "a b"), ("source", "%"),
        ("specversion", "0.3"), ("specversion", 1.0),
        ("type", ""), ("type", "example-event-1"), ("type", 5),
        ("time", "2020-06-01"), ("time", "2020-06-01T13:00:00"), ("time", "2020-13-01T13:00:00Z"), ("time", 5),
        ("subject", ""), ("subject", {"nhsNumber": "9990001006"}),
        ("dataref", ""), ("dataref", "Patient/1"), ("dataref", "https://a b"),
        ("versionid", ""), ("versionid", 5),
        ("filtering", []), ("filtering", {"a": {}}), ("filtering", {"a": [[]]}), ("filtering", {"a": [True]}),
    ],
)  # fmt: skip
def test_a_wrong_attribute_is_named(gateway: Gateway, caller: Caller, attribute: str, value: object) -> None:
    sent = cloudevent(**{attribute: value})
    assert list(errors(caller.publish(sent))) == [attribute]
    assert not named(gateway, str(sent["id"]))


def test_null_is_no_value_of_a_context_attribute(caller: Caller) -> None:
    sent = cloudevent() | {"subject": None, "dataref": None}
    assert set(errors(caller.publish(sent))) == {"subject", "dataref"}


def test_all_that_is_wrong_is_told_together(caller: Caller) -> None:
    sent = cloudevent(id="", time="soon", data={}, traceparent="1")
    told = errors(caller.publish(sent))
    assert set(told) == {"id", "time", "data", "traceparent"}
    assert "no such attribute" in told["data"]


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"subject": {"familyName": "A", "dob": "2017"}}, "subject.nhsNumber"),
        ({"subject": {"nhsNumber": "9990001007", "familyName": "A", "dob": "2017"}}, "subject.nhsNumber"),
        ({"subject": {"nhsNumber": "9990001006", "familyName": "A", "dob": "17"}}, "subject.dob"),
        ({"subject": None}, "subject"),
        ({"source": "uk.nhs.example"}, "source"),
        ({"source": {"name": "A", "identifier": {"system": "urn:x", "value": "1"}}}, "source.identifier.system"),
        ({"data": {}}, "data.fullUrl"),
        ({"time": "2022-04-05"}, "time"),
        ({"type": "example-event-1"}, "type"),
    ],
)
def test_a_wrong_part_of_the_former_form_is_named(caller: Caller, changed: dict[str, Any], path: str) -> None:
    assert path in errors(caller.publish(v1_event(**changed), V1))


@pytest.mark.parametrize("filtering", ["text", None, ["a"]])
def test_what_the_former_form_does_not_tell_of_may_be_anything(caller: Caller, filtering: object) -> None:
    assert caller.publish(v1_event(filtering=filtering), V1).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id": 1, "id": 2}', b"[" * 5000, b"\xff", b'{"id":"\\ud800"}'])
def test_what_is_no_object_is_refused(caller: Caller, body: bytes) -> None:
    answer = caller.call("POST", "/events", content=body, headers={"Content-Type": V2})
    assert list(errors(answer)) == ["body"]


def test_a_number_beyond_all_measure_is_no_fault_of_ours(caller: Caller) -> None:
    for number in ("1" + "0" * 400, "1e400", "9" * 30):
        body = json.dumps(cloudevent(filtering={"n": 0})).replace('"n": 0', f'"n": {number}').encode()
        assert caller.call("POST", "/events", content=body, headers={"Content-Type": V2}).status_code in (200, 400)


@pytest.mark.parametrize("media_type", ["application/xml", "application/fhir+json", ""])
def test_another_media_type_is_refused(caller: Caller, media_type: str) -> None:
    answer = caller.publish(cloudevent(), media_type)
    assert answer.status_code == 415
    assert V2 in answer.json()["errors"]


def test_a_body_that_is_too_large_is_refused(caller: Caller) -> None:
    answer = caller.publish(cloudevent(filtering={"a": "x" * 3_200_000}))
    assert answer.status_code == 413


def test_a_correlation_id_is_needed(caller: Caller) -> None:
    for given in (None, ""):
        answer = caller.publish(cloudevent(), X_Correlation_ID=given)
        assert errors(answer) == {"X-Correlation-ID": "Please provide a valid X-Correlation-ID"}


@pytest.mark.parametrize(
    ("authorization", "words", "code"),
    [
        (None, "Missing access token", "oauth.v2.MissingAccessToken"),
        ("Basic eA==", "Missing access token", "oauth.v2.MissingAccessToken"),
        (BAD_TOKEN, "Invalid access token", "oauth.v2.InvalidAccessToken"),
    ],
)
def test_without_a_token_of_ours_nothing_is_taken(
    caller: Caller, authorization: str | None, words: str, code: str
) -> None:
    answer = caller.publish(cloudevent(), Authorization=authorization, X_Correlation_ID="mine")
    assert answer.status_code == 401
    assert answer.json() == {"fault": {"faultstring": words, "detail": {"errorcode": code}}}
    assert answer.headers["X-Correlation-ID"] == "mine"
    challenge = "Bearer" if authorization != BAD_TOKEN else 'Bearer error="invalid_token"'
    assert answer.headers["WWW-Authenticate"] == challenge


def test_an_application_publishes_what_it_may(gateway: Gateway) -> None:
    publisher = Caller(gateway, "publisher")
    assert publisher.publish(cloudevent()).status_code == 200
    answer = publisher.publish(cloudevent(type="pds-death-notification-2"))
    assert (answer.status_code, answer.json()) == (
        403, {"errors": "User is not authorized to handle the requested event type"},
    )  # fmt: skip


def test_an_application_without_any_right_is_told_so(gateway: Gateway) -> None:
    answer = Caller(gateway, "nobody").publish(cloudevent())
    assert (answer.status_code, answer.json()) == (403, {"errors": "Unauthorised"})


def test_a_quota_that_is_used_up_says_when_to_come_again(gateway: Gateway) -> None:
    hasty = Caller(gateway, "hasty")
    answers = [hasty.publish(cloudevent()) for _ in range(4)]
    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    refused = answers[-1]
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 20
    assert refused.json()["fault"]["detail"]["errorcode"] == "policies.ratelimit.QuotaViolation"


def test_a_repeat_is_answered_and_kept_once(gateway: Gateway, caller: Caller) -> None:
    sent = cloudevent()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: caller.publish(sent), range(24)))
    assert {(answer.status_code, answer.json()["id"]) for answer in answers} == {(200, sent["id"])}
    assert len(named(gateway, sent["id"])) == 1


def test_the_same_id_of_another_source_is_another_event(gateway: Gateway, caller: Caller) -> None:
    sent = cloudevent()
    for one in (sent, sent | {"source": "uk.nhs.another"}):
        assert caller.publish(one).status_code == 200
    assert len(named(gateway, sent["id"])) == 2


def test_a_repeat_is_known_after_a_crash(tmp_path: Path) -> None:
    sent = cloudevent()
    with closed(tmp_path) as gateway:
        assert Caller(gateway).publish(sent).status_code == 200
        gateway.kill()
        gateway.start()
        assert Caller(gateway).publish(sent).status_code == 200
        assert len(named(gateway, sent["id"])) == 1


def test_a_token_outlives_a_restart(tmp_path: Path) -> None:
    with closed(tmp_path) as gateway:
        caller = Caller(gateway)
        gateway.stop()
        gateway.start()
        assert caller.publish(cloudevent()).status_code == 200


@pytest.mark.parametrize("path", ["/", "/nothing", "/events/1"])
def test_there_is_nothing_else(caller: Caller, path: str) -> None:
    answer = caller.call("GET", path)
    assert (answer.status_code, answer.json()) == (404, {"errors": "Not found"})


def test_events_are_posted(caller: Caller) -> None:
    answer = caller.call("GET", "/events")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_a_compressed_body_is_told_to_be_one(caller: Caller) -> None:
    body = gzip.compress(json.dumps(cloudevent()).encode())
    for path, media_type in (("/events", V2), ("/subscriptions", "application/fhir+json")):
        headers = {"Content-Type": media_type, "Content-Encoding": "gzip"}
        answer = caller.call("POST", path, content=body, headers=headers)
        assert (answer.status_code, answer.json()) == (415, {"errors": "the body must not be compressed"})


def test_the_base_path_is_the_operators(tmp_path: Path) -> None:
    with closed(tmp_path, GATEWAY_MNS__BASE_PATH="/mns/v1") as gateway:
        token = {"Authorization": f"Bearer {Caller(gateway).token}", "X-Correlation-ID": str(uuid.uuid4())}
        answer = gateway.http.post("/mns/v1/events", json=cloudevent(), headers={**token, "Content-Type": V2})
        assert answer.status_code == 200
        assert gateway.http.post("/multicast-notification-service/events", headers=token).status_code == 404


def test_the_published_examples_are_taken(gateway: Gateway, caller: Caller, examples: Path) -> None:
    files = sorted((examples / "mns" / "publish").glob("*.json"))
    assert len(files) == 13
    for file in files:
        answer = caller.publish(json.loads(file.read_bytes()))
        # The one of the schema has a type that no event has.
        expected = 400 if file.stem == "_schema-example-event-1" else 200
        assert answer.status_code == expected, (file.name, answer.text)


def test_the_published_examples_of_the_former_form_are_taken(caller: Caller, examples: Path) -> None:
    for file in sorted((examples / "mns" / "publish-v1-legacy").glob("*.json")):
        assert caller.publish(json.loads(file.read_bytes()), V1).status_code == 200, file.name
