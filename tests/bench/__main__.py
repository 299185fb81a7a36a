"""`make bench`: the gateway measured in interleaved rounds beside a bare ASGI echo of the same body; its mapping modules
beside hand-written Python; and XML to JSON beside fhir.resources.

The CPU time of a server is read from /proc, so only Linux tells it; elsewhere the rates alone are measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from rich.console import Console

from tests.bench import matching, report, scenarios
from tests.bench.conditions import conditions, load_average
from tests.bench.messages import message
from tests.bench.processes import IN_FLIGHT, BenchError
from tests.bench.report import Results, Round

SCENARIOS: dict[str, scenarios.Scenario] = {
    report.ECHO_JSON: scenarios.echo("json"),
    report.ACCEPT_JSON: scenarios.accept("json"),
    report.DELIVER_JSON: scenarios.deliver_to(1, "json"),
    report.FAN_OUT: scenarios.deliver_to(10, "json"),
    report.BARE_POSTS: scenarios.post,
    report.TOGETHER: scenarios.commit("together"),
    report.ECHO_XML: scenarios.echo("xml"),
    report.ACCEPT_XML: scenarios.accept("xml"),
    report.ECHO_CLOUDEVENT: scenarios.echo("cloudevent"),
    report.ACCEPT_CLOUDEVENT: scenarios.accept_cloudevent,
    report.DELIVER_CLOUDEVENT: scenarios.deliver_to(1, "cloudevent"),
    report.APART: scenarios.commit("apart"),
}


def main() -> None:
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    before = load_average()
    try:
        results = _measure(options.rounds, options.seconds, options.folder)
        results.matching.extend(_matching(options.subscriptions, options.seconds, options.folder))
    except BenchError as error:
        sys.exit(f"bench: {error}")
    about = conditions(options.folder) | {
        "load average": f"{before} before, {load_average()} after",
        "bodies": f"JSON of {len(message('json').body):,} bytes, XML of {len(message('xml').body):,}, CloudEvent of"
        f" {len(message('cloudevent').body):,}",
        "rounds": f"{options.rounds}, {options.seconds:g} s a scenario, {IN_FLIGHT} requests in flight",
    }
    report.print_report(console, about, results)
    if options.json:
        options.json.write_bytes(msgspec.json.encode(report.as_json(about, results)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each scenario is measured (default: 5)")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long each time (default: 1.5)")
    parser.add_argument("--folder", type=Path, default=Path("var"), help="on the disk to be measured (default: var)")
    parser.add_argument(
        "--subscriptions", type=int, default=1_000_000, metavar="N",
        help="the most explicit subscriptions that the index is loaded with (default: a million), beside a hundredth of"
        " generic ones",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured to FILE")
    return parser.parse_args()


def _measure(rounds: int, seconds: float, folder: Path) -> Results:
    results = Results([], [], [], [])
    for number in range(rounds):
        sys.stderr.write(f"round {number + 1} of {rounds}\n")
        results.rounds.append(_round(number, seconds, folder))
        with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as own:
            results.steps.append(scenarios.steps(Path(own), seconds))
        results.bridges.append(scenarios.bridges(seconds))
    return results


def _matching(most: int, seconds: float, folder: Path) -> Iterator[dict[str, float]]:
    """The index, up to its largest size by tens."""
    for explicit in (most // 100, most // 10, most):
        sys.stderr.write(f"{explicit:,} subscriptions\n")
        with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as own:
            yield matching.measure(Path(own).resolve() / "index.db", explicit, explicit // 100, seconds)


def _round(number: int, seconds: float, folder: Path) -> Round:
    """Every scenario once, each time in another order, and each in a folder of its own."""
    names = list(SCENARIOS)
    start = number % len(names)
    measures = {}
    for name in names[start:] + names[:start]:
        with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as own:
            measures[name] = SCENARIOS[name](Path(own).resolve(), seconds)
    return measures


if __name__ == "__main__":
    main()
