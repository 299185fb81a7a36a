"""Generic subscriptions over HTTP: reference data loaded while the gateway runs, and why an event matched or did not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import ids
from mesh.sandbox.run import LocalMesh
from tests.harness import (
    Gateway,
    collect,
    eventually,
    message,
    nems_headers,
    nems_subscription,
    run,
)
from tests.reference import files

CRITERIA = "/Bundle?type=message&amp;serviceType=GP&amp;MessageHeader.event=pds-change-of-gp-1"


@pytest.fixture
def gateway(mesh: LocalMesh, tmp_path: Path) -> Iterator[Gateway]:
    mesh.clear()
    with Gateway(tmp_path, mesh, GATEWAY_REFERENCE__RELOAD_SECONDS="0.2") as running:
        yield running
    assert '"outcome":"failed"' not in running.log.read_text()


def subscribe(gateway: Gateway, more: str) -> str:
    body = nems_subscription("pds-change-of-gp-1").decode().replace(CRITERIA, CRITERIA + more)
    sent = nems_headers(InteractionID="urn:nhs:names:services:clinicals-sync:SubscriptionsApiPost")
    answer = gateway.http.post("/STU3/Subscription", content=body.encode(), headers=sent)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"].rpartition("/")[2])


def why(gateway: Gateway, event: str, *subscription: str) -> list[dict[str, object]]:
    answer = run("events", "why", event, *subscription, "--json", GATEWAY_STORE__URL=f"sqlite:///{gateway.database}")
    assert answer.returncode == 0, answer.stderr
    found: list[dict[str, object]] = json.loads(answer.stdout)
    return found


def load(gateway: Gateway, dataset: str, content: bytes) -> None:
    path = gateway.folder / f"{dataset}.csv"
    path.write_bytes(content)
    answer = run("reference", "load", dataset, str(path), GATEWAY_STORE__URL=f"sqlite:///{gateway.database}")
    assert answer.returncode == 0, answer.stderr


@pytest.mark.rule("nems-match-lacking", "nems-match-country")
def test_reference_data_are_taken_up_by_a_gateway_that_runs(gateway: Gateway, mesh: LocalMesh) -> None:
    identity = subscribe(gateway, "&amp;subscriptionRuleType=COUNTRYCODE&amp;Organization.identifier=W92000004")
    home = '<address><use value="home"/><postalCode value="ZZ99 1WZ"/></address>'
    said = message(**{"<generalPractitioner>": f"{home}<generalPractitioner>"})
    gateway.publish(said)
    before = ids.show(gateway.events()[0].event.row_id)
    (verdict,) = why(gateway, before, identity)
    assert verdict["matches"] is False
    assert json.dumps(verdict).count("no postcodes are loaded") == 1

    load(gateway, "postcodes", files.headed(files.ONSPD))
    load(gateway, "practices", files.epraccur())
    eventually(lambda: gateway.log.read_text().count('"reference"') >= 2)
    gateway.publish(said)
    (received,) = collect(mesh, 1)
    assert received.body == said
    after = ids.show(gateway.events()[0].event.row_id)
    (verdict,) = why(gateway, after, identity)
    assert (verdict["matches"], verdict["delivered_to"]) == (True, True)
    assert [one["subscription"] for one in why(gateway, after)] == [identity]
    listed = run("reference", "list", GATEWAY_STORE__URL=f"sqlite:///{gateway.database}").stdout
    assert "postcodes.csv" in listed
    assert "practices.csv" in listed

    gateway.stop()
    gateway.start()
    gateway.publish(said)
    collect(mesh, 1)


def test_why_is_told_without_the_patient(gateway: Gateway) -> None:
    mine = "&amp;Patient.identifier=https://fhir.nhs.uk/Id/nhs-number|9990001006&amp;Patient.age=lt1"
    identity = subscribe(gateway, mine)
    gateway.publish(message())
    event = ids.show(gateway.events()[0].event.row_id)
    environment = {"GATEWAY_STORE__URL": f"sqlite:///{gateway.database}"}
    for arguments in ([event], [event, identity]):
        shown = run("events", "why", *arguments, **environment)
        assert shown.returncode == 0, shown.stderr
        assert "does not match" in shown.stdout
        assert "patient.age < '1'" in shown.stdout
        assert "999000" not in shown.stdout
    for arguments, says in (["none"], "not"), ([event, "none"], "there is no such subscription"):
        refused = run("events", "why", *arguments, **environment)
        assert refused.returncode == 2
        assert says in refused.stderr


def test_why_tells_of_what_keeps_an_event_from_a_subscription_that_asks_for_it(gateway: Gateway) -> None:
    early = subscribe(gateway, "&amp;GPRegistration=RegisteredOnly")
    gateway.publish(message())
    event = ids.show(gateway.events()[0].event.row_id)
    late = subscribe(gateway, "&amp;Patient.age=gt1")

    def unmet(subscription: str, **environment: str) -> list[str]:
        store = {"GATEWAY_STORE__URL": f"sqlite:///{gateway.database}"}
        told = {}
        for one in (["--json"], [subscription, "--json"]):
            answer = run("events", "why", event, *one, **store, **environment)
            assert answer.returncode == 0, answer.stderr
            found = {verdict["subscription"]: verdict for verdict in json.loads(answer.stdout)}
            told[len(one)] = found.get(subscription, {"matches": None})
        assert told[1] in (told[2], {"matches": None})
        conditions = [one["text"] for one in told[2]["conditions"] if not one["met"]]
        assert told[2]["matches"] is not bool(conditions)
        return conditions

    nobody = gateway.folder / "nobody.yaml"
    nobody.write_text("applications: []")
    assert unmet(early) == []
    assert unmet(late) == ["subscription was made before the event came"]
    closed = {"GATEWAY_SECURITY__MODE": "closed", "GATEWAY_APPLICATIONS": str(nobody)}
    assert unmet(early, **closed) == ["its application may have it"]
    gone = gateway.http.delete(
        f"/STU3/Subscription/{early}",
        headers=nems_headers(InteractionID="urn:nhs:names:services:clinicals-sync:SubscriptionsApiDelete"),
    )
    assert gone.status_code == 200
    assert unmet(early) == ["subscription is still there"]


def test_a_file_that_is_no_reference_data_is_refused_and_the_old_stays(gateway: Gateway) -> None:
    load(gateway, "practices", files.epraccur())
    (gateway.folder / "bad.csv").write_text("hello\n")
    environment = {"GATEWAY_STORE__URL": f"sqlite:///{gateway.database}"}
    refused = run("reference", "load", "practices", str(gateway.folder / "bad.csv"), **environment)
    assert refused.returncode == 2
    assert "not a list of practices" in refused.stderr
    assert "practices.csv" in run("reference", "list", **environment).stdout


def test_a_mailbox_is_told_once_of_rules_that_all_match(gateway: Gateway, mesh: LocalMesh) -> None:
    load(gateway, "practices", files.epraccur())
    first = subscribe(gateway, "&amp;GPRegistration=RegisteredOnly&amp;tag=registered")
    second = subscribe(gateway, "&amp;Patient.age=gt1&amp;tag=aged")
    gateway.publish(message())
    (received,) = collect(mesh, 1)
    assert set(received.headers["mex-partnerid"].split("~~~")) == {f"{first}|registered", f"{second}|aged"}
