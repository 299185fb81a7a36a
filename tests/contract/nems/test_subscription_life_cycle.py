"""NEMS, "Event life cycle": what the subscriber to event types that are given up is answered."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from gateway.faces.nems.spine import PROFILE, STU3
from gateway.fhir.xml import parse_xml
from gateway.resources import folder
from mesh.sandbox.run import LocalMesh
from tests.harness import Gateway, nems_headers, nems_subscription

STATES = {
    "pds-change-of-gp-1": "deprecated\nstate_ends: 2027-04-01",
    "pds-death-notification-1": "deprecated",
    "pds-record-change-1": "no-longer-supported",
    "vaccinations-1": "withdrawn",
}
PATIENT = "&amp;Patient.identifier=https://fhir.nhs.uk/Id/nhs-number|9990001006"


@pytest.fixture(scope="module")
def gateway(mesh: LocalMesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose operator has given up four event types."""
    own = tmp_path_factory.mktemp("event-types")
    for name, state in STATES.items():
        text = (folder("config") / "event-types" / f"{name}.yaml").read_text(encoding="utf-8")
        (own / f"{name}.yaml").write_text(text.replace("state: active", f"state: {state}"))
    with Gateway(tmp_path_factory.mktemp("gateway"), mesh, GATEWAY_EVENT_TYPES=str(own)) as running:
        yield running


def create(gateway: Gateway, *events: str) -> httpx.Response:
    first, *more = events
    also = "".join(f"&amp;MessageHeader.event={event}" for event in more)
    body = nems_subscription(first).decode().replace(f"event={first}", f"event={first}{also}{PATIENT}")
    sent = nems_headers(InteractionID="urn:nhs:names:services:clinicals-sync:SubscriptionsApiPost")
    return gateway.http.post("/STU3/Subscription", content=body.encode(), headers=sent)


def codes(answer: httpx.Response) -> list[tuple[str, str, str]]:
    resource = parse_xml(answer.content, STU3).resource
    assert resource["meta"]["profile"] == [PROFILE]
    return [(issue["severity"], issue["code"], issue["details"]["coding"][0]["code"]) for issue in resource["issue"]]


@pytest.mark.rule("nems-deprecated-subscribe")
def test_a_subscription_to_deprecated_types_is_made_and_each_is_told(gateway: Gateway) -> None:
    answer = create(gateway, "pds-change-of-gp-1", "pds-death-notification-1", "pds-birth-notification-1")
    assert answer.status_code == 201
    assert "STU3/Subscription/" in answer.headers["Location"]
    assert codes(answer) == [("information", "informational", "DEPRECATED")] * 2
    assert "will occur on 01/04/2027" in answer.text


@pytest.mark.rule("nems-unsupported-subscribe")
def test_a_subscription_to_a_type_no_longer_supported_is_refused(gateway: Gateway) -> None:
    answer = create(gateway, "pds-change-of-gp-1", "pds-record-change-1")
    assert not answer.is_success
    assert "Location" not in answer.headers
    assert ("fatal", "not-supported", "NO_LONGER_SUPPORTED") in codes(answer)


@pytest.mark.rule("nems-withdrawn-subscribe")
def test_a_subscription_to_a_withdrawn_type_is_refused(gateway: Gateway) -> None:
    answer = create(gateway, "vaccinations-1")
    assert not answer.is_success
    assert [code for _, _, code in codes(answer)] == ["WITHDRAWN"]
