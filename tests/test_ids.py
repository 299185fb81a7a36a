from __future__ import annotations

import contextlib
import itertools
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import ids
from gateway.clock import now_ms

row_ids = st.integers(min_value=0, max_value=(1 << ids.ID_BITS) - 1)
instances = st.integers(min_value=0, max_value=(1 << ids.INSTANCE_BITS) - 1)


def test_ids_grow_without_repeating() -> None:
    source = ids.Ids()
    made = [source.next() for _ in range(20_000)]
    assert all(first < second for first, second in itertools.pairwise(made))


def test_ids_fit_the_database() -> None:
    assert ids.Ids().next() < 1 << ids.ID_BITS


@given(row_ids)
def test_what_is_shown_is_read_back(row_id: int) -> None:
    assert ids.parse(ids.show(row_id)) == row_id
    assert ids.parse(ids.show(row_id).lower()) == row_id


@given(row_ids, row_ids)
def test_ids_sort_as_they_are_shown(one: int, other: int) -> None:
    assert (one < other) == (ids.show(one) < ids.show(other))


@pytest.mark.parametrize("text", ["", "0", "0" * 12, "0" * 14, "0" * 12 + "U", "Z" * 13, "é" * 13, "\u0661" * 13])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an id"):
        ids.parse(text)


@given(st.text(max_size=20))
def test_any_text_is_an_id_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert ids.parse(text) >= 0


@given(instances, row_ids)
def test_a_delivery_is_found_by_its_uuid(instance: int, delivery_id: int) -> None:
    name = ids.delivery_uuid(instance, delivery_id)
    assert (uuid.UUID(name).version, str(uuid.UUID(name))) == (8, name)
    assert ids.delivery_of(instance, name) == delivery_id
    assert ids.delivery_of(instance, name.upper()) == delivery_id


@given(instances, instances, row_ids)
def test_another_stores_uuid_is_not_ours(instance: int, other: int, delivery_id: int) -> None:
    found = ids.delivery_of(instance, ids.delivery_uuid(other, delivery_id))
    assert (found == delivery_id) == (instance == other)


@given(st.text(max_size=50))
def test_any_text_is_a_delivery_or_none(text: str) -> None:
    assert ids.delivery_of(1, text) is None


def test_the_ids_of_a_time_are_not_under_its_first() -> None:
    before, row_id, after = now_ms(), ids.Ids().next(), now_ms()
    assert ids.first_at(before) <= row_id < ids.first_at(after + 1)
    assert ids.first_at(0) == 0
