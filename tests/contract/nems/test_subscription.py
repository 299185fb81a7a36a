"""NEMS, "Create subscription" and its neighbours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from mesh.sandbox.run import LocalMesh
from tests.harness import (
    SUBSCRIBER_MAILBOX,
    Gateway,
    collect,
    message,
    nems_headers,
    nems_subscription,
    subscriptions_api,
)

CRITERIA = "/Bundle?type=message&amp;serviceType=GP&amp;MessageHeader.event=pds-change-of-gp-1"
PATIENT = "&amp;Patient.identifier=https://fhir.nhs.uk/Id/nhs-number|9990001006"


def body(criteria: str = CRITERIA, **replaced: str) -> bytes:
    text = nems_subscription("pds-change-of-gp-1").decode().replace(CRITERIA, criteria)
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    return text.encode()


@pytest.fixture(autouse=True)
def nothing_is_left(gateway: Gateway, mesh: LocalMesh) -> Iterator[None]:
    mesh.clear()
    made: list[str] = []
    gateway.http.event_hooks = {"response": [lambda answer: made.append(answer.headers.get("Location", ""))]}
    yield
    gateway.http.event_hooks = {}
    gateway.wait_until_idle()
    for place in filter(None, made):
        gateway.http.delete(path_of(place), headers=headers("Delete"))


def headers(verb: str, **changed: str) -> dict[str, str]:
    return nems_headers(**{**subscriptions_api(verb), **changed})


def create(gateway: Gateway, content: bytes, **changed: str) -> httpx.Response:
    return gateway.http.post("/STU3/Subscription", content=content, headers=headers("Post", **changed))


def path_of(location: str) -> str:
    return "/STU3/Subscription/" + location.split("STU3/Subscription/")[1]


def told(answer: httpx.Response) -> tuple[int, str, str]:
    """The status, Spine code and diagnostics of a refusal."""
    resource = parse_xml(answer.content, load("STU3")).resource
    issue = resource["issue"][0]
    return answer.status_code, issue["details"]["coding"][0]["code"], issue["diagnostics"]


@pytest.mark.rule("nems-location", "nems-201")
def test_create_answers_201_with_an_id_of_32_hexadecimal_digits_and_no_body(gateway: Gateway) -> None:
    answer = create(gateway, body())
    assert (answer.status_code, answer.content) == (201, b"")
    dates = [parsedate_to_datetime(answer.headers[name]) for name in ("Last-Modified", "Date")]
    assert abs(dates[0] - dates[1]) < timedelta(minutes=1)
    assert re.fullmatch(r'W/"[0-9a-f]+"', answer.headers["ETag"])
    assert re.fullmatch(rf"{gateway.url}/STU3/Subscription/[0-9a-f]{{32}}", answer.headers["Location"])


@pytest.mark.rule("nems-read")
def test_read_gives_the_subscription_active_and_its_criteria_as_sent(gateway: Gateway) -> None:
    made = create(gateway, body(CRITERIA + PATIENT)).headers
    place = path_of(made["Location"])
    answer = gateway.http.get(place, headers=headers("Get"))
    assert answer.status_code == 200
    assert all(answer.headers[name] == made[name] for name in ("Last-Modified", "ETag"))
    resource = parse_xml(answer.content, load("STU3")).resource
    assert resource["status"] == "active"
    assert resource["id"] == place.rpartition("/")[2]
    assert resource["criteria"] == (CRITERIA + PATIENT).replace("&amp;", "&")
    assert resource["channel"] == {"type": "message", "endpoint": SUBSCRIBER_MAILBOX}
    assert resource["meta"]["lastUpdated"].endswith("Z")


def test_read_gives_json_to_those_who_ask_for_it(gateway: Gateway) -> None:
    place = path_of(create(gateway, body()).headers["Location"])
    answer = gateway.http.get(place, headers=headers("Get", Accept="application/fhir+json"))
    assert answer.json()["resourceType"] == "Subscription"


@pytest.mark.rule("nems-subscription-own-id")
def test_create_takes_json_and_passes_over_what_the_server_gives(gateway: Gateway) -> None:
    from gateway.fhir.json import render_json

    resource = parse_xml(body(), load("STU3")).resource
    resource["id"] = "mine"
    resource["meta"] |= {"lastUpdated": "2026-01-01T00:00:00Z", "versionId": "7"}
    answer = create(gateway, render_json(resource), **{"Content-Type": "application/fhir+json; charset=utf-8"})
    assert answer.status_code == 201
    read = gateway.http.get(path_of(answer.headers["Location"]), headers=headers("Get", Accept="application/fhir+json"))
    assert read.json()["id"] == answer.headers["Location"].rpartition("/")[2]
    assert not read.json()["meta"]["lastUpdated"].startswith("2026-01-01")
    assert "versionId" not in read.json()["meta"]


@pytest.mark.rule("nems-subscription-mime-absent")
def test_create_without_a_media_type_is_taken_as_xml(gateway: Gateway) -> None:
    sent = {name: value for name, value in headers("Post").items() if name != "Content-Type"}
    assert gateway.http.post("/STU3/Subscription", content=body(), headers=sent).status_code == 201


@pytest.mark.rule("nems-subscription-mime")
@pytest.mark.parametrize("charset", ["", ";charset=utf-8"])
@pytest.mark.parametrize("name", ["fhir+xml", "xml+fhir", "fhir+json", "json+fhir"])
def test_bodies_and_answers_have_eight_spellings_of_their_media_types(
    gateway: Gateway, name: str, charset: str
) -> None:
    from gateway.fhir.json import render_json

    media_type = f"application/{name}{charset}"
    content = body() if "xml" in name else render_json(parse_xml(body(), load("STU3")).resource)
    made = create(gateway, content, **{"Content-Type": media_type, "Accept": media_type})
    assert made.status_code == 201
    read = gateway.http.get(path_of(made.headers["Location"]), headers=headers("Get", Accept=media_type))
    assert read.headers["Content-Type"].startswith(f"application/fhir+{'xml' if 'xml' in name else 'json'}")
    assert ("<Subscription" in read.text) is ("xml" in name)


@pytest.mark.rule("nems-no-search")
def test_there_is_neither_search_nor_update(gateway: Gateway) -> None:
    for query in ("", "?criteria=x"):
        found = gateway.http.get(f"/STU3/Subscription{query}", headers=headers("Get"))
        assert told(found)[:2] == (400, "BAD_REQUEST")
    put = gateway.http.put(f"/STU3/Subscription/{'0' * 32}", headers=headers("Post"), content=body())
    assert told(put)[:2] == (405, "MSG_RESOURCE_ID_FAIL")


@pytest.mark.rule("nems-subscription-end")
def test_an_end_still_to_come_is_kept_and_one_that_has_passed_refused(gateway: Gateway) -> None:
    made = create(gateway, body(**{"<channel>": '<end value="2999-01-01T00:00:00Z"/><channel>'}))
    assert made.status_code == 201
    read = gateway.http.get(path_of(made.headers["Location"]), headers=headers("Get"))
    assert b'<end value="2999-01-01T00:00:00Z"/>' in read.content
    passed = create(gateway, body(**{"<channel>": '<end value="2001-01-01T00:00:00Z"/><channel>'}))
    assert told(passed)[:2] == (422, "INVALID_RESOURCE")


@pytest.mark.rule("nems-subscription-payload")
def test_what_a_channel_asks_for_besides_changes_nothing(gateway: Gateway, mesh: LocalMesh) -> None:
    endpoint = f'<endpoint value="{SUBSCRIBER_MAILBOX}"/>'
    more = f'{endpoint}<payload value="application/fhir+json"/><header value="X-Mine: 1"/>'
    assert create(gateway, body(**{endpoint: more})).status_code == 201
    published = message()
    gateway.publish(published)
    assert [one.body for one in collect(mesh, 1)] == [published]


@pytest.mark.rule("nems-subscription-contact")
def test_the_contact_is_for_work(gateway: Gateway) -> None:
    at_home = create(gateway, body(**{'<use value="work"/>': '<use value="home"/>'}))
    assert told(at_home)[:2] == (422, "INVALID_RESOURCE")
    by_phone = create(gateway, body(**{'<system value="url"/>': '<system value="phone"/>'}))
    assert told(by_phone)[:2] == (422, "INVALID_RESOURCE")


@pytest.mark.rule("nems-duplicate-normal")
def test_the_same_in_other_words_is_the_same(gateway: Gateway) -> None:
    event = "&amp;MessageHeader.event=pds-change-of-gp-1"
    rule = "&amp;subscriptionRuleType=GP_GP_GP&amp;Organization.identifier=A91720"
    ages = "&amp;Patient.age=lt19&amp;Patient.age=gt5"
    prefix = "/Bundle?type=message"
    first = create(gateway, body(f"{prefix}{event}{rule}{ages}&amp;tag=a,b")).headers["Location"].rpartition("/")[2]
    turned = "&amp;Patient.age=gt5" + rule + "&amp;Patient.age=lt019" + event
    for same in (f"{prefix}&amp;tag=b,a{turned}", f"{prefix}&amp;serviceType=GP{turned}&amp;tag=a,b"):
        status, code, text = told(create(gateway, body(same)))
        assert (status, code) == (422, "DUPLICATE_REJECTED")
        assert first in text
    assert create(gateway, body(f"{prefix}{event}{rule}&amp;tag=a,b")).status_code == 201


@pytest.mark.rule("nems-duplicate-normal")
def test_a_mailbox_is_the_same_in_any_case(gateway: Gateway) -> None:
    small = {f'<endpoint value="{SUBSCRIBER_MAILBOX}"/>': f'<endpoint value="{SUBSCRIBER_MAILBOX.lower()}"/>'}
    assert create(gateway, body()).status_code == 201
    assert told(create(gateway, body(**small)))[:2] == (422, "DUPLICATE_REJECTED")


@pytest.mark.rule("nems-delete", "nems-subscription-not-found")
def test_delete_answers_200_and_only_once(gateway: Gateway) -> None:
    place = path_of(create(gateway, body()).headers["Location"])
    answer = gateway.http.delete(place, headers=headers("Delete"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert told(gateway.http.delete(place, headers=headers("Delete")))[:2] == (404, "NO_RECORD_FOUND")
    assert told(gateway.http.get(place, headers=headers("Get")))[:2] == (404, "NO_RECORD_FOUND")


@pytest.mark.rule("nems-subscription-id")
def test_an_id_that_is_none_is_a_bad_request(gateway: Gateway) -> None:
    assert told(gateway.http.get("/STU3/Subscription/1", headers=headers("Get")))[:2] == (400, "BAD_REQUEST")


@pytest.mark.rule("nems-duplicate")
def test_the_same_again_is_refused_with_the_words_that_clients_parse(gateway: Gateway) -> None:
    first = create(gateway, body()).headers["Location"].rpartition("/")[2]
    status, code, text = told(create(gateway, body()))
    assert (status, code) == (422, "DUPLICATE_REJECTED")
    match = re.search(r"subscription already exists\s*:\s*\"?([a-zA-Z0-9-_]+)\"?", text)
    assert match
    assert match[1] == first


@pytest.mark.rule("nems-match-explicit")
def test_an_explicit_subscription_gets_its_patient_only(gateway: Gateway, mesh: LocalMesh) -> None:
    create(gateway, body(CRITERIA + PATIENT))
    mine = message()
    gateway.publish(message(**{"9990001006": "9990001014"}))
    gateway.publish(mine)
    assert [one.body for one in collect(mesh, 1)] == [mine]


@pytest.mark.rule("nems-one-copy", "nems-partner-id")
def test_a_mailbox_gets_one_copy_and_the_tags_of_those_that_matched(gateway: Gateway, mesh: LocalMesh) -> None:
    ids = [
        create(gateway, body(CRITERIA + extra)).headers["Location"].rpartition("/")[2]
        for extra in ("&amp;tag=all", PATIENT + "&amp;tag=one|x", PATIENT)
    ]
    gateway.publish(message())
    (received,) = collect(mesh, 1)
    assert set(received.headers["mex-partnerid"].split("~~~")) == {f"{ids[0]}|all", f"{ids[1]}|one|x"}


def test_a_deleted_subscription_gets_nothing(gateway: Gateway, mesh: LocalMesh) -> None:
    place = path_of(create(gateway, body()).headers["Location"])
    gateway.http.delete(place, headers=headers("Delete"))
    gateway.publish(message())
    assert gateway.events()[0].deliveries == ()


def test_subscriptions_are_there_after_a_restart(gateway: Gateway, mesh: LocalMesh) -> None:
    create(gateway, body())
    gateway.stop()
    gateway.start()
    gateway.publish(message())
    collect(mesh, 1)


@pytest.mark.rule(
    "nems-subscription-resource", "nems-subscription-status", "nems-subscription-channel", "nems-subscription-reason"
)
@pytest.mark.parametrize(
    ("content", "status", "code", "says"),
    [
        (b"hello", 400, "MESSAGE_NOT_WELL_FORMED", "line 1"),
        (message(), 422, "INVALID_RESOURCE", "must be a Subscription"),
        (body(**{'"requested"': '"active"'}), 422, "INVALID_RESOURCE", "Subscription.status"),
        (body(**{'type value="message"': 'type value="rest-hook"'}), 422, "INVALID_RESOURCE", "Subscription.channel.type"),
        (body(**{f'<endpoint value="{SUBSCRIBER_MAILBOX}"/>': ""}), 422, "INVALID_RESOURCE", "Subscription.channel.endpoint"),
        (body(**{SUBSCRIBER_MAILBOX: "no such"}), 422, "INVALID_RESOURCE", "Subscription.channel.endpoint"),
        (body(**{"directory.spineservices": "example"}), 422, "INVALID_RESOURCE", "Subscription.contact[0]"),
        (body(**{'<reason value="Demonstration"/>': ""}), 422, "INVALID_RESOURCE", "Subscription.reason"),
        (body("/Patient"), 400, "INVALID_REQUEST_MESSAGE", "Subscription.criteria"),
        (body(CRITERIA.replace("pds-change-of-gp-1", "no-such-1")), 400, "INVALID_CODE_VALUE", "Subscription.criteria"),
        (body(CRITERIA + PATIENT.replace("1006", "1007")), 400, "INVALID_NHS_NUMBER", "Subscription.criteria"),
        (body(**{"<channel>": '<end value="2026-01-01T00:00:00+58:00"/><channel>'}), 422, "INVALID_RESOURCE", "Subscription.end"),
    ],
)  # fmt: skip
def test_a_wrong_subscription_is_told_what_and_where(
    gateway: Gateway, content: bytes, status: int, code: str, says: str
) -> None:
    found = told(create(gateway, content))
    assert found[:2] == (status, code)
    assert says in found[2]


@pytest.mark.rule("nems-subscription-interactions")
@pytest.mark.parametrize("verb", ["Post", "Get", "Delete"])
def test_the_interaction_must_be_the_calls_own(gateway: Gateway, verb: str) -> None:
    other = {"Post": "Get", "Get": "Delete", "Delete": "Post"}[verb]
    calls = {
        "Post": lambda: create(gateway, body(), **subscriptions_api(other)),
        "Get": lambda: gateway.http.get(f"/STU3/Subscription/{'0' * 32}", headers=headers(other)),
        "Delete": lambda: gateway.http.delete(f"/STU3/Subscription/{'0' * 32}", headers=headers(other)),
    }
    status, code, text = told(calls[verb]())
    assert (status, code) == (400, "MISSING_OR_INVALID_HEADER")
    assert "InteractionID" in text


CLOSED = """
applications:
  - id: riverside
    name: Riverside
    ods_codes: [A20047]
    asids: ["200000000115"]
    mailboxes: [A20047OT001]
    publish: ["vaccinations-1"]
    subscribe: ["pds-change-of-gp-1"]
    subscription_kinds: [explicit]
  - id: hilltop
    name: Hilltop
    ods_codes: [A20047]
    asids: ["200000000222"]
    publish: ["*"]
    subscribe: ["*"]
    subscription_kinds: [explicit, generic]
