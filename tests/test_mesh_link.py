from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.x509 import load_pem_x509_certificate
from prometheus_client import REGISTRY

from gateway.errors import ConfigurationError
from gateway.mesh_link import MeshLink
from gateway.settings import Mesh, load
from tests.authority import Authority


def settings(**changed: object) -> Mesh:
    given = {"url": "https://127.0.0.1:1", "mailbox": "M1", "password": "p", "shared_key": "k", **changed}
    return Mesh.model_validate(load().mesh.model_dump() | given)


async def test_when_the_certificate_ends_is_a_metric(tmp_path: Path) -> None:
    files = Authority(tmp_path).issue("mesh")
    link = MeshLink(settings(cert_file=str(files.cert_file), key_file=str(files.key_file)))
    expected = load_pem_x509_certificate(files.pem.encode()).not_valid_after_utc.timestamp()
    assert REGISTRY.get_sample_value("gateway_mesh_certificate_expiry_timestamp_seconds") == expected
    await link.close()


def test_a_file_that_is_no_certificate_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "empty.pem"
    file.write_text("")
    with pytest.raises(ConfigurationError, match=r"mesh\.cert_file .*: .*empty\.pem holds no certificate"):
        MeshLink(settings(cert_file=str(file), key_file=str(file)))
