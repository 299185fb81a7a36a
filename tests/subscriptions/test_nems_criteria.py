from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import catalogue
from gateway.errors import Refusal
from gateway.resources import folder
from gateway.subscriptions.nems_criteria import NemsCriteria, parse

CATALOGUE = catalogue.load(folder("config") / "event-types")
GP = "MessageHeader.event=pds-change-of-gp-1"
PATIENT = "Patient.identifier=https://fhir.nhs.uk/Id/nhs-number|9990001006"


def read(*components: str) -> NemsCriteria:
    return parse("&".join(["/Bundle?type=message", *components]), CATALOGUE, "X24", every_patient=True)


def rule(name: str, code: str) -> list[str]:
    return [f"subscriptionRuleType={name}", f"Organization.identifier={code}"]


def refusal(criteria: str) -> tuple[str, str]:
    with pytest.raises(Refusal) as caught:
        parse(criteria, CATALOGUE, "X24", every_patient=True)
    (issue,) = caught.value.issues
    assert issue.location == "Subscription.criteria"
    return issue.reason, issue.text


@pytest.mark.rule("nems-criteria-explicit")
def test_explicit() -> None:
    found = read("serviceType=GP", PATIENT, GP, "MessageHeader.event=vaccinations-1", "tag=a|b,c_d-1")
    assert [one.id for one in found.event_types] == ["pds-change-of-gp-1", "vaccinations-1"]
    assert (found.nhs_number, found.filter, found.tag, found.kind) == ("9990001006", "", "a|b,c_d-1", "explicit")


@pytest.mark.rule("nems-criteria-generic-all")
def test_generic_without_a_rule_is_every_patient_where_an_operator_allows_it() -> None:
    with pytest.raises(Refusal) as refused:
        parse(f"/Bundle?type=message&{GP}", CATALOGUE, "X24")
    assert "there must be a subscriptionRuleType" in refused.value.issues[0].text
    found = read(GP)
    assert [one.id for one in found.event_types] == ["pds-change-of-gp-1"]
    assert (found.nhs_number, found.filter, found.tag, found.kind) == (None, "", "", "generic")


@pytest.mark.rule("nems-criteria-generic", "nems-criteria-rule-type")
@pytest.mark.parametrize(
    ("rule", "code", "expected"),
    [
        ("GP_GP_GP", "A91720", "patient.practice = 'A91720'"),
        ("GP_GP_GP", "a91720", "patient.practice = 'A91720'"),
        ("UHV_POSTCODE_LACODE", "E06000052", "patient.local_authority = 'E06000052'"),
        ("CHO_GP_CCG", "15E", "patient.practice_sub_icb = '15E'"),
        ("CHO_POSTCODE_CCG", "X2458", "patient.sub_icb = 'X2458'"),
        ("COUNTRYCODE", "E92000001", "patient.country = 'E92000001'"),
    ],
)
def test_each_rule_compares_a_fact(rule: str, code: str, expected: str) -> None:
    found = read(f"subscriptionRuleType={rule}", f"Organization.identifier={code}", GP)
    assert (found.filter, found.kind) == (expected, "generic")


@pytest.mark.rule("nems-criteria-organization-absent")
@pytest.mark.parametrize("name", ["GP_GP_GP", "CHO_GP_CCG", "CHO_POSTCODE_CCG"])
def test_a_rule_about_no_organisation_is_about_the_subscriber(name: str) -> None:
    assert read(f"subscriptionRuleType={name}", GP).filter == read(*rule(name, "X24"), GP).filter


@pytest.mark.rule("nems-criteria-age", "nems-criteria-registration")
def test_age_and_registration_go_with_both_kinds() -> None:
    more = ["Patient.age=lt19", "GPRegistration=UnregisteredOnly", "Patient.age=gt05"]
    expected = "patient.age < '19' AND patient.age > '5' AND patient.registered = 'false'"
    assert read(GP, *more).filter == read(PATIENT, GP, *reversed(more)).filter == expected


