"""`python pgqueuer_jobs.py URL JOBS BATCH`: jobs that do nothing, each taken and marked as done by pgqueuer's own worker.

Run by the virtual environment `.venv-bench`, on an empty database. Prints jobs, seconds and CPU seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time

import asyncpg
import uvloop
from pgqueuer import AsyncpgPoolDriver, PgQueuer, Queries
from pgqueuer.domain.types import QueueExecutionMode


async def main(url: str, jobs: int, batch: int) -> None:
    async with asyncpg.create_pool(url, min_size=4, max_size=8) as pool:
        driver = AsyncpgPoolDriver(pool)
        queries = Queries(driver)
        await queries.install()
        for start in range(0, jobs, 1000):
            await queries.enqueue(["nothing"] * 1000, [str(start).encode()] * 1000, [0] * 1000)
        queuer = PgQueuer(driver)
        done = 0

        @queuer.entrypoint("nothing")
        async def nothing(_: object) -> None:
            nonlocal done
            done += 1

        started, cpu = time.perf_counter(), time.process_time()
        await queuer.qm.run(batch_size=batch, mode=QueueExecutionMode.drain, max_concurrent_tasks=2 * batch)
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
        assert done == jobs, f"{done} of {jobs} done"
        print(json.dumps({"jobs": done, "seconds": seconds, "cpu_seconds": cpu_seconds}))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
