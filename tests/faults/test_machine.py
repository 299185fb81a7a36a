"""Faults of the machine that the gateway runs on."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from tests.harness import Gateway, Listener, eventually, message


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
