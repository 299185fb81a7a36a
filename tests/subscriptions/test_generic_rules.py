"""Every event type of NEMS, by every rule of generic subscriptions, with what the rule needs and without it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace

from gateway import catalogue
from gateway.events import Event
from gateway.mapping.context import Context
from gateway.mapping.modules import Modules
from gateway.reference.data import Practice, Reference, postcodes_of
from gateway.resources import folder
from gateway.subscriptions.conditions import judge
from gateway.subscriptions.facts import EventFacts
from gateway.subscriptions.index import Index
from gateway.subscriptions.nems_criteria import parse
from tests.samples import event, subscription

CATALOGUE = catalogue.load(folder("config") / "event-types")
MODULES = Modules.load(folder("mappings"))
CASES = {
    "blood-spot-test-outcome-1": "nems-screening",
    "newborn-hearing-1": "nems-screening",
    "nipe-outcome-1": "nems-screening",
}
EVENT_TYPES = sorted(one.id for one in CATALOGUE if one.nems)

LONDON = (("E92000001",), ("E09000099", "E10000099"), ("Z9Z", "E38000099"))
CARDIFF = (("W92000004",), ("W06000099",), ("7A9",))
POSTCODES = postcodes_of([("ZZ99 3VZ", LONDON), ("ZZ99 3CZ", CARDIFF), ("ZZ99 9ZZ", CARDIFF)])
PRACTICES = {"A99991": Practice("Y9Y", "ZZ99 3VZ"), "A99992": Practice("X9X", "ZZ99 9ZZ")}
LOADED = Reference(PRACTICES, POSTCODES)
NOTHING = Reference()

# What the sample messages say: born on 2001-02-03, home ZZ99 3VZ, practice A99991, part of Z9Z.
RULES = {
    "GP_GP_GP": ("A99991", "A99992"),
    "UHV_POSTCODE_LACODE": ("E09000099", "E09000001"),
    "CHO_GP_CCG": ("Y9Y", "X9X"),
    "CHO_POSTCODE_CCG": ("Z9Z", "Y9Y"),
    "COUNTRYCODE": ("E92000001", "S92000003"),
}
"""A code that the sample messages match where all is loaded, and one that they do not."""
LACKS_REFERENCE = {
    "UHV_POSTCODE_LACODE": "no postcodes are loaded",
    "CHO_POSTCODE_CCG": "no postcodes are loaded",
    "COUNTRYCODE": "no postcodes are loaded",
}
LACKS_MESSAGE = {
    "GP_GP_GP": "the message does not say the patient's GP practice",
    "CHO_GP_CCG": "the message does not say the patient's GP practice",
    "UHV_POSTCODE_LACODE": "the message does not say the patient's postcode",
    "CHO_POSTCODE_CCG": "the message does not say the patient's postcode",
    "COUNTRYCODE": "the message does not say the patient's postcode",
}


@cache
def sample(event_type: str) -> str:
    module = CASES.get(event_type, f"nems-{event_type}")
    path = folder("mappings") / "nems" / "cases" / f"{module}.home-and-practice.json"
    message = json.loads(path.read_text(encoding="utf-8"))["input"]
    message["entry"][0]["resource"]["event"]["code"] = event_type
    return json.dumps(message)


def received(event_type: str, *, bare: bool = False, time: str = "") -> Event:
    """The event of the sample message; a `bare` one has neither address nor practice of anybody."""
    message = json.loads(sample(event_type))
    for entry in message["entry"] if bare else ():
        for name in ("address", "generalPractitioner", "managingOrganization"):
            entry["resource"].pop(name, None)
    module = MODULES.find("nems-message", "event", event_type)
    assert module is not None
    attributes: dict[str, Any] = module.apply(message, Context(claim_check="https://gateway.example/1"))
    made = event(
        type=event_type, subject=attributes.get("subject"), time=time or attributes["time"],
        filtering=attributes.get("filtering", {}), demographics=attributes.get("demographics", {}),
    )  # fmt: skip
    return made


def outcome(happened: Event, reference: Reference, *components: str) -> tuple[bool, str]:
    """Whether a generic subscription matches, and what is lacking to know."""
    criteria = "&".join(["/Bundle?type=message", f"MessageHeader.event={happened.type}", *components])
    entry = subscription(
        event_types=(happened.type,), filter=parse(criteria, CATALOGUE, "", every_patient=True).filter
    ).entry
    matched = Index([entry], reference).match(happened) == [entry]
    verdict = judge(happened, entry, EventFacts(happened, reference))
    assert verdict.matches is matched
    lacks = [one.lack for one in verdict.conditions if one.met is None]
    return matched, "; ".join(lacks)


def rule(name: str, code: str) -> list[str]:
    return [f"subscriptionRuleType={name}", f"Organization.identifier={code}"]


MATRIX = [(event_type, name) for event_type in EVENT_TYPES for name in RULES]


@pytest.mark.rule(
    "nems-match-postcode-ccg", "nems-match-local-authority", "nems-match-country", "nems-match-practice",
    "nems-match-gp-ccg",
)  # fmt: skip
@pytest.mark.parametrize(("event_type", "name"), MATRIX)
def test_a_rule_matches_its_code_and_no_other(event_type: str, name: str) -> None:
    happened, (code, other) = received(event_type), RULES[name]
    assert outcome(happened, LOADED, *rule(name, code)) == (True, "")
    assert outcome(happened, LOADED, *rule(name, other)) == (False, "")


@pytest.mark.rule("nems-match-lacking")
@pytest.mark.parametrize(("event_type", "name"), MATRIX)
def test_a_rule_without_its_reference_data_does_not_match_and_says_so(event_type: str, name: str) -> None:
    happened, (code, _) = received(event_type), RULES[name]
    lack = LACKS_REFERENCE.get(name, "")
    if name == "CHO_GP_CCG":  # the message itself says what the practice is part of
        code = "Z9Z"
    assert outcome(happened, NOTHING, *rule(name, code)) == (not lack, lack)


@pytest.mark.rule("nems-match-lacking")
@pytest.mark.parametrize(("event_type", "name"), MATRIX)
def test_a_rule_on_what_the_message_does_not_say_does_not_match_and_says_so(event_type: str, name: str) -> None:
    happened, (code, _) = received(event_type, bare=True), RULES[name]
    expected = LACKS_MESSAGE[name]
    if event_type == "pds-change-of-gp-1" and name in {"GP_GP_GP", "CHO_GP_CCG"}:
        expected = ""  # no practice is what such a message says: the patient has left theirs
    assert outcome(happened, LOADED, *rule(name, code)) == (False, expected)


@pytest.mark.rule("nems-match-lacking")
def test_what_the_data_do_not_know_is_lacking_too() -> None:
    happened = received("vaccinations-1")
    strange = replace(happened, demographics={"postcodes": ["ZZ99 4ZZ"], "practice": ["A99999"]})
    assert (
        outcome(strange, LOADED, *rule("CHO_POSTCODE_CCG", "Z9Z"))[1]
        == "the postcodes loaded do not know the patient's"
    )
    assert "do not say" in outcome(strange, LOADED, *rule("CHO_GP_CCG", "Z9Z"))[1]
    assert "no practices are loaded" in outcome(strange, NOTHING, *rule("CHO_GP_CCG", "Z9Z"))[1]


def test_a_local_authority_may_be_named_by_any_of_its_codes() -> None:
    for code in LONDON[1]:
        assert outcome(received("vaccinations-1"), LOADED, *rule("UHV_POSTCODE_LACODE", code))[0]


@pytest.mark.rule("nems-match-two-addresses")
@pytest.mark.parametrize("code", ["E92000001", "W92000004"])
def test_a_change_of_address_is_told_where_the_patient_goes_and_where_they_leave(code: str) -> None:
    assert outcome(received("pds-change-of-address-1"), LOADED, *rule("COUNTRYCODE", code)) == (True, "")


def test_an_old_address_counts_for_no_other_event() -> None:
    assert outcome(received("vaccinations-1"), LOADED, *rule("COUNTRYCODE", "W92000004")) == (False, "")


def test_a_deregistration_is_told_to_the_country_of_the_practice_that_was_left() -> None:
    left = received("pds-change-of-gp-1", bare=True)
    left.demographics.update(formerPractice=["A99992"])
    assert outcome(left, LOADED, *rule("COUNTRYCODE", "W92000004")) == (True, "")
    assert outcome(left, LOADED, *rule("GP_GP_GP", "A99992")) == (False, "")
    assert outcome(left, LOADED, "GPRegistration=UnregisteredOnly") == (True, "")
    assert outcome(left, LOADED, "GPRegistration=RegisteredOnly") == (False, "")


@pytest.mark.rule("nems-match-registration")
@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_registration(event_type: str) -> None:
    registered, silent = received(event_type), received(event_type, bare=True)
    assert outcome(registered, NOTHING, "GPRegistration=RegisteredOnly") == (True, "")
    assert outcome(registered, NOTHING, "GPRegistration=UnregisteredOnly") == (False, "")
    if event_type != "pds-change-of-gp-1":
        assert "registered" in outcome(silent, NOTHING, "GPRegistration=UnregisteredOnly")[1]
    assert outcome(silent, NOTHING) == (True, "")


@pytest.mark.rule("nems-match-age")
@pytest.mark.parametrize("event_type", EVENT_TYPES)
@pytest.mark.parametrize(
    ("day", "age"), [("2015-02-02", 13), ("2015-02-03", 14), ("2016-02-02", 14), ("2001-02-03", 0), ("2014-12-31", 13)]
)
def test_age_is_of_completed_years_at_the_event(event_type: str, day: str, age: int) -> None:
    happened = received(event_type, time=f"{day}T08:00:00Z")
    older = [f"Patient.age=gt{age - 1}"] if age else []
    assert outcome(happened, NOTHING, f"Patient.age=lt{age + 1}", *older) == (True, "")
    assert outcome(happened, NOTHING, f"Patient.age=lt{age}") == (False, "")
    assert outcome(happened, NOTHING, f"Patient.age=gt{age}") == (False, "")


@pytest.mark.rule("nems-match-age-unknown")
@pytest.mark.parametrize("born", [[], ["2001"], ["2001-02"]])
def test_without_a_date_of_birth_no_age_matches(born: list[str]) -> None:
    happened = replace(received("vaccinations-1"), demographics={"birthDate": born})
    lack = "the message does not say the birth date to the day"
    assert outcome(happened, LOADED, "Patient.age=lt200") == (False, lack)


@pytest.mark.rule("nems-match-birth")
def test_a_birth_matches_on_the_mother_and_without_her_number_only_generic_subscriptions() -> None:
    born = received("pds-birth-notification-1")
    nameless = replace(born, subject=None)
    mothers = subscription(event_types=(born.type,), subject=born.subject).entry
    everyone = subscription(event_types=(born.type,), filter="patient.practice = 'A99991'").entry
    index = Index([mothers, everyone], LOADED)
    assert {one.id for one in index.match(born)} == {mothers.id, everyone.id}
    assert index.match(nameless) == [everyone]
    verdict = judge(nameless, mothers, EventFacts(nameless, LOADED))
    assert [one.lack for one in verdict.conditions if one.met is None] == ["the event names no patient"]


@pytest.mark.rule("nems-match-end")
def test_a_subscription_past_its_end_says_so() -> None:
    ended = subscription(end_ms=1).entry
    happened = event()
    assert Index([ended]).match(happened) == []
    verdict = judge(happened, ended, EventFacts(happened, NOTHING))
    assert [one.lack for one in verdict.conditions if not one.met] == ["it has ended"]


def test_the_facts_of_another_face_are_the_filtering_attributes() -> None:
    happened = event(filtering={"changed_name": True, "subjectage": 7, "product_ids": ["a", "b"]})
    facts = EventFacts(happened, NOTHING)
    assert [facts(name) for name in ("changed_name", "subjectage", "product_ids", "other")] == [
        ("true",), ("7",), ("a", "b"), None,
    ]  # fmt: skip
    assert facts.lack("other") == "the event has no other"
    assert facts.lack("subjectage") == ""
