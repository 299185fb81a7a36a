"""The conditions of a run: what the figures depend on beside the code."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = ("uvicorn", "uvloop", "httptools", "starlette", "aiohttp", "msgspec", "lxml")


def conditions(folder: Path) -> dict[str, str]:
    """The machine, the versions, and the disk that holds `folder`."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": f"{_processor()}, {_cores()} cores",
        "system": platform.platform(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        "file system": _file_system(folder),
        "fsync of 16 KB": f"{_fsync_ms(folder):.2f} ms (median of 100)",
    }


def load_average() -> str:
    """The load average over 1, 5 and 15 minutes."""
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _file_system(folder: Path) -> str:
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    kinds = {fields[1]: fields[2] for fields in map(str.split, mounts.read_text().splitlines())}
    path = folder.resolve()
    return next((kinds[str(place)] for place in (path, *path.parents) if str(place) in kinds), "unknown")


def _fsync_ms(folder: Path) -> float:
    times = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(100):
            file.write(bytes(16_384))
            started = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000
