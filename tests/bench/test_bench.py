"""The benchmark itself, run short: its tables come out and its counts agree. No time is looked at."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.bench import library, report
from tests.bench.__main__ import SCENARIOS
from tests.bench.bridges import BRIDGES
from tests.bench.processes import BenchError
from tests.bench.scenarios import _expect
from tests.starter import PYTHON

STEPS = {"headers", "parse", "event type", "validate", "map in", "match", "metrics", "log", "accept", "application"}
WAYS = {library.GATEWAY, library.OBJECTS, library.JSON_FORM}


pytestmark = pytest.mark.timeout(300)  # servers are started for each scenario, on a machine that may be busy


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What one short round prints, and what it writes as JSON."""
    folder = tmp_path_factory.mktemp("bench")
    options = [
        "--rounds",
        "1",
        "--seconds",
        "0.3",
        "--subscriptions",
        "10000",
        "--folder",
        str(folder),
        "--json",
        str(folder / "bench.json"),
    ]
    done = subprocess.run(
        [*PYTHON, "-m", "tests.bench", *options],
        cwd=Path(__file__).resolve().parents[2], capture_output=True, timeout=280, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    left = [path.name for path in folder.iterdir()]
    assert left == ["bench.json"], left
    return done.stdout, msgspec.json.decode((folder / "bench.json").read_bytes())


def test_prints_every_scenario_and_step(run: tuple[str, dict[str, Any]]) -> None:
    printed, _ = run
    for name in (*SCENARIOS, *STEPS, *BRIDGES, *WAYS, "file system", "load average", "measured: durable accept"):
        assert name in printed, name


def test_writes_counts_that_agree_with_the_rates(run: tuple[str, dict[str, Any]]) -> None:
    (measures,) = run[1]["rounds"]
    assert measures.keys() == SCENARIOS.keys()
    for name, one in measures.items():
        assert one["count"] > 0, name
        assert one["rate"] == pytest.approx(one["count"] / one["seconds"]), name


def test_writes_the_time_of_every_step_for_both_syntaxes(run: tuple[str, dict[str, Any]]) -> None:
    (steps,) = run[1]["steps_cpu_us"]
    assert steps.keys() == {"json", "xml"}
    for timed in steps.values():
        assert timed.keys() == STEPS
        assert all(microseconds > 0 for microseconds in timed.values())


def test_writes_the_time_of_every_mapping_and_of_its_twin(run: tuple[str, dict[str, Any]]) -> None:
    (bridges,) = run[1]["bridges_cpu_us"]
    assert bridges["twins"].keys() == BRIDGES.keys()
    for timed in bridges["twins"].values():
        assert timed.keys() == {"module", "twin"}
        assert all(microseconds > 0 for microseconds in timed.values())


def test_writes_the_time_of_every_way_from_xml_to_json(run: tuple[str, dict[str, Any]]) -> None:
    (bridges,) = run[1]["bridges_cpu_us"]
    assert bridges["library"].keys() == WAYS
    assert all(microseconds > 0 for microseconds in bridges["library"].values())


def test_writes_what_the_index_takes_at_each_size(run: tuple[str, dict[str, Any]]) -> None:
    found = run[1]["matching"]
    assert [one["subscriptions"] for one in found] == [101, 1010, 10_100]
    assert all(one["median_microseconds"] > 0 and one["load_seconds"] > 0 and one["matched"] > 0 for one in found)


def test_every_scenario_over_http_is_beside_an_echo_that_is_measured() -> None:
    assert report.BESIDE.keys() | {report.TOGETHER, report.APART} == SCENARIOS.keys()
    assert set(report.BESIDE.values()) <= report.BESIDE.keys()


def test_work_that_was_dropped_fails_the_run() -> None:
    with pytest.raises(BenchError, match="3 answers"):
        _expect("answers", 3, {"events": 3, "originals": 2})
