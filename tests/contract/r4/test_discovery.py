"""What can be found out: the CapabilityStatement, the topics, and one's own subscriptions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.basic import Basic
from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from gateway.demo import TOPIC
from gateway.fhir.tables import load
from gateway.fhir.validate import validate
from tests.contract.r4.acts import IG, closed, create, extension, token, topical
from tests.harness import Gateway, eventually

R4 = load("R4")


@pytest.fixture(scope="module")
def statement(gateway: Gateway) -> dict[str, Any]:
    answer = gateway.http.get("/R4/metadata")
    assert answer.status_code == 200
    return dict(answer.json())


def of_subscriptions(statement: dict[str, Any]) -> dict[str, Any]:
    (rest,) = statement["rest"]
    assert rest["mode"] == "server"
    return dict(next(one for one in rest["resource"] if one["type"] == "Subscription"))


@pytest.mark.rule("r4-57", "r4-58", "r4-114", "r4-120")
def test_the_capability_statement_is_valid_and_names_the_guide(statement: dict[str, Any]) -> None:
    assert [issue for issue in validate(statement, R4) if issue.severity == "error"] == []
    CapabilityStatement.model_validate(statement)
    assert f"{IG}/CapabilityStatement/backport-subscription-server-r4" in statement["instantiates"]
    profile = f"{IG}/StructureDefinition/backport-subscription"
    assert of_subscriptions(statement)["supportedProfile"] == [profile]


@pytest.mark.rule("r4-52")
def test_it_has_all_that_the_guides_own_statement_asks_for(statement: dict[str, Any], examples: Path) -> None:
    path = examples / "backport-ig" / "CapabilityStatement-backport-subscription-server-r4.json"
    asked = of_subscriptions(json.loads(path.read_text(encoding="utf-8")))
    ours = of_subscriptions(statement)
    assert {one["code"] for one in asked["interaction"]} <= {one["code"] for one in ours["interaction"]}
    for kind in ("searchParam", "operation"):
        named = {(one["name"], one["definition"]) for one in ours[kind]}
        missing = {(one["name"], one["definition"]) for one in asked[kind]} - named
        assert {name for name, _ in missing} <= {"$get-ws-binding-token"}


def test_what_it_tells_is_what_is_there(gateway: Gateway, statement: dict[str, Any]) -> None:
    """Every read, search and operation that is told answers as itself, not as a place where there is nothing."""
    for one in statement["rest"][0]["resource"]:
        for interaction in one["interaction"]:
            if interaction["code"] == "search-type":
                assert gateway.http.get(f"/R4/{one['type']}").json()["type"] == "searchset"
            if interaction["code"] == "read":
                said = gateway.http.get(f"/R4/{one['type']}/none").json()["issue"][0]["diagnostics"]
                assert "nothing here" not in said
        for operation in one.get("operation", []):
            said = gateway.http.get(f"/R4/{one['type']}/none/{operation['name']}").json()["issue"][0]["diagnostics"]
            assert "nothing here" not in said


def test_the_operations_that_no_guide_defines_are_defined_here(gateway: Gateway, statement: dict[str, Any]) -> None:
    (rest,) = statement["rest"]
    told = [*rest["operation"], *(one for each in rest["resource"] for one in each.get("operation", []))]
    own = [one for one in told if one["definition"].startswith(gateway.url)]
    assert [one["name"] for one in own] == ["$process-notification", "$signing-secret"]
    for one in own:
        definition = gateway.http.get(one["definition"]).json()
        assert [issue for issue in validate(definition, R4) if issue.severity == "error"] == []
        assert (definition["url"], f"${definition['code']}") == (one["definition"], one["name"])


@pytest.mark.rule("r4-2", "r4-48")
def test_every_topic_is_advertised(gateway: Gateway, statement: dict[str, Any]) -> None:
    told = of_subscriptions(statement)["extension"]
    url = f"{IG}/StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
    assert {one["url"] for one in told} == {url}
    canonicals = {one["valueCanonical"] for one in told}
    assert f"{TOPIC}pds-change-of-gp-1" in canonicals
    refused = create(gateway, topical(criteria="http://example.org/t")).json()["issue"][0]["diagnostics"]
    assert canonicals == set(re.findall(r"http\S+SubscriptionTopic/[\w-]+", refused))


def test_topics_can_be_read_and_searched_for(gateway: Gateway) -> None:
    bundle = gateway.http.get("/R4/Basic?code=http://hl7.org/fhir/fhir-types|SubscriptionTopic").json()
    topics = {entry["resource"]["id"]: entry for entry in bundle["entry"]}
    for entry in topics.values():
        assert [issue for issue in validate(entry["resource"], R4) if issue.severity == "error"] == []
        Basic.model_validate(entry["resource"])
        assert gateway.http.get(entry["fullUrl"]).json() == entry["resource"]
    filters = [one for one in topics["vaccinations-1"]["resource"]["extension"] if one["url"].endswith("canFilterBy")]
    assert "subjectage" in {
        part["valueString"] for one in filters for part in one["extension"] if "valueString" in part
    }
    assert "entry" not in gateway.http.get("/R4/Basic?code=other").json()
    assert gateway.http.get("/R4/Basic/none").status_code == 404
    assert gateway.http.get("/R4/Basic?author=x").status_code == 422


@pytest.fixture(scope="module")
def found(gateway: Gateway) -> dict[str, str]:
    """Three subscriptions by a name, all in error, one of them then switched off; their ids."""
    asked = {
        "gp": topical("http://127.0.0.1:9/gp"),
        "vaccinations": topical("http://127.0.0.1:9/v", "empty", criteria=f"{TOPIC}vaccinations-1"),
        "filtered": topical(
            "http://127.0.0.1:9/f",
            _criteria={"extension": [extension("backport-filter-criteria", valueString="generalpractitioner=A20047")]},
        ),
    }
    ids = {name: create(gateway, body).json()["id"] for name, body in asked.items()}
    for name, identity in ids.items():
        place = f"/R4/Subscription/{identity}"
        eventually(lambda place=place: gateway.http.get(place).json()["status"] == "error")
        if name == "vaccinations":
            gateway.http.put(place, json={**gateway.http.get(place).json(), "status": "off"})
    return ids


@pytest.mark.rule("r4-128")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"gp", "vaccinations", "filtered"}),
        pytest.param("url=http://127.0.0.1:9/gp", {"gp"}, marks=pytest.mark.rule("r4-129")),
        pytest.param("url=http://127.0.0.1:9/gp,http://127.0.0.1:9/v", {"gp", "vaccinations"}, marks=pytest.mark.rule("r4-129")),
        pytest.param("url=http://127.0.0.1:9/none", set(), marks=pytest.mark.rule("r4-129")),
        pytest.param("status=off", {"vaccinations"}, marks=pytest.mark.rule("r4-130")),
        pytest.param("status=off,error", {"gp", "vaccinations", "filtered"}, marks=pytest.mark.rule("r4-130")),
        (f"criteria={TOPIC}vaccinations-1", {"vaccinations"}),
        (f"criteria={TOPIC}VACC", {"vaccinations"}),
        (f"criteria={TOPIC}pds&status=error", {"gp", "filtered"}),
        (f"topic={TOPIC}pds-change-of-gp-1", {"gp", "filtered"}),
        (f"topic={TOPIC}pds", set()),
        ("type=rest-hook", {"gp", "vaccinations", "filtered"}),
        ("payload=application/fhir%2Bjson", {"gp", "vaccinations", "filtered"}),
        ("payload-type=empty", {"vaccinations"}),
        ("filter-criteria=generalpractitioner", {"filtered"}),
        ("custom-channel=mesh", set()),
    ],
)  # fmt: skip
def test_search(gateway: Gateway, found: dict[str, str], query: str, names: set[str]) -> None:
    answer = gateway.http.get(f"/R4/Subscription?{query}")
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert [issue for issue in validate(bundle, R4) if issue.severity == "error"] == []
    assert bundle["type"] == "searchset"
    ids = {entry["resource"]["id"] for entry in bundle.get("entry", [])}
    assert ids == {found[name] for name in names}


@pytest.mark.parametrize("path", ["/R4/Subscription?status=off", "/R4/Subscription/$status?status=off", "/R4/Basic"])
def test_the_link_to_itself_is_as_the_outside_reaches_it(gateway: Gateway, path: str) -> None:
    """Behind a proxy, what stands in Host is nobody's business."""
    bundle = gateway.http.get(path, headers={"Host": "inner.example"}).json()
    assert bundle["link"] == [{"relation": "self", "url": f"{gateway.url}{path}"}]


