"""The two stores beside each other, and claims beside those of queue libraries, in interleaved rounds.

`python -m tests.bench.stores --rivals PYTHON`: PYTHON has pgqueuer and procrastinate (`make bench` sees to it). All that
is PostgreSQL's runs on one server, which the run starts, with every commit on disk.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from tests.bench import scenarios
from tests.bench.conditions import conditions, load_average
from tests.bench.processes import BenchError, Gateway, load, tool
from tests.bench.scenarios import WARM_UP, Measure, _expect, _loaded
from tests.postgres import PostgresServer

RIVALS = Path(__file__).with_name("rivals")
ON_SQLITE, ON_POSTGRES = "durable accept, SQLite", "durable accept, PostgreSQL"
OWN = {batch: f"claims of the gateway, {batch} at a time" for batch in (100, 500)}
PGQUEUER = {batch: f"pgqueuer, {batch} at a time" for batch in (100, 250, 500)}
PROCRASTINATE = "procrastinate, 20 at a time"
JOBS, SLOW_JOBS = 20_000, 1_000
"""How many jobs a measurement has; procrastinate's has fewer."""
Round = dict[str, Measure]
Scenario = Callable[[Path], Measure]


def main() -> None:
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    before = load_average()
    with PostgresServer(fsync=True, folder=options.folder) as server:
        (version,) = server.sql("SHOW server_version")[0]
        chosen = own(server, options.seconds, options.jobs) | (rivals(server, options) if options.rivals else {})
        try:
            rounds = [_round(number, chosen, options.folder) for number in range(options.rounds)]
        except BenchError as error:
            sys.exit(f"bench: {error}")
    about = conditions(options.folder) | {
        "PostgreSQL": version, "load average": f"{before} before, {load_average()} after", "rounds": str(options.rounds),
    }  # fmt: skip
    _print(about, rounds)


def own(server: PostgresServer, seconds: float, jobs: int) -> dict[str, Scenario]:
    """The gateway's own."""
    chosen: dict[str, Scenario] = {
        ON_SQLITE: lambda folder: scenarios.accept("json")(folder, seconds),
        ON_POSTGRES: lambda folder: accept(server, folder, seconds),
    }
    for batch, name in OWN.items():
        chosen[name] = lambda _, batch=batch: claims(server, jobs, batch)
    return chosen


def rivals(server: PostgresServer, options: argparse.Namespace) -> dict[str, Scenario]:
    """Queue libraries, each run by its own worker."""

    def run(library: str, jobs: int, at_a_time: int) -> Scenario:
        return lambda _: _rival(server, options.rivals, library, jobs, at_a_time)

    chosen = {name: run("pgqueuer", options.jobs, batch) for batch, name in PGQUEUER.items()}
    return chosen | {PROCRASTINATE: run("procrastinate", min(options.jobs, SLOW_JOBS), 20)}


def accept(server: PostgresServer, folder: Path, seconds: float) -> Measure:
    """As `scenarios.accept`, over PostgreSQL."""
    with server.passing() as url:
        with Gateway(folder, GATEWAY_STORE__URL=url) as gateway:
            warm = load(gateway.port, "json", seconds * WARM_UP, "202")
            measured = _loaded(gateway, "json", seconds, "202")
        database = url.rpartition("/")[2]
        kept = {"originals": server.sql("SELECT count(*) FROM events WHERE length(body) > 2", database)[0][0]}
        _expect("202 answers", warm.count + measured.count, kept)
    return measured


def claims(server: PostgresServer, jobs: int, batch: int) -> Measure:
    """The gateway's claims."""
    with server.passing() as url:
        return _queue(tool("tests.bench.claims", url, str(jobs), str(batch), seconds=60))


def _rival(server: PostgresServer, python: Path, library: str, jobs: int, at_a_time: int) -> Measure:
    try:
        with server.passing("template0") as url:
            command = [python, RIVALS / f"{library}_jobs.py", url, str(jobs), str(at_a_time)]
            done = subprocess.run(command, capture_output=True, timeout=300, check=True)
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{library} failed: {error}") from None
    return _queue(json.loads(done.stdout))


def _queue(made: dict[str, float]) -> Measure:
    return Measure(round(made["jobs"]), made["seconds"], made["cpu_seconds"] / made["jobs"] * 1e6)


def _round(number: int, chosen: dict[str, Scenario], folder: Path) -> Round:
    """Everything once, each time in another order."""
    names = list(chosen)
    start = number * 3 % len(names)
    measures = {}
    for name in names[start:] + names[:start]:
        with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as own_folder:
            measures[name] = chosen[name](Path(own_folder).resolve())
    return measures


def shares(rounds: list[Round]) -> dict[str, list[float]]:
    """What is compared, in each round: PostgreSQL to SQLite, the gateway's claims at their best to each library's."""
    found = {"durable accept, PostgreSQL to SQLite": [one[ON_POSTGRES].rate / one[ON_SQLITE].rate for one in rounds]}
    if PROCRASTINATE in rounds[0]:
        found["claims, to pgqueuer's best"] = [_best(one, OWN) / _best(one, PGQUEUER) for one in rounds]
        found["claims, to procrastinate's"] = [_best(one, OWN) / one[PROCRASTINATE].rate for one in rounds]
    return found


def _best(one: Round, names: dict[int, str]) -> float:
    return max(one[name].rate for name in names.values())


def _print(about: dict[str, str], rounds: list[Round]) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    facts = Table(box=box.SIMPLE, show_header=False)
    for name, value in about.items():
        facts.add_row(name, value)
    rates = Table("", "/s", "CPU µs of the process", box=box.SIMPLE)
    for name in rounds[0]:
        cpu = [one[name].cpu_us for one in rounds]
        rates.add_row(name, _spread([one[name].rate for one in rounds], "{:,.0f}"),
                      _spread([value for value in cpu if value is not None], "{:.0f}"))  # fmt: skip
    table = Table("", "times as many", box=box.SIMPLE)
    for name, values in shares(rounds).items():
        table.add_row(name, _spread(values, "{:.2f}"))
    for part in (facts, rates, table):
        console.print(part)
    console.print("Each figure is the median of the rounds, over the least and the most. The gateway's claims also read"
                  " each event\nand keep each attempt; the libraries' jobs carry a few bytes and do nothing.", style="dim")  # fmt: skip


def _spread(values: list[float], form: str) -> str:
    if not values:
        return "-"
    return f"{form.format(statistics.median(values))}  [{form.format(min(values))}..{form.format(max(values))}]"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stores", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long events are accepted (default: 1.5)")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"how many are claimed (default: {JOBS})")
    parser.add_argument("--folder", type=Path, default=Path("var"), help="on the disk to be measured (default: var)")
    parser.add_argument("--rivals", type=Path, metavar="PYTHON", help="a Python that has pgqueuer and procrastinate")
    return parser.parse_args()


if __name__ == "__main__":
    main()
