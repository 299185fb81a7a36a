from __future__ import annotations

from datetime import date

import pytest

from gateway.catalogue import EventType, LifeCycle, Nems
from gateway.errors import Refusal
from gateway.faces.nems.life_cycle import on_publish, on_subscribe

MORE = "for more information go to https://developer.nhs.uk/apis/ems-beta/overview_supported_events.html"


def event_type(state: LifeCycle, ends: date | None = None) -> EventType:
    return EventType(
        id="newborn-hearing-1",
        name="Newborn Hearing",
        state=state,
        state_ends=ends,
        nems=Nems(code="newborn-hearing-1", workflow="NEWBORNHEARING_1"),
        topic="http://example.org/newborn-hearing-1",
    )


def test_there_is_nothing_to_say_of_an_active_type() -> None:
    assert on_publish(event_type("active"), "") == on_subscribe([event_type("active")], "") == []


def test_a_deprecated_type_is_told_in_the_words_of_nems() -> None:
    deprecated = event_type("deprecated", date(2019, 6, 22))
    (issue,) = on_publish(deprecated, "")
    assert (issue.reason, issue.severity) == ("DEPRECATED", "information")
    said = "Deprecation of the Newborn Hearing (newborn-hearing-1) event type will occur on 22/06/2019, " + MORE
    assert issue.text == said
    assert on_subscribe([deprecated], "") == [issue]


def test_a_day_that_is_not_known_is_not_told() -> None:
    assert "event type will follow, for" in on_publish(event_type("deprecated"), "")[0].text


def test_a_type_no_longer_supported_may_be_published_and_not_subscribed_to() -> None:
    (issue,) = on_publish(event_type("no-longer-supported"), "")
    assert (issue.reason, issue.severity) == ("NO_LONGER_SUPPORTED", "warning")
    with pytest.raises(Refusal) as refused:
        on_subscribe([event_type("deprecated"), event_type("no-longer-supported")], "")
    assert [issue.reason for issue in refused.value.issues] == ["NO_LONGER_SUPPORTED", "DEPRECATED"]


def test_a_withdrawn_type_is_refused() -> None:
    for call in (lambda: on_publish(event_type("withdrawn"), ""), lambda: on_subscribe([event_type("withdrawn")], "")):
        with pytest.raises(Refusal) as refused:
            call()
        assert [issue.reason for issue in refused.value.issues] == ["WITHDRAWN"]
