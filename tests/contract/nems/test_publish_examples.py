"""Every example message that NEMS publishes, as its publisher would send it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import catalogue
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from gateway.resources import folder
from mesh.sandbox.run import LocalMesh
from tests.conftest import ROOT
from tests.harness import Gateway, collect, interaction

# The column "Publish Interaction Event Code" of the list of supported events; those of PDS are published by PDS itself.
LISTED = {
    "blood-spot-test-outcome-1": "Bloodspottestoutcome",
    "newborn-hearing-1": "Newbornhearing",
    "nipe-outcome-1": "Nipeoutcome",
    "professional-contacts-1": "Professionalcontacts",
    "vaccinations-1": "Vaccinations",
}
WORKFLOWS = {
    "pds-birth-notification-1": "BIRTHNOTIFICATION_1",
    "pds-change-of-address-1": "CHANGEOFADDRESS_1",
    "pds-change-of-gp-1": "CHANGEOFGP_1",
    "pds-death-notification-1": "DEATHNOTIFICATION_1",
    "pds-record-change-1": "PDSRECORDCHANGE_1",
    "blood-spot-test-outcome-1": "BLOODSPOTTESTOUTCOME_1",
    "newborn-hearing-1": "NEWBORNHEARING_1",
    "nipe-outcome-1": "NIPEOUTCOME_1",
    "professional-contacts-1": "PROFESSIONALCONTACTS_1",
    "vaccinations-1": "VACCINATIONS_1",
}
FILES = sorted((ROOT.parent / "shared" / "examples" / "nems" / "events").glob("*.xml"))


@pytest.fixture(scope="module", autouse=True)
def mailbox_subscriptions(gateway: Gateway) -> None:
    """The subscriber's mailbox gets every event."""
    for event in WORKFLOWS:
        gateway.subscribe_mailbox(event)


@pytest.fixture(autouse=True)
def empty_mailbox(gateway: Gateway, mesh: LocalMesh) -> None:
    """What an earlier test published has arrived, and is cleared away."""
    gateway.wait_until_idle()
    mesh.clear()


@pytest.mark.rule("nems-workflows", "nems-event-released")
def test_each_released_event_has_the_workflow_of_its_page() -> None:
    shipped = catalogue.load(folder("config") / "event-types")
    assert {one.nems.code: one.nems.workflow for one in shipped if one.nems} == WORKFLOWS


def test_there_are_examples_of_every_released_event(examples: Path) -> None:
    events = {event_of(path.read_bytes()) for path in (examples / "nems" / "events").glob("*.xml")}
    assert events == WORKFLOWS.keys()


@pytest.mark.rule("nems-examples", "nems-event-released", "nems-interaction-spellings", "nems-birth", "nems-same-bytes")
@pytest.mark.parametrize("name", [path.name for path in FILES])
def test_an_example_is_accepted_under_both_spellings_and_arrives_unchanged(
    gateway: Gateway, mesh: LocalMesh, examples: Path, name: str
) -> None:
    body = (examples / "nems" / "events" / name).read_bytes()
    event = event_of(body)
    for spelling in (event, LISTED.get(event, event.removesuffix("-1").replace("-", "").capitalize())):
        answer = gateway.publish(body, InteractionID=interaction(spelling)["InteractionID"])
        assert (answer.status_code, answer.content) == (202, b""), answer.text
    received = collect(mesh, 2)
    assert [(one.body, one.workflow_id) for one in received] == [(body, WORKFLOWS[event])] * 2


@pytest.mark.rule("nems-screening-update")
def test_an_outcome_of_screening_that_is_sent_as_an_update_is_taken(gateway: Gateway, examples: Path) -> None:
    new = (examples / "nems" / "events" / "newborn-hearing-1-new.xml").read_bytes()
    update = new.replace(b'<code value="new"', b'<code value="update"', 1)
    assert update != new
    before = len(gateway.events())
    assert gateway.publish(update, "newborn-hearing-1").status_code == 202
    assert len(gateway.events()) == before + 1


def event_of(body: bytes) -> str:
    """The event of a message."""
    header = parse_xml(body, load("STU3")).resource["entry"][0]["resource"]
    return str(header["event"]["code"]).replace("\u200b", "").strip()
