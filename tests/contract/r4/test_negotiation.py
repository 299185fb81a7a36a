"""What a subscriber may ask for, and what is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.demo import TOPIC
from tests.contract.r4.acts import CHANNEL_TYPES, EXTENSIONS, FHIR, closed, create, extension, resource, token, topical
from tests.harness import Gateway

CROSS_VERSION = "http://hl7.org/fhir/5.0/subscriptions-backport/StructureDefinition/backport-filter-criteria"
CRITERIA, CHANNEL = "Subscription.criteria", "Subscription.channel"


def channel_type(**coding: str) -> dict[str, Any]:
    return {"extension": [extension("backport-channel-type", valueCoding=coding)]}


def content(*values: Any) -> dict[str, Any]:
    return {"_payload": {"extension": [extension("backport-payload-content", valueCode=value) for value in values]}}


def filtered(*searches: Any, **more: Any) -> dict[str, Any]:
    return {
        "_criteria": {"extension": [extension("backport-filter-criteria", valueString=one) for one in searches]},
        **more,
    }


def asking(name: str, **value: Any) -> dict[str, Any]:
    return topical(channel={"extension": [extension(name, **value)]})


REFUSED = {
    "cross-version extension": (
        topical(_criteria={"extension": [{"url": CROSS_VERSION, "valueString": "a=b"}]}), CRITERIA),
    "an extension elsewhere": (topical(extension=[extension("backport-timeout", valueUnsignedInt=5)]), "Subscription"),
    "an extension without value": (asking("backport-timeout", valueString="5"), CHANNEL),
    "an extension without the base": (
        topical(channel={"extension": [{"url": "backport-timeout", "valueUnsignedInt": 5}]}), CHANNEL),
    "a modifier": (topical(modifierExtension=[{"url": "http://example.org/m", "valueBoolean": True}]), "Subscription"),
    "status": (topical(status="active"), "Subscription.status"),
    "two levels": (topical(channel=content("empty", "id-only")), f"{CHANNEL}.payload"),
    "heartbeat too often": (asking("backport-heartbeat-period", valueUnsignedInt=0), CHANNEL),
    "heartbeat of a signal": (
        resource(channel={"extension": [extension("backport-heartbeat-period", valueUnsignedInt=60)]}), CHANNEL),
    "timeout too long": (asking("backport-timeout", valueUnsignedInt=61), CHANNEL),
    "no timeout": (asking("backport-timeout", valueUnsignedInt=0), CHANNEL),
    "XML": (topical(channel={"payload": "application/fhir+xml"}), f"{CHANNEL}.payload"),
    "a parameter": (topical(channel={"payload": "application/fhir+json; x=y"}), f"{CHANNEL}.payload"),
    "no level of that name": (topical(content="all"), f"{CHANNEL}.payload"),
}  # fmt: skip


@pytest.mark.rule("r4-22", "r4-36")
@pytest.mark.parametrize(
    ("body", "where"),
    [
        *(pytest.param(body, where, id=name) for name, (body, where) in REFUSED.items()),
        pytest.param(topical(criteria="http://example.org/t"), CRITERIA, marks=pytest.mark.rule("r4-8", "r4-75")),
        pytest.param(topical(**filtered("colour=red")), CRITERIA, marks=pytest.mark.rule("r4-9", "r4-63")),
        pytest.param(topical(channel={"type": "email"}), f"{CHANNEL}.type", marks=pytest.mark.rule("r4-10")),
        pytest.param(topical(channel={"type": "websocket"}), f"{CHANNEL}.type", marks=pytest.mark.rule("r4-10")),
        pytest.param(topical("ftp://example.org/"), f"{CHANNEL}.endpoint", marks=pytest.mark.rule("r4-11")),
        pytest.param(
            topical(channel={"payload": "application/pdf"}), f"{CHANNEL}.payload", marks=pytest.mark.rule("r4-12")
        ),
        pytest.param(
            topical(channel={"payload": "application/cloudevents+json"}),
            f"{CHANNEL}.payload",
            marks=pytest.mark.rule("r4-13"),
        ),
        pytest.param(topical(content="sealed"), f"{CHANNEL}.payload", marks=pytest.mark.rule("r4-66")),
        pytest.param(
            topical(channel={"_type": channel_type(system="http://example.org/t", code="zulip")}),
            f"{CHANNEL}.type",
            marks=pytest.mark.rule("r4-59", "r4-60"),
        ),
        pytest.param(
            topical(channel={"payload": "application/fhir+json; fhirVersion=5.0"}),
            f"{CHANNEL}.payload",
            marks=pytest.mark.rule("r4-90"),
        ),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(gateway: Gateway, body: dict[str, Any], where: str) -> None:
    before = gateway.http.get("/R4/Subscription").json().get("entry", [])
    answer = create(gateway, body)
    assert answer.status_code == 422, answer.text
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert [issue["expression"] for issue in outcome["issue"]] == [[where]]
    assert gateway.http.get("/R4/Subscription").json().get("entry", []) == before


@pytest.mark.rule("r4-72", "r4-73", "r4-74")
def test_the_criteria_name_the_topic(gateway: Gateway) -> None:
    for event in ("pds-change-of-gp-1", "vaccinations-1"):
        made = create(gateway, topical(f"http://127.0.0.1:9/{event}", criteria=f"{TOPIC}{event}"))
        assert (made.status_code, made.json()["criteria"]) == (201, f"{TOPIC}{event}")
        gateway.http.delete(made.headers["Location"])
    without = topical()
    del without["criteria"]
    assert create(gateway, without).status_code == 422


FILTERS = {
    "no value": "generalpractitioner=",
    "no name": "=A20047",
    "no equals sign": "generalpractitioner",
    "not a modifier": "generalpractitioner:contains=A2",
    "not an NHS number": "subject=9990001007",
    "of another system": "subject=http://example.org|9990001006",
    "two patients": "subject=9990001006,9990001014",
    "two patients in two": "subject=9990001006&subject=9990001014",
    "not that patient": "subject:not=9990001006",
    "too long": f"generalpractitioner={'A' * 5000}",
    "not a number": "subjectage=old",
    "two orders": "subjectage=lt5,gt9",
    "an order, negated": "subjectage:not=lt5",
}


@pytest.mark.rule("r4-63")
@pytest.mark.parametrize("search", FILTERS.values(), ids=FILTERS)
def test_a_filter_that_cannot_be_applied_is_refused(gateway: Gateway, search: str) -> None:
    answer = create(gateway, topical(criteria=f"{TOPIC}vaccinations-1", **filtered(search)))
    assert answer.status_code in {400, 422}
    assert answer.json()["issue"][0]["expression"] == [CRITERIA]
    assert search not in answer.text


def test_mesh_needs_a_mailbox_of_the_gateway(gateway: Gateway) -> None:
    body = topical(
        "mesh://A20047OT001?workflow_id=W",
        channel={"type": "message", "_type": channel_type(system=CHANNEL_TYPES, code="mesh")},
    )
    answer = create(gateway, body)
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, [f"{CHANNEL}.type"])


@pytest.mark.rule("r4-32")
def test_plain_http_is_refused_but_on_this_machine(tmp_path: Any) -> None:
    with closed(tmp_path) as gateway:
        answer = create(gateway, topical("http://hooks.example.org/"), token(gateway))
        assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, [f"{CHANNEL}.endpoint"])
        assert create(gateway, topical("https://hooks.example.org/"), token(gateway)).status_code == 201


def test_a_subscriber_to_one_patient_needs_the_right_to_that(tmp_path: Any) -> None:
    of_patient = filtered("Patient?subject=https://fhir.nhs.uk/Id/nhs-number|9990001006")
    with closed(tmp_path) as gateway:
        two = token(gateway, "two")
        assert create(gateway, topical("https://hooks.example.org/"), two).status_code == 403
        assert create(gateway, topical("https://hooks.example.org/", **of_patient), two).status_code == 201


def test_the_content_type_must_be_json(gateway: Gateway) -> None:
    body = json.dumps(topical())
    answer = gateway.http.post("/R4/Subscription", content=body, headers={"Content-Type": "application/fhir+xml"})
    assert answer.status_code == 415
    assert EXTENSIONS in body
    assert gateway.http.post("/R4/Subscription", content=body[:-1], headers=FHIR).status_code == 400