"""


@pytest.fixture(scope="module")
def closed(mesh: LocalMesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that admits two applications."""
    folder: Path = tmp_path_factory.mktemp("closed")
    (folder / "applications.yaml").write_text(CLOSED)
    environment = {"GATEWAY_SECURITY__MODE": "closed", "GATEWAY_APPLICATIONS": str(folder / "applications.yaml")}
    with Gateway(folder, mesh, **environment) as running:
        yield running


@pytest.mark.rule("nems-subscription-mesh")
def test_without_a_mailbox_of_the_gateways_nobody_is_promised_a_delivery(tmp_path: Path) -> None:
    with Gateway(tmp_path) as alone:
        answer = create(alone, body(CRITERIA))
    assert told(answer) == (501, "NOT_IMPLEMENTED", "channel: this gateway has no MESH mailbox to send from")


@pytest.mark.rule("nems-asid-known")
def test_closed_a_stranger_is_refused(closed: Gateway) -> None:
    assert told(closed.publish(message(), fromASID="200000000999"))[:2] == (403, "ACCESS_DENIED")
    assert told(create(closed, body(), fromASID="200000000999"))[:2] == (403, "ACCESS_DENIED")
    assert closed.http.post("/R4/Subscription", content=b"{}").status_code == 401


@pytest.mark.rule("nems-asid-interaction")
def test_closed_an_application_publishes_only_its_events(closed: Gateway) -> None:
    status, code, text = told(closed.publish(message()))
    assert (status, code) == (403, "ASID_CHECK_FAILED")
    assert "may not publish" in text
    assert closed.publish(message("vaccinations-1"), "vaccinations-1").status_code == 202


