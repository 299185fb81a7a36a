"""`python procrastinate_jobs.py URL JOBS CONCURRENCY`: jobs that do nothing, each taken and marked as done by
procrastinate's own worker.

Run by the virtual environment `.venv-bench`, on an empty database. Prints jobs, seconds and CPU seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time

import procrastinate
import uvloop


async def main(url: str, jobs: int, concurrency: int) -> None:
    connector = procrastinate.PsycopgConnector(conninfo=url, min_size=4, max_size=concurrency + 4)
    app = procrastinate.App(connector=connector)
    done = 0

    @app.task(name="nothing")
    async def nothing(number: int) -> None:
        nonlocal done
        done += 1

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for start in range(0, jobs, 500):
            await nothing.batch_defer_async(*({"number": number} for number in range(start, start + 500)))
        started, cpu = time.perf_counter(), time.process_time()
        await app.run_worker_async(
            wait=False, concurrency=concurrency, install_signal_handlers=False, listen_notify=False
        )
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    assert done == jobs, f"{done} of {jobs} done"
    print(json.dumps({"jobs": done, "seconds": seconds, "cpu_seconds": cpu_seconds}))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
