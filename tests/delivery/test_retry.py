from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.retry import LONGEST_RETRY_AFTER_SECONDS, RetryPolicy

EXACT = RetryPolicy((1, 10, 100), jitter=0)


@pytest.mark.parametrize(("attempts", "wait"), [(1, 1), (2, 10), (3, 100), (4, None), (9, None)])
def test_the_schedule_is_kept_and_ends(attempts: int, wait: float | None) -> None:
    assert EXACT.wait(attempts) == wait


def test_without_a_schedule_there_is_one_attempt() -> None:
    assert RetryPolicy((), 0.2).wait(1) is None


@given(st.integers(1, 3), st.floats(0, 0.99))
def test_waits_vary_by_the_jitter_and_no_more(attempts: int, jitter: float) -> None:
    wait = RetryPolicy(EXACT.waits, jitter).wait(attempts)
    base = EXACT.waits[attempts - 1]
    assert wait is not None
    assert base * (1 - jitter) - 1e-9 <= wait <= base * (1 + jitter) + 1e-9


@pytest.mark.parametrize(
    ("asked", "wait"), [(0.5, 10), (30, 30), (10**9, LONGEST_RETRY_AFTER_SECONDS), (None, 10), (0, 10)]
)
def test_retry_after_can_only_lengthen_a_wait_and_is_capped(asked: float | None, wait: float) -> None:
    assert EXACT.wait(2, asked) == wait


def test_retry_after_does_not_outlive_the_schedule() -> None:
    assert EXACT.wait(4, 30) is None