def test_search_by_id(gateway: Gateway, found: dict[str, str]) -> None:
    bundle = gateway.http.get(f"/R4/Subscription?_id={found['gp']}").json()
    assert [entry["resource"]["id"] for entry in bundle["entry"]] == [found["gp"]]


def test_search_goes_page_by_page(gateway: Gateway, found: dict[str, str]) -> None:
    url, seen = "/R4/Subscription?_count=2&status=off,error", []
    for _ in range(2):
        bundle = gateway.http.get(url).json()
        seen += [entry["resource"]["id"] for entry in bundle["entry"]]
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")
    assert url == ""
    assert sorted(seen) == sorted(found.values())


@pytest.mark.parametrize(
    ("query", "name"), [("colour=red", "colour"), ("_count=many", "_count"), ("_sort=id", "_sort")]
)
def test_a_search_that_cannot_be_done_is_refused_by_name(gateway: Gateway, query: str, name: str) -> None:
    answer = gateway.http.get(f"/R4/Subscription?{query}")
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, [name])


def test_nobody_finds_what_is_anothers(tmp_path: Path) -> None:
    with closed(tmp_path) as gateway:
        one, two = token(gateway, "one"), token(gateway, "two")
        made = create(gateway, topical("https://hooks.example.org/"), one).json()["id"]
        for path in ("/R4/Subscription", "/R4/Subscription/$status", f"/R4/Subscription?_id={made}"):
            assert len(gateway.http.get(path, headers=one).json()["entry"]) == 1
            assert "entry" not in gateway.http.get(path, headers=two).json()
