"""NEMS, "Publish an event message": the headers, and who may publish what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.faces.nems import jwt
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from mesh.sandbox.run import LocalMesh
from tests.harness import Gateway, claims, interaction, message, nems_headers, nems_subscription, subscriptions_api

PROCESS_MESSAGE = "/STU3/Events/1/$process-message"
SERVICE = "200000000306"
APPLICATIONS = """
applications:
  - id: child-health
    name: Child Health
    ods_codes: [A20047]
    asids: ["200000000115"]
    mailboxes: [A20047OT001]
    publish: ["vaccinations-1"]
    subscribe: ["vaccinations-1"]
    subscription_kinds: [explicit]
  - id: pds
    name: Personal Demographics Service
    asids: ["200000000222"]
    publish: ["pds-change-of-gp-1", "pds-record-change-1"]
  - id: reader
    name: Reader
    asids: ["200000000333"]
    subscribe: ["*"]
    subscription_kinds: [explicit, generic]
"""


@pytest.fixture(scope="module")
def closed(mesh: LocalMesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in closed mode that has an ASID of its own."""
    folder = tmp_path_factory.mktemp("closed")
    (folder / "applications.yaml").write_text(APPLICATIONS)
    with Gateway(
        folder,
        mesh,
        GATEWAY_SECURITY__MODE="closed",
        GATEWAY_APPLICATIONS=str(folder / "applications.yaml"),
        GATEWAY_NEMS__ASID=SERVICE,
    ) as running:
        yield running


def refused(answer: httpx.Response, status: int, code: str) -> str:
    """The diagnostics of a refusal that has one issue."""
    (issue,) = parse_xml(answer.content, load("STU3")).resource["issue"]
    assert (answer.status_code, issue["details"]["coding"][0]["code"]) == (status, code), answer.text
    return str(issue["diagnostics"])


def bearer(asid: str = "200000000115", **changed: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {jwt.write(claims(asid, **changed))}"}


@pytest.mark.rule("nems-header-order", "nems-error-texts")
def test_of_missing_headers_the_first_is_told(gateway: Gateway) -> None:
    sent = nems_headers(**interaction("pds-change-of-gp-1"))
    for name in ("Authorization", "toASID", "fromASID"):
        del sent[name]
        answer = gateway.http.post(PROCESS_MESSAGE, content=message(), headers=sent)
        said = refused(answer, 400, "MISSING_OR_INVALID_HEADER")
        assert said == f"{name}: {name} HTTP Header is missing"


@pytest.mark.rule("nems-header-names", "nems-spine-tls-headers")
def test_names_of_headers_have_any_case_and_those_of_spines_edge_do_nothing(gateway: Gateway) -> None:
    sent = nems_headers(**interaction("pds-change-of-gp-1"))
    edge = {"X-Spine-SSLProtocol": "TLSv1.2", "X-Spine-SSLCipher": "ECDHE-RSA-AES256-GCM-SHA384"}
    for spell in (str.lower, str.upper):
        answer = gateway.http.post(
            PROCESS_MESSAGE, content=message(), headers={spell(name): value for name, value in (sent | edge).items()}
        )
        assert answer.status_code == 202


@pytest.mark.rule("nems-to-asid-own")
def test_a_call_for_another_service_is_refused(closed: Gateway, gateway: Gateway) -> None:
    body = message("vaccinations-1")
    assert closed.publish(body, "vaccinations-1", toASID=SERVICE).status_code == 202
    said = refused(closed.publish(body, "vaccinations-1", toASID="200000000307"), 403, "ASID_CHECK_FAILED")
    assert said == "toASID: toASID is not the ASID of this service"
    assert gateway.publish(body, "vaccinations-1", toASID="200000000307").status_code == 202


@pytest.mark.rule("nems-asid-known")
def test_an_asid_that_nobody_has_is_refused(closed: Gateway) -> None:
    refused(closed.publish(message(), fromASID="200000000999"), 403, "ACCESS_DENIED")


@pytest.mark.rule("nems-asid-interaction", "nems-pds-publisher")
def test_an_application_publishes_what_it_is_registered_for(closed: Gateway) -> None:
    before = len(closed.events())
    said = refused(closed.publish(message()), 403, "ASID_CHECK_FAILED")
    assert "may not publish events of this type" in said
    assert closed.publish(message(), fromASID="200000000222").status_code == 202
    vaccination = closed.publish(message("vaccinations-1"), "vaccinations-1", fromASID="200000000222")
    refused(vaccination, 403, "ASID_CHECK_FAILED")
    assert len(closed.events()) == before + 1


@pytest.mark.rule("nems-asid-interaction")
def test_an_application_that_publishes_nothing_is_refused_before_its_body_is_read(closed: Gateway) -> None:
    said = refused(closed.publish(b"anything", fromASID="200000000333"), 403, "ASID_CHECK_FAILED")
    assert "is not registered to publish" in said


@pytest.mark.rule("nems-jwt-claims", "nems-jwt-no-identity")
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"requesting_system": f"{jwt.SYSTEM}200000000222", "sub": f"{jwt.SYSTEM}200000000222"}, "requesting_system"),
        ({"scope": "patient/Subscription.write"}, "scope must be one of 'patient/Bundle.write'"),
        ({"iat": 1_500_000_000, "exp": 1_500_000_300}, "has expired"),
        ({"reason_for_request": "other"}, "reason_for_request"),
        ({"aud": ""}, "Empty JWT aud claim"),
    ],
)
def test_a_jwt_that_is_wrong_is_refused(closed: Gateway, changed: dict[str, Any], says: str) -> None:
    answer = closed.publish(message("vaccinations-1"), "vaccinations-1", **bearer(**changed))
    assert says in refused(answer, 400, "MISSING_OR_INVALID_HEADER")


@pytest.mark.rule("nems-jwt-organization")
@pytest.mark.parametrize("spelling", ["requesting_organization", "requesting_organisation"])
def test_an_organisation_in_the_jwt_is_one_of_the_callers(closed: Gateway, spelling: str) -> None:
    for code, status in (("A20047", 202), ("B12345", 400)):
        headers = bearer(**{spelling: f"{jwt.ORGANIZATION}{code}"})
        answer = closed.publish(message("vaccinations-1"), "vaccinations-1", **headers)
        assert answer.status_code == status
    assert "not associated with" in refused(answer, 400, "MISSING_OR_INVALID_HEADER")


@pytest.mark.rule("nems-jwt-clock")
def test_an_operator_may_leave_the_clock_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Gateway(tmp_path_factory.mktemp("no-clock"), GATEWAY_NEMS__JWT_CHECK_CLOCK="false") as running:
        answer = running.publish(message(), **bearer(iat=1_500_000_000, exp=1_500_000_300))
        assert answer.status_code == 202


@pytest.mark.rule("nems-match-own")
def test_a_publisher_gets_its_own_events_too(closed: Gateway) -> None:
    patient = "MessageHeader.event=vaccinations-1&amp;Patient.identifier=https://fhir.nhs.uk/Id/nhs-number|9990001022"
    body = nems_subscription("vaccinations-1").decode().replace("MessageHeader.event=vaccinations-1", patient)
    headers = nems_headers(**subscriptions_api("Post"))
    made = closed.http.post("/STU3/Subscription", content=body, headers=headers)
    assert made.status_code == 201, made.text
    assert closed.publish(message("vaccinations-1"), "vaccinations-1").status_code == 202
    (told,) = closed.events()[0].deliveries
    assert told.delivery.endpoint == "A20047OT001"
