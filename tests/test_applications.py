from __future__ import annotations

from pathlib import Path

import pytest

from gateway import applications, catalogue
from gateway.applications import LOCAL, Applications
from gateway.errors import ConfigurationError
from gateway.resources import folder

CATALOGUE = catalogue.load(folder("config") / "event-types")
EXAMPLE = folder("config") / "applications.example.yaml"
ONE = """
applications:
  - id: surgery
    name: Surgery
    ods_codes: [A20047]
    asids: ["200000000115"]
    mailboxes: [A20047OT001]
    publish: ["pds-change-of-gp-2"]
    subscribe: ["vaccinations-1"]
    subscription_kinds: [explicit]
"""


def load(tmp_path: Path, text: str) -> Applications:
    path = tmp_path / "applications.yaml"
    path.write_text(text)
    return applications.load(path, CATALOGUE)


def test_the_example_file_is_right() -> None:
    party = applications.load(EXAMPLE, CATALOGUE).with_asid("200000000115")
    assert party
    assert party.publish == {"pds-change-of-gp-1", "vaccinations-1"}
    assert party.subscribe == {event_type.id for event_type in CATALOGUE}


def test_a_party_may_do_what_it_is_declared_for(tmp_path: Path) -> None:
    party = load(tmp_path, ONE).with_asid("200000000115")
    assert party
    assert party.may_publish("pds-change-of-gp-1")
    assert not party.may_publish("vaccinations-1")
    assert party.may_subscribe("vaccinations-1", "explicit")
    assert not party.may_subscribe("vaccinations-1", "generic")
    assert not party.may_subscribe("pds-change-of-gp-1", "explicit")
    assert party.may_use_mailbox("A20047OT001")
    assert party.may_use_mailbox("a20047ot001")
    assert not party.may_use_mailbox("A20047OT002")
    assert party.acts_for("A20047")
    assert not party.acts_for("A20048")


def test_a_party_that_is_declared_for_nothing_may_do_nothing(tmp_path: Path) -> None:
    party = load(tmp_path, 'applications: [{id: idle, name: Idle, asids: ["200000000115"]}]').with_asid("200000000115")
    assert party
    assert not party.may_publish("vaccinations-1")
    assert not party.may_subscribe("vaccinations-1", "explicit")


def test_parties_are_found_by_asid_and_mailbox(tmp_path: Path) -> None:
    found = load(tmp_path, ONE)
    assert found.with_mailbox("a20047OT001") is found.with_asid("200000000115")
    assert found.with_asid("200000000116") is found.with_mailbox("X") is None


def test_the_local_application_may_do_all() -> None:
    assert LOCAL.may_publish("anything")
    assert LOCAL.may_subscribe("anything", "generic")
    assert LOCAL.may_use_mailbox("ANY")
    assert LOCAL.acts_for("ANY")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ONE.replace("pds-change-of-gp-2", "pds-chance-2"), "no event type 'pds-chance-2'"),
        (ONE.replace("200000000115", "2000"), "asids"),
        (ONE.replace("[explicit]", "[implicit]"), "subscription_kinds"),
        (ONE.replace("id: surgery", "id: local"), "the id is taken"),
        (ONE.replace("name:", "nam:"), "nam"),
        (ONE + ONE.replace("applications:\n", "").replace("id: surgery", "id: other"), "share 200000000115"),
        (ONE.replace("    asids:", "    certificates: [sha256:12]\n    asids:"), "a certificate is sha256: and its"),
        ("parties: []", "applications"),
        ("applications: &all []", "an anchor is not allowed"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        load(tmp_path, text)
    assert "applications.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)
