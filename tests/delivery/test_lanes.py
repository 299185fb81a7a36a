from __future__ import annotations

import asyncio
from collections import Counter

from gateway.delivery.lanes import Lanes


class Work:
    """Work that notes how much of it runs at once, and waits until it may end."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.may_end = asyncio.Event()

    async def __call__(self, item: str) -> None:
        endpoint = item[0]
        self.begun.append(item)
        self.running[endpoint] += 1
        self.most[endpoint] = max(self.most[endpoint], self.running[endpoint])
        await self.may_end.wait()
        self.running[endpoint] -= 1


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_endpoint_gets_no_more_at_once_than_its_lane_is_wide() -> None:
    work = Work()
    lanes: Lanes[str] = Lanes(work, width=lambda _: 2)
    for number in range(5):
        lanes.add("a", f"a{number}")
    lanes.add("b", "b0")
    await settle()
    assert work.begun == ["a0", "a1", "b0"]
    work.may_end.set()
    await lanes.wait(5)
    assert sorted(work.begun) == ["a0", "a1", "a2", "a3", "a4", "b0"]
    assert work.most == {"a": 2, "b": 1}


async def test_a_lane_of_one_keeps_the_order() -> None:
    work = Work()
    work.may_end.set()
    lanes: Lanes[str] = Lanes(work, width=lambda _: 1)
    items = [f"a{number}" for number in range(20)]
    for item in items:
        lanes.add("a", item)
    await lanes.wait(5)
    assert work.begun == items


async def test_what_waits_can_be_taken_out_and_the_rest_goes_on() -> None:
    work = Work()
    lanes: Lanes[str] = Lanes(work, width=lambda _: 1)
    for item in ("a0", "a1", "b0", "b1"):
        lanes.add(item[0], item)
    await settle()
    assert lanes.clear() == ["a1", "b1"]
    work.may_end.set()
    await lanes.wait(5)
    assert work.begun == ["a0", "b0"]


async def test_work_that_does_not_end_in_time_is_cancelled() -> None:
    work = Work()
    lanes: Lanes[str] = Lanes(work, width=lambda _: 1)
    lanes.add("a", "a0")
    await settle()
    await lanes.wait(0.01)
    assert work.begun == ["a0"]
    assert not lanes._tasks


async def test_an_empty_lane_is_forgotten() -> None:
    work = Work()
    work.may_end.set()
    lanes: Lanes[str] = Lanes(work, width=lambda _: 3)
    for _ in range(3):
        lanes.add("a", "a0")
    await lanes.wait(5)
    await settle()
    assert not lanes._lanes
    lanes.add("a", "a1")
    await lanes.wait(5)
    assert work.begun[-1] == "a1"
