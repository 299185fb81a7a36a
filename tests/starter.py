"""Starts gateways for tests from a process that has imported the gateway already, which saves most of a second for each
of some hundreds. But for the imports it is what `PYTHON -m gateway` starts; tests of the command line start that itself.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

# Python 3.12 warns by mistake, before 3.12.4, of the numbered parameters of SQLite.
_MISTAKEN = (3, 12) <= sys.version_info < (3, 12, 4)
PYTHON = (sys.executable, "-W", "error", *(("-W", "ignore:Binding :DeprecationWarning") if _MISTAKEN else ()))
"""Python, to which warnings are errors."""
# What fails while these are imported is seen where they are imported without it.
_imported = multiprocessing.get_context("forkserver")
_imported.set_forkserver_preload(["gateway.cli", "gateway.serve", "gateway.store.chosen"])


class Started:
    """`gateway COMMAND` with that environment, which writes to `log`; it is asked as a subprocess.Popen is."""

    def __init__(self, command: str, environment: Mapping[str, str], log: Path) -> None:
        log.touch()
        # As a daemon it is ended, and not waited for, when the test that should have ended it could not.
        self._process = _imported.Process(target=_run, args=(command, dict(environment), str(log)), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        """Its id."""
        assert self._process.pid
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int:
        """Wait until it has ended, at most so long; its exit status."""
        self._process.join(seconds)
        status = self._process.exitcode
        if status is None:
            self.kill()
            raise AssertionError(f"the gateway goes on after {seconds} s")
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a crash would."""
        self.send_signal(signal.SIGKILL)


def _run(command: str, environment: dict[str, str], log: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    with open(log, "ab") as output:
        for standard in (1, 2):
            os.dup2(output.fileno(), standard)
    warnings.simplefilter("error")
    if _MISTAKEN:
        warnings.filterwarnings("ignore", "Binding ", DeprecationWarning)
    sys.argv = ["gateway", command]
    from gateway.cli import main

    try:
        main()
    finally:
        atexit._run_exitfuncs()  # which multiprocessing leaves out
