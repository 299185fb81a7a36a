"""What two live subscribers of NEMS send, rebuilt from what is published of them: they change the host, and nothing else.

The subscriber for GP2GP, NHS England's prm-deductions-mesh-forwarder, is Python's requests; the one for breast screening,
dtos-cohort-manager, is .NET's HttpClient.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.faces.nems import jwt
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from mesh.sandbox.run import LocalMesh
from tests.harness import SUBSCRIBER_MAILBOX, Gateway

ASID = "200000000115"
API = "urn:nhs:names:services:clinicals-sync:SubscriptionsApi"
PRM_CRITERIA = (
    "/Bundle?type=message&subscriptionRuleType=COUNTRYCODE&Organization.identifier=E92000001"
    "&MessageHeader.event=pds-change-of-gp-1"
)
APPLICATIONS = f"""
applications:
  - id: live
    name: Live subscriber
    ods_codes: [A20047]
    asids: ["{ASID}"]
    mailboxes: [{SUBSCRIBER_MAILBOX}]
    subscribe: ["*"]
    subscription_kinds: [explicit, generic]
"""


@pytest.fixture(scope="module")
def closed(mesh: LocalMesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in closed mode that knows the subscriber."""
    folder = tmp_path_factory.mktemp("live")
    (folder / "applications.yaml").write_text(APPLICATIONS)
    with Gateway(
        folder, mesh, GATEWAY_SECURITY__MODE="closed", GATEWAY_APPLICATIONS=str(folder / "applications.yaml")
    ) as running:
        yield running


def token(lifetime: int, **changed: Any) -> str:
    now = int(time.time())
    system = f"{jwt.SYSTEM}{ASID}"
    claims = {
        "iss": "https://subscriber.example.nhs.uk",
        "sub": system,
        "iat": now,
        "exp": now + lifetime,
        "reason_for_request": "directcare",
        "scope": "patient/Subscription.write",
        "requesting_system": system,
    }
    return f"Bearer {jwt.write(jwt.Claims(**(claims | changed)))}"


def send(method: str, url: str, headers: dict[str, str], content: bytes | None = None) -> httpx.Response:
    """Send a request with these headers and no others."""
    with httpx.Client(timeout=30) as client:
        client.headers.clear()
        return client.request(method, url, headers=headers, content=content)


def prm_headers(gateway: Gateway, verb: str) -> dict[str, str]:
    organization = f"{jwt.ORGANIZATION}A20047"
    audience = f"{gateway.url}/STU3/Subscription"
    return {
        "User-Agent": "python-requests/2.27.1",
        "Accept-Encoding": "gzip, deflate",
        "Accept": "application/fhir+xml;charset=utf-8",
        "Connection": "keep-alive",
        "fromASID": ASID,
        "toASID": "200000000306",
        "Authorization": token(300, aud=audience, requesting_organization=organization),
        "InteractionID": API + verb,
        "X-Spine-SSLProtocol": "TLSv1.2",
        "X-Spine-SSLCipher": "ECDHE-RSA-AES256-GCM-SHA384",
    }


@pytest.mark.rule(
    "nems-prm-client", "nems-write-scope-reads", "nems-jwt-scope-subscribe", "nems-spine-tls-headers", "nems-jwt-aud"
)
def test_the_gp2gp_subscriber(closed: Gateway) -> None:
    body = f"""<Subscription xmlns="http://hl7.org/fhir">
    <meta><profile value="https://fhir.nhs.uk/STU3/StructureDefinition/EMS-Subscription-1"/></meta>
    <status value="requested"/>
    <contact><system value="url"/>
    <value value="https://directory.spineservices.nhs.uk/STU3/Organization/A20047"/><use value="work"/></contact>
    <reason value="Suspended patients"/>
    <criteria value="{PRM_CRITERIA.replace("&", "&amp;")}"/>
    <channel><type value="message"/><endpoint value="{SUBSCRIBER_MAILBOX}"/></channel>
    </Subscription>"""
    url = f"{closed.url}/STU3/Subscription"
    created = send("POST", url, prm_headers(closed, "Post"), body.encode())
    assert created.status_code == 201, created.text
    identity = created.headers["Location"].split("STU3/Subscription/")[1]
    assert re.fullmatch(r"[0-9a-f]{32}", identity)
    read = send("GET", f"{url}/{identity}", prm_headers(closed, "Get"))
    assert read.status_code == 200
    assert parse_xml(read.content, load("STU3")).resource["criteria"] == PRM_CRITERIA
    assert send("DELETE", f"{url}/{identity}", prm_headers(closed, "Delete")).status_code == 200
    assert send("GET", f"{url}/{identity}", prm_headers(closed, "Get")).status_code == 404


