from __future__ import annotations

import base64
import ssl
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

import pytest
from starlette.requests import Request

from gateway.faces.certificate import Certificates, Source
from tests.authority import Authority

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
SUBJECT = "CN=gp.example.nhs.uk"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    return Authority(tmp_path_factory.mktemp("pki")).issue("gp.example.nhs.uk").pem


def request(client: str | None, header: str = "", chain: list[str] | None = None) -> Request:
    headers = [(b"client-cert", header.encode())] if header else []
    scope: dict[str, Any] = {"type": "http", "headers": headers, "client": (client, 1) if client else None}
    if chain is not None:
        scope["extensions"] = {"tls": {"client_cert_chain": chain}}
    return Request(scope)


def by(source: Source) -> Certificates:
    return Certificates(source, "Client-Cert", PROXIES)


@pytest.mark.rule("nems-certificate-proxy")
@pytest.mark.parametrize(
    ("client", "believed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("fd00::1", True),
        ("11.1.2.3", False),
        ("::ffff:11.1.2.3", False),
        ("fe80::1", False),
        ("testclient", False),
        (None, False),
    ],
)
def test_a_header_is_believed_of_a_proxy_only(pem: str, client: str | None, believed: bool) -> None:
    assert (SUBJECT in by("proxy").names(request(client, quote(pem)))) is believed


def test_a_header_may_be_written_in_the_ways_of_proxies(pem: str) -> None:
    der = base64.b64encode(ssl.PEM_cert_to_DER_cert(pem)).decode()
    for header in (quote(pem), pem.replace("\n", ""), pem.replace("\n", " "), der, f":{der}:", quote(der)):
        assert SUBJECT in by("proxy").names(request("10.0.0.1", header))


def test_a_certificate_is_looked_for_in_one_place_only(pem: str) -> None:
    both = request("10.0.0.1", quote(pem), chain=[])
    assert by("tls").names(both) == by("none").names(both) == frozenset()
    connection = request("10.0.0.1", chain=[pem])
    assert SUBJECT in by("tls").names(connection)
    assert by("proxy").names(connection) == by("none").names(connection) == frozenset()
    assert not by("none").required
