from __future__ import annotations

import pytest

from gateway.clock import instant, instant_ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("2026-11-02T09:15:00.123456789Z", 1793610900123),
        ("2016-12-31T23:59:60Z", 1483228799000),
    ],
)
def test_instants_are_read(text: str, ms: int) -> None:
    assert instant_ms(text) == ms


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-11-02T09:15:00+58:00", "2026-13-02T09:15:00Z", "2026-11-02T09:15:00", "2026-11-02"]
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        instant_ms(text)


def test_instants_are_written_in_utc_to_the_millisecond() -> None:
    assert instant(1793610900120) == "2026-11-02T09:15:00.120Z"
