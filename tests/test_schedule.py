from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from gateway.errors import Unavailable
from gateway.schedule import Job, Schedule
from tests.harness import until

SOON = 0.02


class Counted:
    """A job that counts its runs, and can be made to take long or to fail."""

    def __init__(self, seconds: float = 0, error: Exception | None = None) -> None:
        self.runs, self.at_once, self.most_at_once = 0, 0, 0
        self.ended, self.given_up = 0, 0
        self._seconds, self._error = seconds, error

    async def __call__(self) -> None:
        self.runs += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self._seconds)
            self.ended += 1
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        finally:
            self.at_once -= 1
        if self._error:
            raise self._error


async def test_a_job_runs_at_once_and_again() -> None:
    seldom, often = Counted(), Counted()
    schedule = Schedule([Job("seldom", 3600, seldom), Job("often", SOON, often)])
    schedule.start()
    await until(lambda: seldom.runs == 1 and often.runs >= 3)
    await schedule.stop(5)
    assert seldom.runs == 1


async def test_a_job_does_not_run_beside_itself_but_beside_others() -> None:
    slow, quick = Counted(seconds=0.3), Counted()
    schedule = Schedule([Job("slow", SOON, slow), Job("quick", SOON, quick)])
    schedule.start()
    await until(lambda: slow.runs >= 2)
    await schedule.stop(5)
    assert slow.most_at_once == 1
    assert quick.runs > slow.runs


async def test_a_job_that_fails_is_told_of_without_its_words_and_runs_again() -> None:
    failing = Counted(error=ValueError("canary"))
    schedule = Schedule([Job("failing", SOON, failing)])
    with capture_logs() as logged:
        schedule.start()
        await until(lambda: failing.runs >= 2)
        await schedule.stop(5)
    assert logged[0] == {"event": "job", "job": "failing", "error": "ValueError", "log_level": "error"}
    assert "canary" not in str(logged)


async def test_a_store_that_is_away_is_told_of_once() -> None:
    failing = Counted(error=Unavailable("the database is away"))
    schedule = Schedule([Job("failing", SOON, failing)])
    with capture_logs() as logged:
        schedule.start()
        await until(lambda: failing.runs >= 3)
        await schedule.stop(5)
    assert [one["error"] for one in logged] == ["Unavailable"]


async def test_a_job_of_one_node_among_all_runs_when_the_node_has_the_turn() -> None:
    asked: list[tuple[str, float]] = []

    async def every_second_time(name: str, seconds: float) -> bool:
        asked.append((name, seconds))
        return len(asked) % 2 == 0

    alone, free = Counted(), Counted()
    schedule = Schedule([Job("alone", SOON, alone, alone=True), Job("free", SOON, free)], every_second_time)
    schedule.start()
    await until(lambda: alone.runs >= 2)
    await schedule.stop(5)
    assert set(asked) == {("alone", SOON)}
    assert alone.runs == len(asked) // 2


async def test_a_stop_waits_for_what_is_under_way() -> None:
    slow = Counted(seconds=0.2)
    schedule = Schedule([Job("slow", SOON, slow)])
    schedule.start()
    await until(lambda: slow.runs == 1)
    await schedule.stop(5)
    assert (slow.runs, slow.ended, slow.given_up) == (1, 1, 0)


async def test_a_stop_gives_up_what_takes_too_long_and_nothing_starts_after_it() -> None:
    endless, quick = Counted(seconds=3600), Counted()
    schedule = Schedule([Job("endless", SOON, endless), Job("quick", SOON, quick)])
    schedule.start()
    await until(lambda: endless.runs == 1)
    async with asyncio.timeout(5):
        await schedule.stop(0.1)
    assert (endless.ended, endless.given_up) == (0, 1)
    runs = quick.runs
    await asyncio.sleep(5 * SOON)
    assert quick.runs == runs


async def test_a_schedule_without_jobs_can_be_stopped() -> None:
    schedule = Schedule([])
    schedule.start()
    await schedule.stop(1)
