from __future__ import annotations

import pytest

from gateway.delivery.breaker import Breaker
from gateway.delivery.channels.base import Outcome, Result

WELL, FAILED = Outcome(Result.DELIVERED, 204), Outcome(Result.FAILED, 500, "HTTP 500")


def noted(breaker: Breaker, *outcomes: Outcome) -> list[bool]:
    return [breaker.note(one) for one in outcomes]


def test_four_failures_in_a_row_are_too_many() -> None:
    assert noted(Breaker(16), *[FAILED] * 4) == [False, False, False, True]


def test_one_failure_in_three_is_put_up_with_and_most_are_not() -> None:
    assert not any(noted(Breaker(16), *[WELL, WELL, FAILED] * 30))
    assert any(noted(Breaker(16), *[WELL, FAILED, FAILED] * 30))


@pytest.mark.parametrize("status", [429, 503])
def test_one_that_says_that_it_is_busy_is_believed_at_once(status: int) -> None:
    assert Breaker(16).note(Outcome(Result.FAILED, status))


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_notification_that_is_refused_is_no_failure_of_the_endpoint(status: int) -> None:
    assert not any(noted(Breaker(16), *[Outcome(Result.REFUSED, status)] * 20))


def test_one_that_is_gone_is() -> None:
    assert noted(Breaker(16), *[Outcome(Result.REFUSED, 410)] * 4)[-1]


def test_once_it_is_well_again_it_is_tried_gently_and_then_forgotten() -> None:
    breaker = Breaker(4)
    noted(breaker, *[FAILED] * 4)
    assert not breaker.is_well
    breaker.reopen()
    widths = []
    for _ in range(5):
        widths.append(breaker.width)
        breaker.note(WELL)
    assert widths == [1, 2, 3, 4, 4]
    assert breaker.is_well
