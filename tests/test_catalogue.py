from __future__ import annotations

from pathlib import Path

import pytest

from gateway import catalogue
from gateway.errors import ConfigurationError
from gateway.resources import folder

SHIPPED = folder("config") / "event-types"
ENTRY = """
id: birth-1
name: Birth
nems: {code: birth-1, workflow: BIRTH_1}
topic: http://example.org/birth-1
"""


def write(folder: Path, name: str, text: str) -> Path:
    (folder / f"{name}.yaml").write_text(text)
    return folder


def test_event_types_are_found_by_every_name() -> None:
    found = catalogue.load(SHIPPED)
    gp = found["pds-change-of-gp-1"]
    assert found.named("pds-change-of-gp-1") is found.named("pds-change-of-gp-2") is gp
    assert found.with_workflow("CHANGEOFGP_1") is gp
    assert found.with_topic(gp.topic) is gp
    assert found.named("pds-change-of-gp-3") is found.with_workflow("") is found.with_topic("") is None


def test_names_are_resolved_and_a_star_is_all() -> None:
    found = catalogue.load(SHIPPED)
    assert found.resolve(["pds-change-of-gp-2"]) == {"pds-change-of-gp-1"}
    assert found.resolve(["*"]) == {event_type.id for event_type in found}
    with pytest.raises(
        ConfigurationError, match="no event type 'pds-chance-1'; there are: blood-spot-test-outcome-1, "
    ):
        found.resolve(["pds-chance-1"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("vaccinations-1", "Vaccinations"),
        ("newborn-hearing-1", "Newbornhearing"),
        ("Professional-Contacts-1", "professionalcontacts"),
    ],
)
def test_both_spellings_of_an_interaction_are_one(one: str, other: str) -> None:
    assert catalogue.interaction_key(one) == catalogue.interaction_key(other)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("birth-1", ENTRY.replace("id: birth-1", "id: Birth"), "id: "),
        ("birth-1", ENTRY + "colour: red\n", "colour: "),
        ("birth-1", ENTRY.replace("topic:", "subject:"), "topic: "),
        ("birth-2", ENTRY, "must be called birth-1.yaml"),
        ("birth-1", ENTRY + "name: Twice\n", "stands here twice"),
        ("birth-1", "id: [", "not YAML"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_file(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        catalogue.load(write(tmp_path, name, text))
    assert name in str(caught.value)


def test_two_entries_cannot_claim_one_workflow(tmp_path: Path) -> None:
    write(tmp_path, "birth-1", ENTRY)
    write(tmp_path, "birth-2", ENTRY.replace("birth-1", "birth-2"))
    with pytest.raises(ConfigurationError, match="birth-1 and birth-2 both claim BIRTH_1"):
        catalogue.load(tmp_path)


def test_former_names_are_still_known() -> None:
    found = catalogue.load(SHIPPED)
    assert found.named("PDS001") is found["pds-change-of-gp-1"]
    assert found.named("imms-vaccinations-1") is found["vaccinations-1"]
    assert found["pds-change-of-gp-1"].mns == catalogue.Mns(type="pds-change-of-gp-2")


def test_two_entries_cannot_claim_one_former_name(tmp_path: Path) -> None:
    former = ENTRY.replace("BIRTH_1}", "BIRTH_1, former: [PDS003]}")
    write(tmp_path, "birth-1", former)
    write(tmp_path, "birth-2", former.replace("irth-1", "irth-2").replace("BIRTH_1", "BIRTH_2"))
    with pytest.raises(ConfigurationError, match="birth-1 and birth-2 both claim PDS003"):
        catalogue.load(tmp_path)