@pytest.mark.rule("nems-criteria-service-type")
@pytest.mark.parametrize("name", ["GP", "CHO", "UHV", "EPCHR", "HSS"])
def test_a_service_type_changes_nothing(name: str) -> None:
    assert read(GP, f"serviceType={name}") == read(GP)


@pytest.mark.rule("nems-criteria-event")
def test_an_event_may_be_named_by_its_code_of_2018() -> None:
    assert read(PATIENT, "MessageHeader.event=PDS001") == read(PATIENT, GP)
    assert read(PATIENT, "MessageHeader.event=pds-change-of-gp-1\u200b") == read(PATIENT, GP)


@pytest.mark.rule("nems-criteria-order")
def test_components_may_stand_in_any_order() -> None:
    assert read(GP, PATIENT, "serviceType=UHV") == read("serviceType=UHV", PATIENT, GP)


@pytest.mark.rule("nems-criteria-encoded")
def test_values_may_be_percent_encoded() -> None:
    assert read(PATIENT.replace("|", "%7C").replace("/", "%2F"), GP) == read(PATIENT, GP)
    components = quote(f"&{PATIENT}&{GP}", safe="")
    for begin in (quote("/Bundle?type=message", safe=""), "/Bundle?type=message"):
        assert parse(begin + components, CATALOGUE, "X24") == read(PATIENT, GP)


@pytest.mark.rule("nems-criteria-number")
def test_both_systems_of_nhs_numbers_are_taken() -> None:
    assert read(PATIENT.replace("https://fhir.nhs.uk", "http://fhir.nhs.net"), GP) == read(PATIENT, GP)


def test_an_event_named_twice_is_meant_once() -> None:
    assert len(read(PATIENT, GP, GP).event_types) == 1


