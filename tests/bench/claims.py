"""The store's claims alone: `python -m tests.bench.claims URL JOBS BATCH` prints jobs, seconds and CPU seconds as JSON.

So many deliveries, each of an event of its own, are claimed in batches, and each is recorded as delivered. That is what
a queue does between taking a job and marking it as done, and more: the event is read, and the attempt kept.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time

from gateway.clock import now_ms
from gateway.listener import loop_factory
from gateway.store.base import Acceptance, Claimed, Room
from gateway.store.postgres import PostgresStore
from tests.samples import delivery, event, verdict

LEASE_MS = 120_000


async def measure(url: str, jobs: int, batch: int) -> dict[str, float]:
    """Jobs done, and the time and the CPU time that took, in seconds."""
    store = PostgresStore(url)
    await store.open()
    for _ in range(0, jobs, 1000):
        events = [event(received_ms=now_ms()) for _ in range(1000)]
        await asyncio.gather(*(store.accept(Acceptance(one, [delivery(one)])) for one in events))
    started, cpu = time.perf_counter(), time.process_time()
    # The next batch is claimed while that before it is recorded, as the dispatcher does.
    done, recording = 0, asyncio.create_task(_record(store, []))
    while claimed := await store.claim(Room(batch), now_ms(), now_ms() + LEASE_MS):
        await recording
        recording = asyncio.create_task(_record(store, claimed))
        done += len(claimed)
    await recording
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    await store.close()
    assert done == jobs, f"{done} of {jobs} done"
    return {"jobs": done, "seconds": seconds, "cpu_seconds": cpu_seconds}


async def _record(store: PostgresStore, claimed: list[Claimed]) -> None:
    await asyncio.gather(*(store.record(verdict(one.delivery)) for one in claimed))


def main(url: str, jobs: str, batch: str) -> None:
    # As the gateway has it.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    with asyncio.Runner(loop_factory=loop_factory()) as loop:
        print(json.dumps(loop.run(measure(url, int(jobs), int(batch)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
