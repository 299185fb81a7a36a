from __future__ import annotations

import pytest

from gateway.applications import Application
from gateway.errors import Throttled
from gateway.faces.oauth.quota import Quota


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def application(name: str = "surgery", quota: int | None = None) -> Application:
    return Application(id=name, name=name, quota_per_minute=quota)


def left(quota: Quota, caller: Application) -> int:
    """How many requests it lets through before it refuses."""
    for taken in range(1000):
        try:
            quota.take(caller)
        except Throttled:
            return taken
    raise AssertionError("no limit")


def test_a_minute_holds_the_quota_and_it_fills_again() -> None:
    clock = Clock()
    quota = Quota(60, clock)
    assert left(quota, application()) == 60
    clock.now += 2.5
    assert left(quota, application()) == 2
    clock.now += 3600
    assert left(quota, application()) == 60


def test_the_refusal_says_when_to_come_again() -> None:
    clock = Clock()
    quota = Quota(2, clock)
    assert left(quota, application()) == 2
    with pytest.raises(Throttled) as refused:
        quota.take(application())
    assert refused.value.retry_after_seconds == 30
    clock.now += refused.value.retry_after_seconds
    quota.take(application())


def test_applications_do_not_share_and_may_have_their_own() -> None:
    quota = Quota(3, Clock())
    assert left(quota, application()) == 3
    assert left(quota, application("hospital", 5)) == 5
    assert left(quota, application("pharmacy")) == 3


@pytest.mark.parametrize(("default", "own"), [(0, None), (3, 0)])
def test_nought_is_no_limit(default: int, own: int | None) -> None:
    quota = Quota(default, Clock())
    for _ in range(1000):
        quota.take(application(quota=own))
