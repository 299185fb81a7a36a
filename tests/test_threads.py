from __future__ import annotations

import asyncio
import threading
import time

import pytest

from gateway.threads import Threads


async def test_a_call_runs_elsewhere_and_its_result_comes_back() -> None:
    threads = Threads(2, "test")
    assert await threads.run(threading.get_ident) != threading.get_ident()
    assert await threads.close(5)


async def test_what_a_call_raises_comes_back() -> None:
    threads = Threads(1, "test")
    with pytest.raises(ValueError, match="invalid literal"):
        await threads.run(lambda: int("x"))
    assert await threads.run(lambda: 1) == 1
    await threads.close(5)


async def test_no_more_calls_run_at_once_than_there_are_threads() -> None:
    threads = Threads(3, "test")
    now, most = 0, 0
    lock = threading.Lock()

    def call() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1

    await asyncio.gather(*(threads.run(call) for _ in range(12)))
    assert most == 3
    await threads.close(5)


async def test_closing_waits_for_what_is_under_way_and_not_for_ever() -> None:
    threads = Threads(1, "test")
    finish, started = threading.Event(), threading.Event()

    def call() -> None:
        started.set()
        finish.wait(30)

    task = asyncio.create_task(threads.run(call))
    await asyncio.to_thread(started.wait, 10)
    assert not await threads.close(0.05)
    finish.set()
    assert await threads.close(10)
    await task


async def test_a_call_that_nobody_waits_for_any_more_is_not_made() -> None:
    threads = Threads(1, "test")
    finish, made = threading.Event(), threading.Event()
    first = asyncio.create_task(threads.run(lambda: finish.wait(30)))
    second = asyncio.create_task(threads.run(made.set))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    finish.set()
    await first
    assert await threads.close(10)
    assert not made.is_set()


def test_a_call_that_outlives_the_loop_harms_nobody() -> None:
    finish = threading.Event()
    threads: list[Threads] = []

    async def leave_it() -> None:
        threads.append(Threads(1, "test"))
        waiting = asyncio.create_task(threads[0].run(lambda: finish.wait(30)))
        await asyncio.sleep(0.01)
        waiting.cancel()

    asyncio.run(leave_it())
    finish.set()
    assert asyncio.run(threads[0].close(10))
