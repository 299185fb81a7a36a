"""NEMS, "Event life cycle": what the publisher of an event type that is given up is answered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.faces.nems.spine import PROFILE, STU3
from gateway.fhir.xml import parse_xml
from gateway.resources import folder
from tests.harness import Gateway, message

STATES = {
    "pds-change-of-gp-1": "deprecated\nstate_ends: 2027-04-01",
    "pds-record-change-1": "no-longer-supported",
    "vaccinations-1": "withdrawn",
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose operator has given up three event types."""
    own = tmp_path_factory.mktemp("event-types")
    for name, state in STATES.items():
        text = (folder("config") / "event-types" / f"{name}.yaml").read_text(encoding="utf-8")
        (own / f"{name}.yaml").write_text(text.replace("state: active", f"state: {state}"))
    with Gateway(tmp_path_factory.mktemp("gateway"), GATEWAY_EVENT_TYPES=str(own)) as running:
        yield running


def answer(gateway: Gateway, event: str, **headers: str) -> tuple[int, dict[str, object]]:
    """The status, and the only issue."""
    told = gateway.publish(message(event), event, **headers)
    resource = parse_xml(told.content, STU3).resource
    assert resource["meta"]["profile"] == [PROFILE]
    (issue,) = resource["issue"]
    return told.status_code, issue


@pytest.mark.rule("nems-deprecated-publish")
def test_an_event_of_a_deprecated_type_is_accepted_and_its_publisher_told(gateway: Gateway) -> None:
    before = len(gateway.events())
    status, issue = answer(gateway, "pds-change-of-gp-1")
    assert status == 202
    assert (issue["severity"], issue["code"]) == ("information", "informational")
    coding = {
        "system": "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1",
        "code": "DEPRECATED",
        "display": "The operation being performed has been deprecated",
    }
    assert issue["details"] == {"coding": [coding]}
    assert "(pds-change-of-gp-1) event type will occur on 01/04/2027, for more" in str(issue["diagnostics"])
    assert len(gateway.events()) == before + 1


def test_it_is_told_in_json_too(gateway: Gateway) -> None:
    told = gateway.publish(message(), Accept="application/fhir+json")
    assert told.status_code == 202
    assert told.json()["issue"][0]["details"]["coding"][0]["code"] == "DEPRECATED"


@pytest.mark.rule("nems-unsupported-publish")
def test_an_event_of_a_type_no_longer_supported_is_accepted_with_a_warning(gateway: Gateway) -> None:
    before = len(gateway.events())
    status, issue = answer(gateway, "pds-record-change-1")
    assert status == 202
    assert (issue["severity"], issue["code"]) == ("warning", "not-supported")
    assert "NO_LONGER_SUPPORTED" in str(issue["details"])
    assert len(gateway.events()) == before + 1


@pytest.mark.rule("nems-withdrawn-publish")
def test_an_event_of_a_withdrawn_type_is_refused(gateway: Gateway) -> None:
    before = len(gateway.events())
    status, issue = answer(gateway, "vaccinations-1")
    assert status == 422
    assert (issue["severity"], issue["code"]) == ("fatal", "not-supported")
    assert "WITHDRAWN" in str(issue["details"])
    assert len(gateway.events()) == before