def dtos_headers(gateway: Gateway, verb: str) -> dict[str, str]:
    return {
        "fromASID": ASID,
        "toASID": "200000000306",
        "Authorization": token(3600, aud=gateway.url),
        "InteractionID": API + verb,
    }


@pytest.mark.rule("nems-dtos-client", "nems-jwt-lifetime", "nems-jwt-organization", "nems-subscription-payload")
def test_the_screening_subscriber(closed: Gateway) -> None:
    resource = {
        "resourceType": "Subscription",
        "meta": {
            "profile": ["https://fhir.nhs.uk/STU3/StructureDefinition/EMS-Subscription-1"],
            "lastUpdated": "2025-06-01T10:00:00.1234567+00:00",
        },
        "status": "requested",
        "contact": [
            {
                "system": "url",
                "value": "https://directory.spineservices.nhs.uk/STU3/Organization/A20047",
                "use": "work",
            }
        ],
        "reason": "Cohort manager",
        "criteria": (
            "/Bundle?type=message&Patient.identifier=https://fhir.nhs.uk/Id/nhs-number|9990001006"
            "&MessageHeader.event=pds-record-change-1"
        ),
        "channel": {"type": "message", "endpoint": SUBSCRIBER_MAILBOX, "payload": "application/fhir+json"},
    }
    url = f"{closed.url}/STU3/Subscription"
    headers = dtos_headers(closed, "Post") | {"Content-Type": "application/fhir+json; charset=utf-8"}
    created = send("POST", url, headers, json.dumps(resource).encode())
    assert created.status_code == 201, created.text
    identity = created.headers["Location"].rpartition("/")[2]
    again = send("POST", url, headers, json.dumps(resource).encode())
    assert not 200 <= again.status_code < 300
    assert "DUPLICATE_REJECTED" in again.text
    found = re.search(r'subscription already exists\s*:\s*"?([a-zA-Z0-9-_]+)"?', again.text)
    assert found
    assert found[1] == identity
    assert send("DELETE", f"{url}/{identity}", dtos_headers(closed, "Delete")).status_code == 200


@pytest.mark.rule("nems-jwt-scope-subscribe")
@pytest.mark.parametrize(
    ("method", "verb", "status"), [("GET", "Get", 404), ("DELETE", "Delete", 400), ("POST", "Post", 400)]
)
def test_a_scope_for_reading_is_enough_to_read(closed: Gateway, method: str, verb: str, status: int) -> None:
    both = "patient/Subscription.read patient/Subscription.write"
    for scope, expected in (("patient/Subscription.read", status), (both, 404)):
        headers = prm_headers(closed, verb) | {"Authorization": token(300, aud="x", scope=scope)}
        place = f"/{'0' * 32}" if method != "POST" else ""
        answer = send(method, f"{closed.url}/STU3/Subscription{place}", headers, b"" if method == "POST" else None)
        assert answer.status_code == (400 if method == "POST" else expected)
        assert ("scope must be" in answer.text) is (scope != both and status == 400)


@pytest.mark.rule("nems-jwt-scope-subscribe")
def test_a_scope_for_publishing_is_not_one_for_subscriptions(closed: Gateway) -> None:
    headers = prm_headers(closed, "Get") | {"Authorization": token(300, aud="x", scope="patient/Bundle.write")}
    answer = send("GET", f"{closed.url}/STU3/Subscription/{'0' * 32}", headers)
    assert answer.status_code == 400
    assert "scope must be one of" in answer.text