@pytest.mark.rule("nems-subscription-kinds", "nems-subscription-mailbox", "nems-subscription-contact-asid")
def test_closed_an_application_subscribes_only_as_it_may(closed: Gateway) -> None:
    assert told(create(closed, body()))[:2] == (403, "ASID_CHECK_FAILED")
    assert create(closed, body(CRITERIA + PATIENT)).status_code == 201
    elsewhere = body(CRITERIA + PATIENT, **{SUBSCRIBER_MAILBOX: "OTHERMAILBOX"})
    assert told(create(closed, elsewhere))[:2] == (403, "ACCESS_DENIED")
    for_others = body(CRITERIA + PATIENT, **{"Organization/A20047": "Organization/B12345"})
    assert told(create(closed, for_others))[:2] == (403, "ACCESS_DENIED")


@pytest.mark.rule("nems-owner")
def test_closed_a_subscription_is_its_makers_only(closed: Gateway) -> None:
    place = path_of(create(closed, body(CRITERIA + PATIENT + "&amp;tag=own")).headers["Location"])
    for verb in ("Get", "Delete"):
        sent = headers(verb, fromASID="200000000222")
        answer = closed.http.request(verb.upper(), place, headers=sent)
        assert told(answer)[:2] == (403, "ACCESS_DENIED")
    assert closed.http.get(place, headers=headers("Get")).status_code == 200


@pytest.mark.parametrize("element", ["status", "criteria", "type"])
def test_an_extension_does_not_stand_for_a_value_that_has_to_be_there(gateway: Gateway, element: str) -> None:
    extended = rf'<{element}><extension url="http://example.org/"><valueString value="x"/></extension></{element}>'
    content = re.sub(rf'<{element} value="[^"]*"/>', extended, body().decode(), count=1)
    assert extended in content
    assert create(gateway, content.encode()).status_code == (400 if element == "criteria" else 422)