@pytest.mark.rule(
    "nems-criteria-generic", "nems-criteria-empty", "nems-criteria-age", "nems-criteria-registration",
    "nems-criteria-rule-type", "nems-criteria-rule-hss", "nems-criteria-organization", "nems-criteria-country",
    "nems-criteria-tag", "nems-criteria-error", "nems-criteria-service-type", "nems-criteria-event",
)  # fmt: skip
@pytest.mark.parametrize(
    ("components", "reason", "says"),
    [
        ([], "INVALID_REQUEST_MESSAGE", "must be followed by & and a component"),
        (["serviceType=GP"], "INVALID_REQUEST_MESSAGE", "MessageHeader.event is missing"),
        ([GP, "MessageHeader.event=vaccinations-1"], "INVALID_REQUEST_MESSAGE", "only one MessageHeader.event"),
        ([GP, ""], "INVALID_REQUEST_MESSAGE", "a component must be one of"),
        (["", GP], "INVALID_REQUEST_MESSAGE", "a component must be one of"),
        ([PATIENT, "", GP], "INVALID_REQUEST_MESSAGE", "a component must be one of"),
        ([GP, "colour=red"], "INVALID_REQUEST_MESSAGE", "a component must be one of"),
        ([GP, "serviceType"], "INVALID_REQUEST_MESSAGE", "serviceType has no value"),
        ([GP, "serviceType="], "INVALID_REQUEST_MESSAGE", "serviceType has no value"),
        ([GP, "serviceType=XX"], "INVALID_REQUEST_MESSAGE", "serviceType must be"),
        ([GP, "serviceType=GP", "serviceType=GP"], "INVALID_REQUEST_MESSAGE", "serviceType may stand only once"),
        ([GP, PATIENT, PATIENT], "INVALID_REQUEST_MESSAGE", "Patient.identifier may stand only once"),
        ([GP, "tag=a b"], "INVALID_REQUEST_MESSAGE", "tag may hold"),
        ([GP, f"tag={'t' * 101}"], "INVALID_REQUEST_MESSAGE", "tag may hold"),
        ([GP, "subscriptionRuleType=COUNTRYCODE"], "INVALID_REQUEST_MESSAGE", "needs an Organization.identifier"),
        ([GP, "subscriptionRuleType=UHV_POSTCODE_LACODE"], "INVALID_REQUEST_MESSAGE", "needs an Organization"),
        ([GP, "Organization.identifier=A91720"], "INVALID_REQUEST_MESSAGE", "needs a subscriptionRuleType"),
        ([GP, *rule("HSS", "A91720")], "INVALID_REQUEST_MESSAGE", "subscriptionRuleType must be one of"),
        ([GP, *rule("GP_GP_GP", "A 1")], "INVALID_REQUEST_MESSAGE", "must be a code"),
        ([GP, *rule("GP_GP_GP", "A1"), "Organization.identifier=A2"], "INVALID_REQUEST_MESSAGE", "only once"),
        ([GP, *rule("GP_GP_GP", "A1"), "subscriptionRuleType=GP_GP_GP"], "INVALID_REQUEST_MESSAGE", "only once"),
        ([GP, *rule("COUNTRYCODE", "A91720")], "INVALID_REQUEST_MESSAGE", "must be one of E92000001"),
        ([GP, PATIENT, *rule("GP_GP_GP", "A91720")], "INVALID_REQUEST_MESSAGE", "there may be no subscriptionRuleType"),
        ([GP, PATIENT, "Organization.identifier=A1"], "INVALID_REQUEST_MESSAGE", "no Organization.identifier"),
        ([GP, "Patient.age=14"], "INVALID_REQUEST_MESSAGE", "Patient.age must be"),
        ([GP, "Patient.age=lt14:contains"], "INVALID_REQUEST_MESSAGE", "Patient.age must be"),
        ([GP, "Patient.age=lt-1"], "INVALID_REQUEST_MESSAGE", "Patient.age must be"),
        ([GP, *["Patient.age=lt14"] * 3], "INVALID_REQUEST_MESSAGE", "Patient.age may stand twice"),
        ([GP, "GPRegistration=Both"], "INVALID_REQUEST_MESSAGE", "GPRegistration must be"),
        ([GP, *["GPRegistration=RegisteredOnly"] * 2], "INVALID_REQUEST_MESSAGE", "only once"),
        (
            [GP, *rule("GP_GP_GP", "A1"), "GPRegistration=RegisteredOnly"],
            "INVALID_REQUEST_MESSAGE",
            "may not stand with",
        ),
        (
            [GP, *rule("CHO_GP_CCG", "A1"), "GPRegistration=RegisteredOnly"],
            "INVALID_REQUEST_MESSAGE",
            "may not stand with",
        ),
        (["MessageHeader.event=pds-chance-1"], "INVALID_CODE_VALUE", "not an event that this gateway takes"),
        (["MessageHeader.event=pds-change-of-gp-2"], "INVALID_CODE_VALUE", "not an event that this gateway takes"),
        ([GP, PATIENT.replace("1006", "1007")], "INVALID_NHS_NUMBER", "does not conform to the NHS Number format"),
        ([GP, PATIENT.replace("fhir.nhs.uk", "example.org")], "INVALID_IDENTIFIER_SYSTEM", "must be an NHS number"),
    ],
)
def test_what_is_refused_and_why(components: list[str], reason: str, says: str) -> None:
    found, text = refusal("&".join(["/Bundle?type=message", *components]))
    assert found == reason
    assert says in text


@pytest.mark.rule("nems-criteria-prefix")
@pytest.mark.parametrize("criteria", ["", "Bundle?type=message", "/Bundle?type=messages", f"/Bundle?type=message{GP}"])
def test_it_must_begin_as_a_search_for_messages(criteria: str) -> None:
    assert refusal(criteria)[0] == "INVALID_REQUEST_MESSAGE"


@given(st.text(max_size=200).map(lambda text: f"/Bundle?type=message&{text}"))
def test_anything_is_read_or_refused(criteria: str) -> None:
    try:
        parse(criteria, CATALOGUE, "X24", every_patient=True)
    except Refusal as refused:
        assert refused.issues[0].location == "Subscription.criteria"
