from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.subscriptions.index import Index
from tests.samples import NHS_NUMBER, event, subscription

OTHER = "9990001014"


def test_explicit_subscriptions_match_their_patient() -> None:
    mine, others = subscription(subject=NHS_NUMBER), subscription(subject=OTHER)
    assert Index([mine, others]).match(event()) == [mine]


def test_generic_subscriptions_match_every_patient_and_none() -> None:
    generic = subscription()
    index = Index([generic])
    assert index.match(event()) == index.match(event(subject=None)) == [generic]


def test_an_event_without_a_patient_matches_no_explicit_subscription() -> None:
    assert Index([subscription(subject=NHS_NUMBER)]).match(event(subject=None)) == []


def test_only_the_event_types_asked_for_match() -> None:
    both = subscription(event_types=("pds-change-of-gp-1", "vaccinations-1"))
    index = Index([both, subscription(event_types=("pds-record-change-1",))])
    assert index.match(event()) == index.match(event(type="vaccinations-1")) == [both]


@pytest.mark.rule("nems-match-end")
def test_a_subscription_that_has_ended_matches_no_more() -> None:
    one = event(received_ms=1000)
    still, no_more = subscription(end_ms=1001), subscription(end_ms=1000)
    assert Index([still, no_more]).match(one) == [still]


def test_a_twin_asks_for_the_same_at_the_same_place() -> None:
    one = subscription(tag="b,a")
    index = Index([one])
    assert index.twin_of(subscription(tag="a,b"), 0) is one
    for different in (
        {"endpoint": "B"},
        {"application": "x"},
        {"subject": OTHER},
        {"tag": "c"},
        {"form": "cloudevent"},
    ):
        assert index.twin_of(subscription(**({"tag": "a,b"} | different)), 0) is None


def test_a_subscription_that_has_ended_is_nobodys_twin() -> None:
    index = Index([subscription(end_ms=1000)])
    assert index.twin_of(subscription(), 999)
    assert index.twin_of(subscription(), 1000) is None


@given(st.lists(st.tuples(st.sampled_from([None, NHS_NUMBER, OTHER]), st.booleans()), max_size=12))
def test_the_index_agrees_with_looking_at_each(made: list[tuple[str | None, bool]]) -> None:
    everything = [(subscription(subject=subject), stays) for subject, stays in made]
    index = Index(one for one, _ in everything)
    for one, stays in everything:
        if not stays:
            index.remove(one.id)
            index.remove(one.id)
    expected = {one.id for one, stays in everything if stays and one.subject in (None, NHS_NUMBER)}
    assert {one.id for one in index.match(event())} == expected
    assert len(index) == sum(stays for _, stays in everything)
