from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from gateway import certificates
from tests.authority import Authority


def test_a_certificate_goes_by_its_fingerprint_and_its_subject(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("gp.example.nhs.uk")
    names = certificates.names(ssl.PEM_cert_to_DER_cert(issued.pem))
    assert names == {certificates.normal(f"sha256:{issued.fingerprint}"), "CN=gp.example.nhs.uk"}


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("sha256:" + "AB:" * 31 + "CD", "sha256:" + "ab" * 31 + "cd"),
        (" SHA256:" + "ab" * 32, "sha256:" + "ab" * 32),
        ("CN=gp.example.nhs.uk,OU=Devices,O=NHS", "CN=gp.example.nhs.uk,OU=Devices,O=NHS"),
        ("CN=gp.example.nhs.uk", "CN=gp.example.nhs.uk"),
    ],
)
def test_a_name_may_be_written_as_openssl_does(written: str, normal: str) -> None:
    assert certificates.normal(written) == normal


@pytest.mark.parametrize("written", ["", "sha256:12", "gp.example.nhs.uk", "sha1:" + "ab" * 20, "CN"])
def test_what_names_no_certificate_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="a certificate is sha256: and its fingerprint"):
        certificates.normal(written)


@pytest.mark.parametrize("der", [b"", b"nothing", b"\x30\x03\x02\x01\x01"])
def test_what_is_no_certificate_has_no_names(der: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        certificates.names(der)
