"""Messages that cannot be taken as events: seen, mended and let out by an operator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.sandbox.run import LocalMesh
from tests.contract.mesh.acts import remembered, send, waiting
from tests.harness import GATEWAY_MAILBOX, SUBSCRIBER_MAILBOX, Gateway, eventually, message, run

APPLICATION = """
applications:
  - {{id: one, name: One, mailboxes: [{mailbox}], publish: ["{publish}"]}}
"""


@pytest.fixture
def gateway(mesh: LocalMesh, tmp_path: Path) -> Iterator[Gateway]:
    """In closed mode, where the other mailbox may publish vaccinations and nothing else."""
    mesh.clear()
    applications = tmp_path / "applications.yaml"
    applications.write_text(APPLICATION.format(mailbox=SUBSCRIBER_MAILBOX, publish="vaccinations-1"))
    environment = {"GATEWAY_SECURITY__MODE": "closed", "GATEWAY_APPLICATIONS": str(applications)}
    with Gateway(tmp_path, mesh, GATEWAY_MESH__MAX_MESSAGE_BYTES="50000", **environment) as running:
        yield running


def quarantine(gateway: Gateway, *arguments: str) -> str:
    done = run("mesh", "quarantine", *arguments, **gateway.environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_an_operator_sees_what_came_and_why_it_is_there_and_nothing_of_the_patient(
    gateway: Gateway, mesh: LocalMesh, tmp_path: Path
) -> None:
    assert quarantine(gateway, "list") == "nothing is in quarantine\n"
    body = message()
    message_id = send(mesh, body)
    eventually(lambda: waiting(mesh) == [])
    listed = quarantine(gateway, "list")
    shown = quarantine(gateway, "show", message_id, "--save", str(tmp_path / "saved.xml"))
    for told in (listed, shown):
        for fact in (message_id, GATEWAY_MAILBOX, SUBSCRIBER_MAILBOX, "CHANGEOFGP_1", "ASID_CHECK_FAILED"):
            assert fact in told
        assert "CANARY" not in told
        assert "9990001006" not in told
    (one,) = json.loads(quarantine(gateway, "list", "--json"))
    assert (one["id"], one["released"]) == (message_id, None)
    assert (tmp_path / "saved.xml").read_bytes() == body
    assert (tmp_path / "saved.xml").stat().st_mode & 0o077 == 0, "others of the machine may read it"


def test_a_message_that_was_let_out_becomes_an_event_once_what_was_wrong_is_mended(
    gateway: Gateway, mesh: LocalMesh, tmp_path: Path
) -> None:
    message_id = send(mesh, message())
    eventually(lambda: waiting(mesh) == [])
    assert f"{message_id} is let out" in quarantine(gateway, "release", message_id)
    # It is looked at, and is as wrong as it was.
    eventually(lambda: remembered(gateway, message_id).released_ms is None)
    assert gateway.events() == []
    gateway.stop()
    (tmp_path / "applications.yaml").write_text(APPLICATION.format(mailbox=SUBSCRIBER_MAILBOX, publish="*"))
    gateway.start()
    quarantine(gateway, "release", message_id)
    eventually(lambda: len(gateway.events()) == 1)
    assert quarantine(gateway, "list") == "nothing is in quarantine\n"
    assert remembered(gateway, message_id).body is None


@pytest.mark.fault(
    "A message in the own mailbox is larger than may be read", "it stays there, listed in quarantine; the others go on"
)
def test_a_message_that_is_too_large_stays_in_the_mailbox_and_is_told_of(gateway: Gateway, mesh: LocalMesh) -> None:
    large = send(mesh, b"<Bundle>" + bytes(60_000) + b"</Bundle>")
    send(mesh, message("vaccinations-1"), "VACCINATIONS_1")
    eventually(lambda: len(gateway.events()) == 1)
    eventually(lambda: waiting(mesh) == [large])
    found = remembered(gateway, large)
    assert (found.reason, found.body) == ("longer than mesh.max_message_bytes, 50000", None)
    assert found.headers["mex-from"] == SUBSCRIBER_MAILBOX
    assert large in quarantine(gateway, "list")
    done = run("mesh", "quarantine", "show", large, "--save", "x.xml", **gateway.environment)
    assert done.stderr == f"gateway: {large}: it was not read; it is still in the mailbox {GATEWAY_MAILBOX}\n"
    metrics = gateway.http.get("/metrics").text
    assert f'gateway_mesh_inbox_left{{mailbox="{GATEWAY_MAILBOX}"}} 1.0' in metrics


def test_a_message_that_was_too_large_is_taken_when_it_is_let_out_after_the_limit_was_raised(
    gateway: Gateway, mesh: LocalMesh
) -> None:
    body = message("vaccinations-1").replace(b"</Bundle>", b" " * 60_000 + b"</Bundle>")
    large = send(mesh, body, "VACCINATIONS_1")
    eventually(lambda: gateway.ask(lambda store: store.unread()) == [large])
    gateway.stop()
    gateway.environment["GATEWAY_MESH__MAX_MESSAGE_BYTES"] = "100000"
    gateway.start()
    quarantine(gateway, "release", large)
    eventually(lambda: waiting(mesh) == [])
    assert len(gateway.events()) == 1
    assert remembered(gateway, large).disposition == "event"


@pytest.mark.parametrize("command", ["show", "release"])
def test_a_message_that_is_not_there_is_told_in_one_line(gateway: Gateway, command: str) -> None:
    done = run("mesh", "quarantine", command, "X", **gateway.environment)
    assert (done.returncode, done.stderr) == (2, "gateway: X: there is no such message in quarantine\n")
