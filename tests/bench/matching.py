"""The index of subscriptions: how long it takes to load, what it holds in memory, and how long an event takes.

`python -m tests.bench.matching DATABASE EXPLICIT GENERIC SECONDS` makes a store with so many subscriptions, loads it in a
process of its own as a gateway does, and prints what that took as JSON. Explicit subscriptions have a patient each;
generic ones ask for a practice, an ICB sub-location, a local authority or a country, half of them for an age too. The
events are of patients who are subscribed to and live where few generic subscriptions are for; the subscriptions to a
whole country, which every event there matches, are one in a thousand.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
import statistics
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from gateway.events import Event
from gateway.reference.data import Area, Postcodes, Practice, Reference, number_of, postcodes_of
from gateway.store import rows
from gateway.store.sqlite import SqliteStore, subscriptions
from gateway.subscriptions.book import Book
from gateway.subscriptions.index import Index
from gateway.subscriptions.subscription import Subscription
from tests.samples import event, subscription

EVENT_TYPES = ("pds-change-of-gp-1", "pds-change-of-address-1", "pds-death-notification-1", "pds-record-change-1")
RESOURCE = b"<Subscription xmlns='http://hl7.org/fhir'>" + b" " * 900 + b"</Subscription>"
PLACES = 3000
_MEBIBYTE = 1 << 20


def measure(database: Path, explicit: int, generic: int, seconds: float) -> dict[str, float]:
    """Make the store, and load it in another process: seconds, MiB, and microseconds an event."""
    asyncio.run(_fill(database, explicit, generic))
    command = [sys.executable, "-m", "tests.bench.matching", "--load", str(database), str(explicit), str(seconds)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(answer.stdout)
    return found


async def _fill(database: Path, explicit: int, generic: int) -> None:
    store = SqliteStore(database)
    await store.open()
    await store.close()
    everything = chain(_explicit(explicit), _generic(generic))
    with contextlib.closing(sqlite3.connect(database)) as connection:
        while page := list(islice(everything, 10_000)):
            connection.executemany(subscriptions.ADD, map(rows.subscription_row, page))
            connection.executemany(subscriptions.ADD_RESOURCE, ((*rows.resource_row(one), one.id) for one in page))
        connection.commit()


def _explicit(count: int) -> Iterator[Subscription]:
    ids = random.Random(1)
    for number in range(count):
        yield subscription(
            id=f"{ids.getrandbits(128):032x}", subject=_patient(number), endpoint=f"A{number % 1000:05}OT001",
            event_types=(EVENT_TYPES[number % len(EVENT_TYPES)],), resource=RESOURCE,
        )  # fmt: skip


def _generic(count: int) -> Iterator[Subscription]:
    ids = random.Random(2)
    for number in range(count):
        kind = number % 1000
        place = ids.randrange(PLACES)
        asks = [
            "patient.country = 'E92000001'" if kind == 0 else
            f"patient.practice = 'P{place:05}'" if kind < 400 else
            f"patient.sub_icb = 'S{place:05}'" if kind < 700 else
            f"patient.local_authority = 'L{place:05}'"
        ]  # fmt: skip
        if number % 2:
            asks.append("patient.age < '19'")
        yield subscription(
            id=f"{ids.getrandbits(128):032x}", filter=" AND ".join(asks), resource=RESOURCE,
            event_types=(EVENT_TYPES[number % len(EVENT_TYPES)],), endpoint=f"G{number % 500:05}OT001",
        )  # fmt: skip


def _patient(number: int) -> str:
    return f"{4_000_000_000 + number * 7}"


def _events(explicit: int, count: int = 2000) -> list[Event]:
    chosen = random.Random(3)
    return [
        event(
            type=chosen.choice(EVENT_TYPES), subject=_patient(chosen.randrange(max(explicit, 1))), filtering={},
            demographics={
                "birthDate": [f"{chosen.randrange(1940, 2025)}-05-05"], "registered": True,
                "practice": [f"P{chosen.randrange(PLACES):05}"], "postcodes": [f"AB{chosen.randrange(1, 100)} 1AA"],
            },
        )
        for _ in range(count)
    ]  # fmt: skip


def _reference() -> Reference:
    """As many postcodes as the directory has, of which the events use a hundred."""

    def area(number: int) -> Area:
        return ("E92000001",), (f"L{number % PLACES:05}",), (f"S{number % PLACES:05}",)

    used = postcodes_of((f"AB{number} 1AA", area(number)) for number in range(1, 100))
    places = dict(zip(used.numbers, used.places, strict=True))
    others = range(
        number_of("AB1 1AA"), number_of("ZZ99 9ZZ"), (number_of("ZZ99 9ZZ") - number_of("AB1 1AA")) // 2_700_000
    )
    numbers = array("Q", sorted({*places, *others}))
    return Reference(
        {f"P{number:05}": Practice("", "AB1 1AA") for number in range(PLACES)},
        Postcodes(numbers, array("H", (places.get(number, 0) for number in numbers)), used.areas),
    )


async def _load(database: Path, explicit: int, seconds: float) -> dict[str, float]:
    store = SqliteStore(database)
    await store.open()
    index = Index(reference=_reference())
    before, began, cpu = _resident(), time.perf_counter(), time.process_time()
    await Book(store, index, lambda _terms, _kind: True).load()
    loaded, cpu, after = time.perf_counter() - began, time.process_time() - cpu, _resident()
    await store.close()
    taken, matched = _match(index, _events(explicit), seconds)
    return {
        "subscriptions": len(index), "load_seconds": loaded, "load_cpu_seconds": cpu, "memory_mib": (after - before) / _MEBIBYTE,
        "median_microseconds": statistics.median(taken), "p99_microseconds": statistics.quantiles(taken, n=100)[98],
        "matched": statistics.mean(matched),
    }  # fmt: skip


def _match(index: Index, events: list[Event], seconds: float) -> tuple[list[float], list[int]]:
    taken, matched = [], []
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        for one in events:
            began = time.perf_counter_ns()
            found = index.match(one)
            taken.append((time.perf_counter_ns() - began) / 1000)
            matched.append(len(found))
    return taken, matched


def _resident() -> int:
    """Bytes of this process in memory (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


if __name__ == "__main__":
    if sys.argv[1] == "--load":
        result = asyncio.run(_load(Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
    else:
        result = measure(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
    print(json.dumps(result))
