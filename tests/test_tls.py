"""TLS that cannot be, and certificates that nobody would look at, stop the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.authority import Authority, Issued
from tests.harness import run
from tests.ports import free_port


@pytest.fixture
def server(tmp_path: Path) -> Issued:
    return Authority(tmp_path).issue("gateway.example.nhs.uk")


def start(folder: Path, **environment: str) -> str:
    """What `gateway serve` says when it does not start."""
    store = {"GATEWAY_STORE__URL": f"sqlite:///{folder}/g.db", "GATEWAY_HTTP__PORT": str(free_port())}
    done = run("serve", **(store | environment))
    assert done.returncode == 2
    assert done.stderr.startswith("gateway: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("wrong", ["CERT", "KEY", "CLIENT_CA"])
def test_a_file_that_is_no_certificate_or_key_is_told(tmp_path: Path, server: Issued, wrong: str) -> None:
    applications, other = tmp_path / "applications.yaml", tmp_path / "other.pem"
    applications.write_text("applications: []")
    other.write_text("-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n")
    files = {"CERT": server.cert_file, "KEY": server.key_file, "CLIENT_CA": server.cert_file} | {wrong: other}
    said = start(
        tmp_path,
        GATEWAY_SECURITY__MODE="closed",
        GATEWAY_APPLICATIONS=str(applications),
        GATEWAY_SECURITY__CLIENT_CERTIFICATES="tls",
        **{f"GATEWAY_HTTP__TLS_{name}_FILE": str(file) for name, file in files.items()},
    )
    assert "tls_client_ca_file" in said


def test_a_key_of_another_certificate_is_told(tmp_path: Path, server: Issued) -> None:
    other = Authority(tmp_path, "other").issue("gateway.example.nhs.uk")
    said = start(
        tmp_path,
        GATEWAY_HTTP__TLS_CERT_FILE=str(server.cert_file),
        GATEWAY_HTTP__TLS_KEY_FILE=str(other.key_file),
    )
    assert "key values mismatch" in said


def test_certificates_that_nobody_would_look_at_are_told(tmp_path: Path) -> None:
    applications = tmp_path / "applications.yaml"
    applications.write_text('applications: [{id: one, name: One, certificates: ["CN=one.example.nhs.uk"]}]')
    said = start(tmp_path, GATEWAY_SECURITY__MODE="closed", GATEWAY_APPLICATIONS=str(applications))
    assert "applications have certificates, but security.client_certificates is none" in said
