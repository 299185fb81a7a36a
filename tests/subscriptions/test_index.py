from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.reference.data import Reference
from gateway.subscriptions.facts import EventFacts
from gateway.subscriptions.index import Index
from gateway.subscriptions.subscription import Entry, Subscription
from tests.samples import NHS_NUMBER, event, subscription

OTHER = "9990001014"


def index_of(*subscriptions: Subscription) -> Index:
    return Index(one.entry for one in subscriptions)


def ids(matched: list[Entry]) -> list[str]:
    return [one.id for one in matched]


def test_explicit_subscriptions_match_their_patient() -> None:
    mine, others = subscription(subject=NHS_NUMBER), subscription(subject=OTHER)
    assert ids(index_of(mine, others).match(event())) == [mine.id]


def test_generic_subscriptions_match_every_patient_and_none() -> None:
    generic = subscription()
    index = index_of(generic)
    assert ids(index.match(event())) == ids(index.match(event(subject=None))) == [generic.id]


def test_an_event_without_a_patient_matches_no_explicit_subscription() -> None:
    assert index_of(subscription(subject=NHS_NUMBER)).match(event(subject=None)) == []


def test_only_the_event_types_asked_for_match() -> None:
    both = subscription(event_types=("pds-change-of-gp-1", "vaccinations-1"))
    index = index_of(both, subscription(event_types=("pds-record-change-1",)))
    assert ids(index.match(event())) == ids(index.match(event(type="vaccinations-1"))) == [both.id]


@pytest.mark.rule("nems-match-end")
def test_a_subscription_that_has_ended_matches_no_more() -> None:
    one = event(received_ms=1000)
    still, no_more = subscription(end_ms=1001), subscription(end_ms=1000)
    assert ids(index_of(still, no_more).match(one)) == [still.id]


def test_a_twin_asks_for_the_same_at_the_same_place() -> None:
    one = subscription(tag="b,a")
    index = index_of(one)
    twin = index.twin_of(subscription(tag="a,b").entry, 0)
    assert twin is not None
    assert twin.id == one.id
    for different in (
        {"endpoint": "B"},
        {"application": "x"},
        {"subject": OTHER},
        {"tag": "c"},
        {"form": "cloudevent"},
        {"filter": "a = b"},
    ):
        assert index.twin_of(subscription(**({"tag": "a,b"} | different)).entry, 0) is None


def test_a_subscription_that_has_ended_is_nobodys_twin() -> None:
    index = index_of(subscription(end_ms=1000))
    assert index.twin_of(subscription().entry, 999)
    assert index.twin_of(subscription().entry, 1000) is None


@given(st.lists(st.tuples(st.sampled_from([None, NHS_NUMBER, OTHER]), st.booleans()), max_size=12))
def test_the_index_agrees_with_looking_at_each(made: list[tuple[str | None, bool]]) -> None:
    everything = [(subscription(subject=subject), stays) for subject, stays in made]
    index = index_of(*(one for one, _ in everything))
    for one, stays in everything:
        if not stays:
            index.remove(one.id)
            index.remove(one.id)
    expected = {one.id for one, stays in everything if stays and one.subject in (None, NHS_NUMBER)}
    assert {one.id for one in index.match(event())} == expected
    assert len(index) == sum(stays for _, stays in everything)


CRITERIA = st.sampled_from(
    [
        "",
        "practice = 'A'",
        "practice IN ('A', 'B')",
        "practice = 'A' AND flag = 'S'",
        "flag != 'S'",
        "practice = 'A' OR flag = 'S'",
    ]
)


@given(
    st.lists(st.tuples(CRITERIA, st.booleans()), max_size=12),
    st.sampled_from(["A", "B", ["A", "B"], None]),
    st.booleans(),
)
def test_criteria_are_found_by_their_values_as_if_each_were_asked(
    made: list[tuple[str, bool]], practice: object, flagged: bool
) -> None:
    everything = [(subscription(filter=text), stays) for text, stays in made]
    index = index_of(*(one for one, _ in everything))
    for one, stays in everything:
        if not stays:
            index.remove(one.id)
    filtering = {"practice": practice} | ({"flag": "S"} if flagged else {})
    happened = event(filtering={key: value for key, value in filtering.items() if value is not None})
    facts = EventFacts(happened, Reference())
    expected = [
        one.id for one, stays in everything if stays and ((meets := one.entry.terms.meets) is None or meets(facts))
    ]
    assert sorted(ids(index.match(happened))) == sorted(expected)


def test_an_explicit_subscription_too_may_have_a_criterion() -> None:
    one = subscription(subject=NHS_NUMBER, filter="generalpractitioner = 'A20047'")
    other = subscription(subject=NHS_NUMBER, filter="generalpractitioner = 'B86056'")
    assert ids(index_of(one, other).match(event())) == [one.id]


def test_a_subscription_is_not_its_own_twin_and_another_workflow_is_another_place() -> None:
    one = subscription(form="mns-signal", workflow="A").entry
    index = Index([one])
    assert index.twin_of(one, 0) is None
    twin = subscription(form="mns-signal", workflow="A").entry
    assert index.twin_of(twin, 0) is one
    assert index.twin_of(subscription(form="mns-signal", workflow="B").entry, 0) is None
