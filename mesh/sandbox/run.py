"""Start and stop a MESH on this machine, for `gateway demo` and for tests."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import requests

from mesh.mailbox import MailboxSettings

PYTHON = Path(__file__).resolve().parents[2] / ".venv-mesh" / "bin" / "python"
"""The environment that `make install` makes for mesh-sandbox."""


# A proxy of the environment is not the way to this machine.
_HTTP = requests.Session()
_HTTP.trust_env = False


class LocalMeshError(RuntimeError):
    """The local MESH cannot be started; the message says what to do."""


@dataclass(frozen=True, slots=True)
class LocalMailbox:
    """A mailbox of the local MESH. If `workflow_ids` is given, it receives no other workflow (417 code 17)."""

    mailbox_id: str
    password: str = "password"  # noqa: S105  what mesh-sandbox's own mailboxes have
    workflow_ids: tuple[str, ...] = ()


class LocalMesh:
    """A MESH on 127.0.0.1, running while the `with` block does.

    `port` 0 takes any free port, which stays the same over `restart`. Without `folder` messages live in memory and a
    restart loses them; with it they live there. `strict` refuses what MESH refuses (see app.py). What the server prints
    goes to `log`, or nowhere. `start` raises LocalMeshError if the environment is missing, the port is taken or the
    server does not answer within 30 s.
    """

    def __init__(
        self,
        mailboxes: Iterable[LocalMailbox],
        *,
        port: int = 0,
        folder: Path | None = None,
        strict: bool = True,
        log: Path | None = None,
        python: Path = PYTHON,
    ) -> None:
        self.mailboxes = {mailbox.mailbox_id: mailbox for mailbox in mailboxes}
        self.port = port
        self.shared_key = "TestKey"
        self._folder, self._strict, self._log, self._python = folder, strict, log, python
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> LocalMesh:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The URL to give to a Mailbox."""
        return f"http://127.0.0.1:{self.port}"

    def settings_for(self, mailbox_id: str) -> MailboxSettings:
        """Return the settings with which a Mailbox reaches one of the mailboxes."""
        return MailboxSettings(self.url, mailbox_id, self.mailboxes[mailbox_id].password, self.shared_key)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        if not self._python.exists():
            raise LocalMeshError("mesh-sandbox is not installed: run `make install`")
        with self._listen() as listener:
            self.port = listener.getsockname()[1]
            self._scratch = tempfile.TemporaryDirectory(prefix="local-mesh-")
            self._process = self._spawn(listener.fileno(), Path(self._scratch.name) / "mailboxes.jsonl")
        try:
            self._wait_until_it_answers(self._process)
        except BaseException:  # Ctrl-C too
            self.kill()
            raise

    def stop(self) -> None:
        """Stop the server, by force after 5 seconds."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        self.kill()

    def kill(self) -> None:
        """Stop the server at once, as a crash would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def restart(self) -> None:
        """Stop the server and start it again, on the same port."""
        self.stop()
        self.start()

    def fault(self, kind: str, **order: object) -> None:
        """Order a failure: the fields of `Fault` in app.py."""
        _HTTP.post(f"{self.url}/faults", json={"kind": kind, **order}, timeout=10).raise_for_status()

    def clear_faults(self) -> None:
        """Take back every failure that was ordered."""
        _HTTP.delete(f"{self.url}/faults", timeout=10).raise_for_status()

    def clear(self) -> None:
        """Empty every mailbox."""
        for mailbox_id in self.mailboxes:
            url = f"{self.url}/messageexchange/admin/reset/{mailbox_id}"
            _HTTP.delete(url, timeout=10).raise_for_status()

    def report(self, mailbox_id: str, *, linked_message_id: str, local_id: str, workflow_id: str) -> None:
        """Put into a mailbox what MESH sends the sender of a message that nobody collected: a REPORT with code 14."""
        report = {
            "mailbox_id": mailbox_id,
            "linked_message_id": linked_message_id,
            "local_id": local_id,
            "workflow_id": workflow_id,
            "code": "14",
            "description": "Message not collected",
        }
        _HTTP.post(f"{self.url}/messageexchange/admin/report", json=report, timeout=10).raise_for_status()

    def _listen(self) -> socket.socket:
        """Open the port here and hand it down, so that nobody can take it in between."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # uvicorn takes an inherited socket for a Unix one and would leave Nagle's delay on; connections inherit this.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind(("127.0.0.1", self.port))
        except OSError as error:
            listener.close()
            raise LocalMeshError(f"port {self.port} of 127.0.0.1 is taken: choose another one") from error
        listener.listen(128)
        return listener

    def _spawn(self, listener: int, mailboxes: Path) -> subprocess.Popen[bytes]:
        command = [str(self._python), "-W", "ignore", "-m", "uvicorn", "app:app", "--fd", str(listener)]
        command += ["--app-dir", str(Path(__file__).parent), "--http", "h11"]
        command += ["--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "1"]
        with open(self._log or os.devnull, "ab") as log:
            return subprocess.Popen(  # noqa: S603  no shell, and every part is ours
                command,
                env=self._environment(mailboxes),
                pass_fds=[listener],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for whoever started this, who then stops it
            )

    def _environment(self, mailboxes: Path) -> dict[str, str]:
        mailboxes.write_text("".join(_line(mailbox) for mailbox in self.mailboxes.values()), "utf-8")
        return {
            **os.environ,
            "AUTH_MODE": "full",
            "SHARED_KEY": self.shared_key,
            "STORE_MODE": "file" if self._folder else "memory",
            "MAILBOXES_DATA_DIR": str(self._folder or mailboxes.parent),
            "MESH_SANDBOX_MAILBOXES": str(mailboxes),
            "MESH_SANDBOX_STRICT": str(int(self._strict)),
        }

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 30
        where = self._log or "LocalMesh(log=...) would say why"
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(requests.RequestException):
                if _HTTP.get(f"{self.url}/health", timeout=1).ok:
                    return
        ended = process.returncode
        problem = "does not answer" if ended is None else f"ended with status {ended}"
        raise LocalMeshError(f"the local MESH {problem}: see {where}")


def _line(mailbox: LocalMailbox) -> str:
    fields = {
        "mailbox_id": mailbox.mailbox_id,
        "mailbox_name": mailbox.mailbox_id,
        "password": mailbox.password,
        "workflow_ids": mailbox.workflow_ids,
    }
    return json.dumps(fields) + "\n"
