"""Whatever JSON a caller sends, what is wrong with it is told: no check of the MNS face fails on it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import catalogue
from gateway.errors import Refusal
from gateway.faces.mns import criteria, resource
from gateway.faces.mns.attributes import CLOUDEVENT, V1, _holds, cloudevent_issues, v1_issues
from gateway.faces.mns.criteria import Extensions
from gateway.resources import folder

CATALOGUE = catalogue.load(folder("config") / "event-types")
NAMES = sorted({part for path in (*CLOUDEVENT, *V1) for part in path.split(".")})
ELEMENTS = [
    "resourceType",
    "status",
    "reason",
    "criteria",
    "end",
    "channel",
    "hydration",
    "type",
    "endpoint",
    "payload",
]

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)


def documents(names: list[str]) -> st.SearchStrategy[dict[str, object]]:
    """Objects with members of these names, and of others, that hold anything."""
    keys = st.sampled_from(names) | st.text(max_size=4)
    values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5))
    return st.dictionaries(keys, values, max_size=8)


@given(documents(NAMES))
def test_any_event_is_judged(event: dict[str, object]) -> None:
    # None of them is whole, which takes five attributes of the right form.
    assert cloudevent_issues(event)
    assert v1_issues(event)


GOOD = {"id": "a", "source": "https://x/y", "specversion": "1.0", "type": "t", "time": "2026-11-02T09:15:00Z"}
values = scalars | st.sampled_from(["", "\n", "a:a", "a b", "a\u3000b", "y:" + "z" * 2001, *GOOD.values()])


@given(st.dictionaries(st.sampled_from([*CLOUDEVENT, "other"]), values, max_size=4), st.sets(st.sampled_from([*GOOD])))
def test_one_look_at_all_attributes_finds_what_a_look_at_each_does(changed: dict[str, object], left: set[str]) -> None:
    event = {name: value for name, value in (GOOD | changed).items() if name not in left}
    wrong = [name for name, attribute in CLOUDEVENT.items() if not _holds(attribute, event, name)]
    assert [one.location for one in cloudevent_issues(event)] == [*wrong, *event.keys() - CLOUDEVENT.keys()]


@given(documents([*ELEMENTS, "enabled", "headers"]), st.booleans())
def test_any_subscription_is_judged(found: dict[str, object], rest_hook: bool) -> None:
    with pytest.raises(Refusal):
        resource.check(found, rest_hook=rest_hook, loopback=False)


@given(st.text(alphabet="eventTyp='pds-changofrANDOR()<>!,INhsumber0123 ", max_size=60), st.booleans())
def test_any_criteria_are_read_or_refused(text: str, extended: bool) -> None:
    with contextlib.suppress(Refusal):
        asked = criteria.read(f"eventType='pds-change-of-gp-2'{text}", CATALOGUE, Extensions(extended))
        assert asked.event_type.id == "pds-change-of-gp-1"
