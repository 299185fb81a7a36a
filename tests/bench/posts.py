"""aiohttp posting, and nothing else: `python -m tests.bench.posts PORT SECONDS` prints how much of it, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid

from gateway.listener import loop_factory
from gateway.outbound import session
from tests.bench.processes import IN_FLIGHT

BODY = b"x" * 1400
"""About as long as a signal of MNS."""


async def main(port: int, seconds: float) -> dict[str, float]:
    async with session(15.0, loopback=True) as posting:
        end = time.perf_counter() + seconds

        async def post() -> int:
            done = 0
            while time.perf_counter() < end:
                headers = {"Content-Type": "application/fhir+json", "webhook-id": str(uuid.uuid4())}
                async with posting.post(
                    f"http://127.0.0.1:{port}/signals", data=BODY, headers=headers, allow_redirects=False
                ) as answer:
                    assert answer.status == 204
                done += 1
            return done

        started, cpu = time.perf_counter(), time.process_time()
        counts = await asyncio.gather(*(post() for _ in range(IN_FLIGHT)))
        return {
            "posts": sum(counts), "seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu,
        }  # fmt: skip


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as loop:
        print(json.dumps(loop.run(main(int(sys.argv[1]), float(sys.argv[2])))))
