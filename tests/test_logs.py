"""What is logged, as it comes out of the process."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import logging
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog

from gateway import logs


class Output(io.BytesIO):
    """Keeps what each write wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, text: Any) -> int:
        self.writes.append(bytes(text))
        return super().write(text)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_says_what_when_and_how_grave() -> None:
    output = Output()
    logs.configure("INFO", output)
    structlog.get_logger().warning("claim", error="Unavailable", seconds=0.5)
    (line,) = output.lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"action": "claim", "level": "warning", "error": "Unavailable", "seconds": 0.5}


def test_without_a_loop_each_line_is_written_at_once() -> None:
    output = Output()
    logs.configure("INFO", output)
    structlog.get_logger().info("start")
    structlog.get_logger().info("stop")
    assert len(output.writes) == 2


def test_the_lines_of_one_turn_of_the_loop_are_written_together() -> None:
    output = Output()
    logs.configure("INFO", output)

    async def turns() -> None:
        for action in ("first", "second", "third"):
            structlog.get_logger().info(action)
        assert output.writes == []
        await asyncio.sleep(0)
        structlog.get_logger().info("fourth")
        await asyncio.sleep(0)

    asyncio.run(turns())
    assert [write.count(b"\n") for write in output.writes] == [3, 1]
    assert [line["action"] for line in output.lines()] == ["first", "second", "third", "fourth"]


def test_many_lines_are_written_in_pieces_that_a_pipe_takes_whole() -> None:
    output = Output()
    logs.configure("INFO", output)

    async def turn() -> None:
        for number in range(200):
            structlog.get_logger().info("accept", number=number, why="w" * (10_000 if number == 100 else number))
        await asyncio.sleep(0)

    asyncio.run(turn())
    assert [line["number"] for line in output.lines()] == list(range(200))
    assert all(write.endswith(b"\n") for write in output.writes)
    assert [len(write) > select.PIPE_BUF for write in output.writes].count(True) == 1, "the long line, alone"
    assert 10 < len(output.writes) < 20


WRITER = """
import asyncio, sys
import structlog
from gateway import logs

async def write():
    for turn in range(10):
        for number in range(300):
            structlog.get_logger().info("accept", by=sys.argv[1], number=300 * turn + number, why="w" * number)
        await asyncio.sleep(0)

logs.configure("INFO")
structlog.get_logger().info("ready")
sys.stdin.read()
asyncio.run(write())
"""


def test_two_processes_that_share_a_pipe_cut_no_line_of_each_other() -> None:
    """Each writes more at once than the pipe takes."""
    reading, writing = os.pipe()
    with open(reading, "rb") as pipe:
        command = [sys.executable, "-c", WRITER]
        writers = [subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=writing) for name in ("one", "two")]
        os.close(writing)
        assert [json.loads(pipe.readline())["action"] for _ in writers] == ["ready"] * 2
        for writer in writers:
            assert writer.stdin
            writer.stdin.close()
        written = pipe.read()
    assert [writer.wait(10) for writer in writers] == [0, 0]
    lines = [json.loads(line) for line in written.splitlines()]
    for name in ("one", "two"):
        assert [line["number"] for line in lines if line["by"] == name] == list(range(3000))
    whose = [line["by"] for line in lines if line["action"] == "accept"]
    assert sum(one != other for one, other in itertools.pairwise(whose)) > 2, "they wrote at the same time"


def test_lines_below_the_level_are_left_out() -> None:
    output = Output()
    logs.configure("WARNING", output)
    structlog.get_logger().info("accept")
    structlog.get_logger().error("record")
    assert [line["action"] for line in output.lines()] == ["record"]


def test_half_a_character_spoils_no_other_line() -> None:
    output = Output()
    logs.configure("INFO", output)

    async def turn() -> None:
        structlog.get_logger().info("first", why="\ud800")
        structlog.get_logger().info("second")
        await asyncio.sleep(0)

    asyncio.run(turn())
    first, second = output.lines()
    assert (first["action"], first["why"], second["action"]) == ("first", "\ud800", "second")
    for line in (first, second):
        assert datetime.fromisoformat(line["timestamp"]).tzinfo, "in the form of all others"
        assert (line["timestamp"][10], line["timestamp"][-1]) == ("T", "Z")


def test_a_full_disk_holds_up_nobody() -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        logs.configure("INFO", full)
        structlog.get_logger().info("accept")


def test_a_closed_stream_holds_up_nobody() -> None:
    output = Output()
    logs.configure("INFO", output)
    faults: list[dict[str, Any]] = []

    async def turn() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        structlog.get_logger().info("first")
        output.close()
        await asyncio.sleep(0)

    asyncio.run(turn())
    assert faults == []


def test_of_what_a_library_logs_only_the_place_is_told() -> None:
    output = Output()
    logs.configure("INFO", output)
    logging.getLogger("aiohttp.client").warning("https://example.com/Patient/9990001006")
    (line,) = output.lines()
    assert (line["action"], line["logger"]) == ("library", "aiohttp.client")
    assert b"9990001006" not in output.getvalue()
