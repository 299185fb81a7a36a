"""The processes of the benchmark: servers that run beside it, and tools that run and print JSON."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from tests.bench.load import Load
from tests.ports import free_port

IN_FLIGHT = 64
"""How many requests are under way at once, in every scenario."""


class BenchError(Exception):
    """A measurement is worth nothing: work was lost, or a process failed."""


class Server:
    """`python -m MODULE ARGUMENTS` as a process of its own, that listens on `port`; what it prints goes to a file."""

    def __init__(self, folder: Path, port: int, *command: str, **environment: str) -> None:
        self.port = port
        self._output = folder / f"{command[0]}.log"
        self._command = [sys.executable, "-m", *command]
        self._environment = _clean_environment() | environment

    def __enter__(self) -> Self:
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            time.sleep(0.02)
        self._process.kill()
        self._process.wait()
        raise BenchError(f"{' '.join(self._command[1:])} did not start:\n{self._output.read_text()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)

    def cpu_seconds(self) -> float | None:
        """The CPU time that it, the processes that it has made, and those that they have, used, in the kernel and out
        of it; None where there is no /proc.
        """
        return _cpu_seconds(self._process.pid) if _made_by(self._process.pid).exists() else None


def _made_by(pid: int) -> Path:
    return Path(f"/proc/{pid}/task/{pid}/children")


def _cpu_seconds(pid: int) -> float:
    made = sum(_cpu_seconds(int(one)) for one in _made_by(pid).read_text().split())
    # The second field, the command's name, may hold spaces; utime and stime are the 14th and 15th.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return made + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Echo(Server):
    """The bare ASGI application."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        super().__init__(folder, port, "tests.bench.echo", str(port))


class Receiver(Server):
    """The webhook receiver."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        super().__init__(folder, port, "tests.bench.receiver", str(port))


class Gateway(Server):
    """`gateway serve` with every default, over a fresh SQLite file and in open mode unless `environment` says more."""

    def __init__(self, folder: Path, **environment: str) -> None:
        port = free_port()
        self.database = folder / "gateway.db"
        super().__init__(
            folder,
            port,
            "gateway",
            "serve",
            **{"GATEWAY_HTTP__PORT": str(port), "GATEWAY_STORE__URL": f"sqlite:///{self.database}", **environment},
        )


def load(port: int, syntax: str, seconds: float, expect: str, token: str = "") -> Load:
    """Load the server on `port`, with `token` where the message needs one.

    Raises:
        BenchError: an answer was not `expect`.
    """
    made = tool("tests.bench.load", str(port), syntax, str(seconds), str(IN_FLIGHT), token, seconds=seconds)
    result = msgspec.convert(made, Load)
    if result.answers.keys() != {expect}:
        raise BenchError(f"every answer should have been {expect}: {result.answers}")
    return result


def tool(module: str, *arguments: str, seconds: float) -> Any:
    """Run `python -m MODULE ARGUMENTS`, which takes some `seconds`; what it prints, a JSON value."""
    command = [sys.executable, "-m", module, *arguments]
    try:
        made = subprocess.run(command, env=_clean_environment(), capture_output=True, timeout=seconds + 60, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{module} failed: {error}\n{(error.stderr or b'').decode()[-2000:]}") from None
    return msgspec.json.decode(made.stdout)


def _clean_environment() -> dict[str, str]:
    """Without settings of a gateway that the caller runs."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
