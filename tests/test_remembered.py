"""Things remembered for a while."""

from __future__ import annotations

from gateway.remembered import Remembered


def test_the_oldest_is_forgotten_when_there_are_too_many() -> None:
    remembered: Remembered[int, str] = Remembered(2)
    for key in (1, 2, 3):
        remembered.keep(key, str(key))
    assert [remembered.get(key) for key in (1, 2, 3)] == [None, "2", "3"]


def test_what_is_kept_again_stays_in_its_place() -> None:
    remembered: Remembered[int, str] = Remembered(2)
    for key, thing in ((1, "a"), (2, "b"), (1, "c"), (3, "d")):
        remembered.keep(key, thing)
    assert [remembered.get(key) for key in (1, 2, 3)] == [None, "b", "d"]
