from __future__ import annotations

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
    return parse("&".join(["/Bundle?type=message", *components]), CATALOGUE)


def refusal(criteria: str) -> tuple[str, str]:
    with pytest.raises(Refusal) as caught:
        parse(criteria, CATALOGUE)
    (issue,) = caught.value.issues
    assert issue.location == "Subscription.criteria"
    return issue.reason, issue.text


@pytest.mark.rule("nems-criteria-explicit")
def test_explicit() -> None:
    found = read("serviceType=GP", PATIENT, GP, "MessageHeader.event=vaccinations-1", "tag=a|b,c_d-1")
    assert found == NemsCriteria(("pds-change-of-gp-1", "vaccinations-1"), "9990001006", "GP", "a|b,c_d-1")
    assert found.kind == "explicit"


def test_generic() -> None:
    found = read(GP)
    assert found == NemsCriteria(("pds-change-of-gp-1",), None, "", "")
    assert found.kind == "generic"


@pytest.mark.rule("nems-criteria-order")
def test_components_may_stand_in_any_order() -> None:
    assert read(GP, PATIENT, "serviceType=UHV") == read("serviceType=UHV", PATIENT, GP)


@pytest.mark.rule("nems-criteria-encoded")
def test_values_may_be_percent_encoded() -> None:
    assert read(PATIENT.replace("|", "%7C").replace("/", "%2F"), GP) == read(PATIENT, GP)


@pytest.mark.rule("nems-criteria-number")
def test_both_systems_of_nhs_numbers_are_taken() -> None:
    assert read(PATIENT.replace("https://fhir.nhs.uk", "http://fhir.nhs.net"), GP) == read(PATIENT, GP)


def test_an_event_named_twice_is_meant_once() -> None:
    assert read(PATIENT, GP, GP).event_types == ("pds-change-of-gp-1",)


@pytest.mark.parametrize(
    ("components", "reason", "says"),
    [
        ([], "INVALID_REQUEST_MESSAGE", "must be followed by & and a component"),
        (["serviceType=GP"], "INVALID_REQUEST_MESSAGE", "MessageHeader.event is missing"),
        ([GP, "MessageHeader.event=vaccinations-1"], "INVALID_REQUEST_MESSAGE", "only one MessageHeader.event"),
        ([GP, ""], "INVALID_REQUEST_MESSAGE", "a component must be one of"),
        ([GP, "colour=red"], "INVALID_REQUEST_MESSAGE", "a component must be one of"),
        ([GP, "serviceType"], "INVALID_REQUEST_MESSAGE", "serviceType has no value"),
        ([GP, "serviceType="], "INVALID_REQUEST_MESSAGE", "serviceType has no value"),
        ([GP, "serviceType=XX"], "INVALID_REQUEST_MESSAGE", "serviceType must be"),
        ([GP, "serviceType=GP", "serviceType=GP"], "INVALID_REQUEST_MESSAGE", "serviceType may stand only once"),
        ([GP, PATIENT, PATIENT], "INVALID_REQUEST_MESSAGE", "Patient.identifier may stand only once"),
        ([GP, "tag=a b"], "INVALID_REQUEST_MESSAGE", "tag may hold"),
        ([GP, f"tag={'t' * 101}"], "INVALID_REQUEST_MESSAGE", "tag may hold"),
        ([GP, "subscriptionRuleType=GP_GP_GP"], "INVALID_REQUEST_MESSAGE", "needs reference data"),
        ([GP, "Patient.age=lt14"], "INVALID_REQUEST_MESSAGE", "needs reference data"),
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
        parse(criteria, CATALOGUE)
    except Refusal as refused:
        assert refused.issues[0].location == "Subscription.criteria"
