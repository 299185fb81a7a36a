from __future__ import annotations

import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.mailbox import Mailbox
from mesh.outcome import Outcome, Result
from mesh.sandbox.run import LocalMailbox, LocalMesh, LocalMeshError
from tests.mesh.conftest import Outgoing
from tests.ports import free_port

BOTH = [LocalMailbox("SENDER01"), LocalMailbox("TRUST01")]


def test_a_missing_environment_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(LocalMeshError, match="make install"), LocalMesh(BOTH, python=tmp_path / "python"):
        pass


def test_a_port_that_is_taken_is_said_to_be(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LocalMeshError, match=f"port {port} of 127.0.0.1 is taken"), LocalMesh(BOTH, port=port):
            pass


def test_a_server_that_cannot_run_says_where_to_look(tmp_path: Path) -> None:
    log = tmp_path / "mesh.log"
    without_uvicorn = tmp_path / "python"
    without_uvicorn.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'raise SystemExit(\"no uvicorn\")'\n")
    without_uvicorn.chmod(0o755)
    mesh = LocalMesh(BOTH, python=without_uvicorn, log=log)
    with pytest.raises(LocalMeshError, match=r"ended with status 1: see .*mesh\.log"):
        mesh.start()
    assert log.read_text() == "no uvicorn\n"


def test_nothing_answers_once_it_is_stopped() -> None:
    with LocalMesh(BOTH, port=free_port()) as mesh:
        settings = mesh.settings_for("SENDER01")
    with Mailbox(settings) as mailbox:
        assert mailbox.handshake().result is Result.NOT_SENT


def test_a_restart_loses_what_was_in_memory_and_keeps_the_port(outgoing: Outgoing) -> None:
    with LocalMesh(BOTH) as mesh, Mailbox(mesh.settings_for("SENDER01")) as sender:
        message, port = outgoing(), mesh.port
        sender.send(message)
        mesh.restart()
        assert mesh.port == port
        assert sender.find(message.local_id) is None


class Senders:
    """Four threads that send until they are stopped, and remember what became of each message."""

    def __init__(self, mailbox: Mailbox, outgoing: Outgoing) -> None:
        self.mailbox, self.outgoing = mailbox, outgoing
        self.outcomes: dict[str, Outcome] = {}
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(4)]

    def run(self) -> None:
        while not self.stopped.is_set():
            message = self.outgoing(local_id=str(uuid.uuid4()))
            self.outcomes[message.local_id] = self.mailbox.send(message)

    def __enter__(self) -> Senders:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def with_result(self, result: Result) -> Iterator[str]:
        return (local_id for local_id, outcome in self.outcomes.items() if outcome.result is result)


def test_kill_9_loses_nothing_that_was_accepted_and_the_rest_can_be_looked_up(
    tmp_path: Path, outgoing: Outgoing
) -> None:
    with (
        LocalMesh(BOTH, port=free_port(), folder=tmp_path) as mesh,
        Mailbox(mesh.settings_for("SENDER01")) as sender,
        Mailbox(mesh.settings_for("TRUST01")) as recipient,
    ):
        with Senders(sender, outgoing) as senders:
            time.sleep(0.5)
            mesh.kill()
            time.sleep(0.05)
        mesh.start()

        accepted = {senders.outcomes[local_id].message_id for local_id in senders.with_result(Result.ACCEPTED)}
        waiting = set(recipient.list_messages(5000))
        found = [sender.find(local_id) for local_id in senders.with_result(Result.UNKNOWN)]
        assert len(accepted) > 10
        assert {outcome.result for outcome in senders.outcomes.values()} <= {
            Result.ACCEPTED,
            Result.UNKNOWN,
            Result.NOT_SENT,
        }
        assert waiting == accepted | {outcome.message_id for outcome in found if outcome}
