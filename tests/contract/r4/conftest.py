from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness import Gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway without MESH, that allows heartbeats every second; its log must not tell of a fault of ours."""
    with Gateway(tmp_path_factory.mktemp("gateway"), GATEWAY_R4__HEARTBEAT_MIN_SECONDS="1") as running:
        yield running
    assert '"level":"error"' not in running.log.read_text()
