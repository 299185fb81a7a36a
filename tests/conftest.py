"""What every test may use."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.sandbox.run import LocalMailbox, LocalMesh
from tests.harness import GATEWAY_MAILBOX, SUBSCRIBER_MAILBOX, Gateway, Listener
from tests.ports import free_port
from tests.postgres import PostgresServer

# As the gateway has it.
gc.set_threshold(50_000, 20, 100)
ROOT = Path(__file__).resolve().parent.parent
LONG = (
    "test_nodes.py",
    "test_bench.py",
    "test_crash.py",
    "test_endpoints.py",
    "test_notifications.py",
    "test_level.py",
)
"""The files that take longest. They are begun with, so that no process is left with one of them when all else is done."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of messages that the services themselves publish; they are not part of this repository."""
    folder = ROOT.parent / "shared" / "examples"
    if not folder.is_dir():
        pytest.skip("the published example messages are not beside this checkout")
    return folder


@pytest.fixture(scope="module")
def mesh() -> Iterator[LocalMesh]:
    """A local MESH with the gateway's mailbox and a subscriber's."""
    with LocalMesh([LocalMailbox(GATEWAY_MAILBOX), LocalMailbox(SUBSCRIBER_MAILBOX)], port=free_port()) as local:
        yield local


@pytest.fixture(scope="module")
def gateway(mesh: LocalMesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in open mode, with that MESH; its log must not tell of a fault of ours."""
    with Gateway(tmp_path_factory.mktemp("gateway"), mesh) as running:
        yield running
    log = running.log.read_text()
    assert '"outcome":"failed"' not in log
    assert '"action":"helper"' not in log, "what a helper fails at the gateway does itself"


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A webhook listener."""
    with Listener() as listening:
        yield listening


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL server for a run of the tests; each test asks it for a database of its own."""
    with PostgresServer(fsync=False) as server:
        yield server
