"""The processes that a gateway has made."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.harness import Gateway, eventually


def helpers_of(gateway: Gateway, count: int = 1) -> list[int]:
    """The helpers of a gateway, once all are there that it is to have."""

    def there() -> list[int]:
        return [pid for pid in made_by(maker_of(gateway)) if runs(pid)]

    eventually(lambda: len(there()) == count and f"gateway_helpers {count}.0" in gateway.http.get("/metrics").text)
    return there()


def maker_of(gateway: Gateway) -> int:
    """The process that makes helpers."""
    (maker,) = made_by(gateway.pid)
    return maker


def made_by(pid: int) -> list[int]:
    """The processes that one has made."""
    return [int(made) for made in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def runs(pid: int) -> bool:
    """Whether there is a process of that id that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wakes(pid: int) -> int:
    """How often a process has waited for something that came."""
    return int(re.findall(r"^voluntary_ctxt_switches:\s*(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[0])


def start_of(pid: int) -> float:
    """When a process began, in seconds since 1970 (proc(5): the 22nd field of its stat, since the system's own start)."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    (booted,) = re.findall(r"^btime (\d+)$", Path("/proc/stat").read_text(), re.M)
    return int(booted) + ticks / os.sysconf("SC_CLK_TCK")
