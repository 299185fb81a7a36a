"""Faults of the machine that the gateway runs on."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from mesh.sandbox.run import LocalMesh
from tests.contract.mesh.acts import send
from tests.faults.endpoint import WELL, Endpoint, says
from tests.harness import Gateway, Listener, eventually, message
from tests.test_crash import Load


@pytest.mark.fault(
    "The disk is full", "publishers are answered 503, nothing of that is kept; all goes on when there is room"
)
def test_a_full_disk(tmp_path: Path, listener: Listener) -> None:
    """The size that the process may write files to is limited, as a full disk does it."""
    with Gateway(tmp_path) as gateway:
        gateway.subscribe_webhook(listener.url)
        assert gateway.publish(message()).status_code == 202
        gateway.wait_until_idle()
        size = (tmp_path / "gateway.db-wal").stat().st_size
        _, hard = resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (size, hard))
        refused = gateway.publish(message())
        assert refused.status_code == 503
        assert "Retry-After" in refused.headers
        assert gateway.http.get("/readyz").status_code == 503
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (hard, hard))
        eventually(lambda: gateway.http.get("/readyz").status_code == 200)
        assert gateway.publish(message()).status_code == 202
        listener.wait_for(2)
        gateway.wait_until_idle()
        assert len(gateway.events()) == 2


@pytest.mark.fault(
    "The clock of a gateway on SQLite steps by an hour forward, and by two back",
    "all delivered, none twice; neither what waits for a retry or a probe nor the next poll of the mailbox is late by that",
)
def test_a_clock_that_steps(tmp_path: Path, listener: Listener, mesh: LocalMesh) -> None:
    settings = {
        "GATEWAY_DELIVERY__RETRY_SECONDS": json.dumps([3] * 20),
        "GATEWAY_DELIVERY__PROBE_SECONDS": "[3]",
        "GATEWAY_NEMS__JWT_CHECK_CLOCK": "false",
    }
    with Listener() as busy, Gateway(tmp_path, mesh, program="tests.faults.stepping", **settings) as gateway:
        gateway.subscribe_webhook(listener.url)
        gateway.subscribe_webhook(busy.url)
        listener.answers.status, busy.answers.status = 404, 503
        accepted = 0
        # In the end an hour behind: MESH takes no more than two.
        for step in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1, signal.SIGUSR1, signal.SIGUSR2):
            for _ in range(3):
                assert gateway.publish(message()).status_code == 202
                accepted += 1
            listener.wait_for(3)
            busy.wait_for(1)
            gateway.signal(step)
            time.sleep(1.5)  # it compares its clocks twice a second, and would see two steps as one
        listener.answers.status = busy.answers.status = 204
        send(mesh, message())
        eventually(lambda: len(gateway.events()) == accepted + 1)
        accepted += 1
        gateway.wait_until_idle(60)
        found = [one for trace in gateway.events() for one in trace.deliveries]
        assert [one.state for one in found] == ["delivered"] * 2 * accepted
        for one in (listener, busy):
            assert len({request.headers["webhook-id"] for request in one.received}) == accepted
        failed = sum(attempt.outcome != "delivered" for one in found for attempt in one.attempts)
        assert len(listener.received) + len(busy.received) == failed + len(found), "one came twice"


@pytest.mark.soak
@pytest.mark.fault(
    "More comes in than webhooks take, for a minute", "memory stays within a tenth; the backlog is in the store"
)
def test_a_minute_of_more_than_can_be_delivered(tmp_path: Path) -> None:
    with Endpoint() as slow, Gateway(tmp_path) as gateway, Load(gateway):
        slow.illness = says(b"", WELL, pause=0.5)
        gateway.subscribe_webhook(slow.url)
        time.sleep(20)
        before = resident_bytes(gateway.pid)
        time.sleep(60)
        after = resident_bytes(gateway.pid)
        held = float(re.findall(r"^gateway_deliveries_in_memory (\S+)", gateway.http.get("/metrics").text, re.M)[0])
    assert after < 1.1 * before, f"{before:,} bytes, and {after:,} a minute later"
    assert held <= 2000
    with contextlib.closing(sqlite3.connect(gateway.database)) as connection:
        (waiting,) = connection.execute("SELECT count(*) FROM deliveries WHERE state = 'held'").fetchone()
    assert waiting > 2000, "there was no backlog"


def resident_bytes(pid: int) -> int:
    """The memory of a process, and of those it has made and they, that is not swapped out."""
    own = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    made = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(resident_bytes(int(one)) for one in made)
