from __future__ import annotations

from collections.abc import Iterator

import pytest

from mesh.sandbox.run import LocalMesh
from tests.contract.mns.acts import Caller, closed
from tests.harness import Gateway


@pytest.fixture(scope="module")
def gateway(mesh: LocalMesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in closed mode, with a local MESH; its log must not tell of a fault of ours."""
    with closed(tmp_path_factory.mktemp("gateway"), mesh) as running:
        yield running
    assert '"outcome":"failed"' not in running.log.read_text()


@pytest.fixture(scope="module")
def caller(gateway: Gateway) -> Caller:
    """An application that may do all."""
    return Caller(gateway)
