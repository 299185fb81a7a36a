"""`/subscriptions`: the OpenAPI description of MNS, its answers word for word."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.resources import folder
from mesh.sandbox.run import LocalMesh
from tests.contract.mns.acts import Caller, closed
from tests.harness import SUBSCRIBER_MAILBOX, Gateway

FHIR = {"Content-Type": "application/fhir+json"}


def resource(workflow: str = "", **changed: Any) -> dict[str, Any]:
    """A subscription to changes of GP, to a workflow of its own unless it is named."""
    channel = {
        "type": "message",
        "endpoint": f"mesh://{SUBSCRIBER_MAILBOX}?workflow_id={workflow or uuid.uuid4().hex}",
        "payload": "application/fhir+json",
        **changed.pop("channel", {}),
    }
    whole = {
        "resourceType": "Subscription",
        "status": "requested",
        "end": "2022-04-05T17:31:00.000Z",
        "reason": "",
        "criteria": "eventType='pds-change-of-gp-2'",
        "channel": channel,
        **changed,
    }
    return {name: value for name, value in whole.items() if value is not None}


def made(caller: Caller, body: object) -> str:
    answer = caller.subscribe(body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def errors(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 400, answer.text
    found: dict[str, str] = answer.json()["validationErrors"]
    return found


def test_create_read_replace_delete(caller: Caller) -> None:
    asked = resource()
    answer = caller.subscribe(asked)
    assert (answer.status_code, answer.headers["Content-Type"]) == (201, "application/json")
    assert list(answer.json()) == ["id"]
    place = f"/subscriptions/{answer.json()['id']}"

    read = caller.call("GET", place)
    assert (read.status_code, read.headers["Content-Type"]) == (200, "application/fhir+json")
    assert read.json() == {**asked, "id": answer.json()["id"], "status": "active"}

    other = resource(reason="Another", criteria="eventType=pds-death-notification-2")
    replaced = caller.call("PUT", place, json=other, headers=FHIR)
    assert (replaced.status_code, replaced.content) == (204, b"")
    assert caller.call("GET", place).json()["criteria"] == "eventType=pds-death-notification-2"

    deleted = caller.call("DELETE", place)
    assert (deleted.status_code, deleted.content) == (204, b"")
    for method in ("GET", "DELETE"):
        gone = caller.call(method, place)
        assert (gone.status_code, gone.json()) == (404, {"errors": "Not found"})
    assert caller.call("PUT", place, json=other, headers=FHIR).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("identity", ["1", "e9050741-ae87-1720-beb1-2abd9248e227", "e9050741"])
def test_an_id_that_is_no_uuid4_is_told(caller: Caller, method: str, identity: str) -> None:
    answer = caller.call(method, f"/subscriptions/{identity}", json=resource(), headers=FHIR)
    assert (answer.status_code, answer.json()) == (
        400, {"errors": "Please provide a valid subscription ID in UUID4 format"},
    )  # fmt: skip


def test_a_twin_is_refused_with_the_id_of_the_first(caller: Caller) -> None:
    workflow = uuid.uuid4().hex
    first = made(caller, resource(workflow))
    words = {"errors": f"A matching subscription already exists with id: {first}"}
    again = caller.subscribe(resource(workflow, reason="Another"))
    assert (again.status_code, again.json()) == (409, words)
    second = made(caller, resource())
    replaced = caller.call("PUT", f"/subscriptions/{second}", json=resource(workflow), headers=FHIR)
    assert (replaced.status_code, replaced.json()) == (409, words)
    assert caller.call("PUT", f"/subscriptions/{first}", json=resource(workflow), headers=FHIR).status_code == 204
    made(caller, resource(workflow, criteria="eventType='pds-change-of-gp-2' AND generalpractitioner='A20047'"))


def test_nobody_sees_the_subscriptions_of_others(gateway: Gateway, caller: Caller) -> None:
    own = made(caller, resource())
    other = Caller(gateway, "subscriber")
    for method in ("GET", "PUT", "DELETE"):
        answer = other.call(method, f"/subscriptions/{own}", json=resource(), headers=FHIR)
        assert (answer.status_code, answer.json()) == (404, {"errors": "Not found"})
    assert own not in other.call("GET", "/subscriptions").text


def test_the_list_goes_on_from_page_to_page(mesh: LocalMesh, tmp_path: Path) -> None:
    with closed(tmp_path, mesh) as gateway:
        caller = Caller(gateway)
        everything = {made(caller, resource()) for _ in range(205)}
        found: list[str] = []
        path = "/subscriptions"
        while path:
            answer = caller.call("GET", path)
            assert answer.headers["Content-Type"] == "application/fhir+json"
            page = answer.json()
            assert (page["resourceType"], page["type"]) == ("Bundle", "searchset")
            assert page["link"][0] == {"relation": "self", "url": "/subscriptions"}
            found += [entry["id"] for entry in page["entry"]]
            path = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
        assert len(found) == 205
        assert set(found) == everything


@pytest.mark.parametrize("mark", ["", "x", "%00", "ZmRqa2xmZGprc2xmamtsZHNqZmxkc2Zkcw==", "é"])
def test_a_page_that_there_is_not_is_refused(caller: Caller, mark: str) -> None:
    answer = caller.call("GET", "/subscriptions", params={"continue_from": mark})
    assert (answer.status_code, answer.json()) == (400, {"errors": "The continue_from field was not valid"})


@pytest.mark.parametrize(
    "criteria",
    [
        "eventType=pds-change-of-gp-2",
        "eventType='pds-change-of-gp-2' AND generalpractitioner='A20047'",
        "eventType=pds-change-of-gp-2 AND generalpractitioner=A20047",
        "eventType='patientflags-change-1' AND flagtype='NRAF' AND generalpractitioner='XY11'",
        "eventType='pds-record-change-2' AND changed_name='true'",
        "eventType='pds-record-change-2' AND nhsnumber='9990001006'",
        "eventType='gpreg-change-gp-req-1' AND generalpractitioner_manufacturer_org='Y12345'",
        "eventType='imms-vaccination-record-change-1' AND subjectage<'18'",
        "eventType='patientflags-change-1' AND (flagtype IN ('NRAF', 'FGM') OR origin!='us')",
    ],
)
def test_criteria_that_are_understood(caller: Caller, criteria: str) -> None:
    identity = made(caller, resource(criteria=criteria))
    assert caller.call("GET", f"/subscriptions/{identity}").json()["criteria"] == criteria


@pytest.mark.parametrize(
    ("criteria", "word"),
    [
        ("", "begin"),
        ("pds-change-of-gp-2", "begin"),
        ("eventType=", "value"),
        ("eventType=example-event-1", "event type"),
        ("eventType=*", "character"),
        ("eventType='pds-change-of-gp-2' AND flagtype='NRAF'", "'flagtype' is not a filter of pds-change-of-gp-2"),
        ("eventType='pds-change-of-gp-2' AND patient.age<'5'", "'patient.age' is not a filter"),
        ("eventType='nhs-number-change-2' AND nhsnumber='9990001006'", "which has none"),
        ("eventType='pds-change-of-gp-2' AND", "character"),
        ("eventType='pds-change-of-gp-2' OR generalpractitioner='A20047'", "alone"),
        ("eventType='pds-change-of-gp-2' AND eventType='pds-record-change-2'", "once"),
        ("eventType='pds-record-change-2' AND changed_name='yes'", "true or false"),
        ("eventType='pds-record-change-2' AND changed_name<'true'", "no order"),
        ("eventType='pds-record-change-2' AND nhsnumber='9990001007'", "NHS number"),
        ("eventType='imms-vaccination-record-change-1' AND subjectage='old'", "whole number"),
    ],
)
def test_criteria_that_are_not_understood_are_told_why(caller: Caller, criteria: str, word: str) -> None:
    told = errors(caller.subscribe(resource(criteria=criteria)))
    assert list(told) == ["criteria"]
    assert word in told["criteria"]


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"resourceType": "Patient"}, "resourceType"),
        ({"resourceType": None}, "resourceType"),
        ({"status": "active"}, "status"),
        ({"reason": None}, "reason"),
        ({"criteria": None}, "criteria"),
        ({"criteria": 5}, "criteria"),
        ({"end": "2022-04-05"}, "end"),
        ({"hydratoin": {}}, "hydratoin"),
        ({"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}, "modifierExtension"),
        ({"channel": {"type": "websocket"}}, "channel.type"),
        ({"channel": {"endpoint": SUBSCRIBER_MAILBOX}}, "channel.endpoint"),
        ({"channel": {"endpoint": f"mesh://{SUBSCRIBER_MAILBOX}"}}, "channel.endpoint"),
        ({"channel": {"endpoint": "mesh://?workflow_id=A"}}, "channel.endpoint"),
        ({"channel": {"endpoint": "https://example.org/"}}, "channel.endpoint"),
        ({"channel": {"type": "rest-hook", "endpoint": "http://example.org/"}}, "channel.endpoint"),
        ({"channel": {"type": "rest-hook", "endpoint": "https://10.0.0.1/"}}, "channel.endpoint"),
        ({"channel": {"payload": "application/json+fhir"}}, "channel.payload"),
        ({"channel": {"payload": ["application/json"]}}, "channel.payload"),
        ({"channel": {"endpoint": ["mesh://A?workflow_id=B"]}}, "channel.endpoint"),
        ({"channel": {"type": ["message"]}}, "channel.type"),
        ({"resourceType": ["Subscription"]}, "resourceType"),
        ({"status": {}}, "status"),
        ({"channel": {"header": ["A: b"]}}, "channel.header"),
        ({"hydration": {}}, "hydration"),
        ({"hydration": {"enabled": "yes"}}, "hydration"),
        ({"hydration": {"enabled": True, "headers": {"a b": "c"}}}, "hydration.headers"),
        ({"hydration": {"enabled": True, "headers": {"Host": "c"}}}, "hydration.headers"),
        ({"hydration": {"enabled": True, "headers": {"A": "c\nd"}}}, "hydration.headers"),
        ({"hydration": {"enabled": True}, "channel": {"payload": "application/json"}}, "hydration"),
    ],
)
def test_a_wrong_element_is_named(caller: Caller, changed: dict[str, Any], path: str) -> None:
    assert list(errors(caller.subscribe(resource(**changed)))) == [path]


@pytest.mark.parametrize(
    ("changed", "path", "words"),
    [
        ({"status": "active"}, "status", "Please provide a valid status: requested"),
        ({"type": "websocket"}, "channel.type", "Please provide a valid type: message or rest-hook"),
        (
            {"endpoint": f"mesh://{SUBSCRIBER_MAILBOX}"},
            "channel.endpoint",
            "Please provide a valid endpoint: mesh://MAILBOX?workflow_id=WORKFLOW",
        ),
        (
            {"payload": "application/json+fhir"},
            "channel.payload",
            "Please provide a valid payload: application/json or application/fhir+json",
        ),
        ({"header": ["A: b"]}, "channel.header", "leave this out"),
    ],
)
def test_a_wrong_element_is_told_what_it_may_be(caller: Caller, changed: dict[str, Any], path: str, words: str) -> None:
    whole = {"channel": changed} if path.startswith("channel.") else changed
    assert words in errors(caller.subscribe(resource(**whole)))[path]


def test_a_mailbox_is_one_however_its_name_is_written(caller: Caller) -> None:
    workflow = uuid.uuid4().hex
    first = made(caller, resource(workflow))
    twin = resource(channel={"endpoint": f"mesh://{SUBSCRIBER_MAILBOX.lower()}?workflow_id={workflow}"})
    answer = caller.subscribe(twin)
    assert (answer.status_code, first in answer.text) == (409, True)


def test_the_words_for_another_resource_are_those_of_mns(caller: Caller) -> None:
    words = "Please provide the correct resource type for this endpoint"
    assert errors(caller.subscribe(resource(resourceType="Patient"))) == {"resourceType": words}


def test_a_channel_that_is_none_is_told(caller: Caller) -> None:
    body = resource() | {"channel": [], "status": "off"}
    assert set(errors(caller.subscribe(body))) == {"channel", "status"}


def test_a_queue_of_aws_is_told_to_be_none_of_ours(caller: Caller) -> None:
    body = resource(channel={"endpoint": "arn:aws:sqs:eu-west-2:123456789012:queue1"})
    assert "AWS" in errors(caller.subscribe(body))["channel.endpoint"]


def test_the_headers_of_hydration_are_never_shown(gateway: Gateway, caller: Caller) -> None:
    block = {"enabled": True, "headers": {"apikey": "a secret of the subscriber's"}}
    identity = made(caller, resource(hydration=block))
    shown = caller.call("GET", f"/subscriptions/{identity}")
    assert shown.json()["hydration"] == {"enabled": True}
    assert "a secret of" not in gateway.log.read_text()


def test_an_application_subscribes_to_what_it_may(gateway: Gateway) -> None:
    one = Caller(gateway, "subscriber")
    mine = {"endpoint": "mesh://OTHERMAILBOX?workflow_id=A"}
    made(one, resource(channel=mine))
    other = one.subscribe(resource(channel=mine, criteria="eventType='pds-death-notification-2'"))
    assert (other.status_code, other.json()) == (
        403, {"errors": "User is not authorized to handle the requested event type"},
    )  # fmt: skip
    assert one.subscribe(resource()).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("GET", ""), ("GET", "/7b0a8e8f-3c9d-4a55-9d0a-1f1f6f3c2d11")]
)
def test_an_application_without_any_right_is_told_so(gateway: Gateway, method: str, path: str) -> None:
    answer = Caller(gateway, "nobody").call(method, f"/subscriptions{path}")
    assert (answer.status_code, answer.json()) == (403, {"errors": "Unauthorised"})


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("GET", ""), ("GET", "/7b0a8e8f-3c9d-4a55-9d0a-1f1f6f3c2d11")]
)
def test_a_token_and_a_correlation_id_are_needed(caller: Caller, method: str, path: str) -> None:
    bare = caller.call(method, f"/subscriptions{path}", headers={"Authorization": None})
    assert bare.json()["fault"]["faultstring"] == "Missing access token"
    lost = caller.call(method, f"/subscriptions{path}", headers={"X-Correlation-ID": None})
    assert list(errors(lost)) == ["X-Correlation-ID"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"status": 1, "status": 2}'])
def test_what_is_no_object_is_refused(caller: Caller, body: bytes) -> None:
    assert list(errors(caller.call("POST", "/subscriptions", content=body, headers=FHIR))) == ["body"]


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "/7b0a8e8f-3c9d-4a55-9d0a-1f1f6f3c2d11"), ("PUT", ""), ("DELETE", "")]
)
def test_other_verbs_are_refused(caller: Caller, method: str, path: str) -> None:
    answer = caller.call(method, f"/subscriptions{path}")
    assert (answer.status_code, answer.json()) == (405, {"errors": "Method not allowed"})
    assert "GET" in answer.headers["Allow"].split(", ")
    assert method not in answer.headers["Allow"].split(", ")


@pytest.fixture
def strict(mesh: LocalMesh, tmp_path: Path) -> Iterator[Caller]:
    """A gateway whose extensions of MNS are all switched off."""
    off = {f"GATEWAY_MNS__{name}": "false" for name in ("OPERATORS", "REST_HOOK", "ENRICHMENT")}
    with closed(tmp_path, mesh, **off) as gateway:
        yield Caller(gateway)


def test_without_the_extensions_only_what_mns_has_is_taken(strict: Caller) -> None:
    made(strict, resource(criteria="eventType='patientflags-change-1' AND flagtype='NRAF' AND origin='us'"))
    for criteria in (
        "eventType='patientflags-change-1' AND flagtype!='NRAF'",
        "eventType='patientflags-change-1' AND flagtype IN ('NRAF', 'FGM')",
        "eventType='patientflags-change-1' AND (flagtype='NRAF' OR flagtype='FGM')",
        "eventType='gpreg-change-gp-req-1' AND generalpractitioner_manufacturer_org='Y12345'",
    ):
        assert list(errors(strict.subscribe(resource(criteria=criteria)))) == ["criteria"]
    hook = {"type": "rest-hook", "endpoint": "https://example.org/"}
    assert list(errors(strict.subscribe(resource(channel=hook)))) == ["channel.type"]


def test_without_mesh_a_webhook_may_be_subscribed_and_no_mailbox(tmp_path: Path) -> None:
    with closed(tmp_path) as gateway:
        caller = Caller(gateway)
        identity = made(caller, resource(channel={"type": "rest-hook", "endpoint": "https://example.org/"}))
        answers = caller.subscribe(resource()), caller.call("PUT", f"/subscriptions/{identity}", json=resource())
        for answer in answers:
            assert errors(answer) == {"channel.endpoint": "This gateway has no MESH mailbox to send from"}
        assert caller.call("GET", f"/subscriptions/{identity}").json()["channel"]["type"] == "rest-hook"


def test_the_owner_keeps_a_type_that_nobody_new_may_have(mesh: LocalMesh, tmp_path: Path) -> None:
    merged = {"criteria": "eventType='nhs-number-change-2'"}
    with closed(tmp_path, mesh) as gateway:
        caller = Caller(gateway)
        own, other = made(caller, resource()), made(caller, resource(**merged))
    shipped = folder("config") / "event-types" / "pds-change-of-gp-1.yaml"
    (tmp_path / "types").mkdir()
    ended = shipped.read_text().replace("state: active", "state: no-longer-supported")
    (tmp_path / "types" / shipped.name).write_text(ended)
    with closed(tmp_path, mesh, GATEWAY_EVENT_TYPES=str(tmp_path / "types")) as gateway:
        caller = Caller(gateway)
        assert "no longer supported" in errors(caller.subscribe(resource()))["criteria"]
        changed = caller.call("PUT", f"/subscriptions/{other}", json=resource(), headers=FHIR)
        assert "no longer supported" in errors(changed)["criteria"]
        kept = resource(criteria="eventType='pds-change-of-gp-2' AND generalpractitioner='A20047'")
        assert caller.call("PUT", f"/subscriptions/{own}", json=kept, headers=FHIR).status_code == 204


def test_a_webhook_is_an_endpoint_too(caller: Caller) -> None:
    hook = {"type": "rest-hook", "endpoint": f"https://example.org/{uuid.uuid4()}"}
    identity = made(caller, resource(channel=hook))
    assert caller.call("GET", f"/subscriptions/{identity}").json()["channel"]["type"] == "rest-hook"


def test_the_published_examples_are_taken_but_for_their_queues(caller: Caller, examples: Path) -> None:
    files = sorted((examples / "mns" / "subscriptions").glob("*.json"))
    assert len(files) == 13
    for file in files:
        body = json.loads(file.read_bytes())
        if body["channel"]["endpoint"].startswith("arn:"):
            assert list(errors(caller.subscribe(body))) == ["channel.endpoint"], file.name
        body["channel"]["endpoint"] = f"mesh://{SUBSCRIBER_MAILBOX}?workflow_id={uuid.uuid4().hex}"
        made(caller, body)
