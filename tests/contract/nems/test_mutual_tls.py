"""Mutual TLS, by the gateway itself and by a proxy before it: over real connections, with certificates of our own."""

from __future__ import annotations

import contextlib
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from tests.authority import Authority
from tests.harness import Gateway, interaction, message, nems_headers

MINE, OTHERS, BY_SUBJECT = "200000000115", "200000000222", "200000000333"
PROCESS_MESSAGE = "/STU3/Events/1/$process-message"
EVENT = "vaccinations-1"


class Pki:
    """An authority, the certificates it gave to the gateway and its clients, and one of another authority."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.stranger = Authority(folder, "stranger")
        self.server = self.authority.issue("gateway.example.nhs.uk")
        self.mine = self.authority.issue("mine.example.nhs.uk")
        self.others = self.authority.issue("others.example.nhs.uk")
        self.by_subject = self.authority.issue("by-subject.example.nhs.uk")
        self.unknown = self.authority.issue("unknown.example.nhs.uk")
        self.expired = self.authority.issue("mine.example.nhs.uk-expired", expired=True)
        self.forged = self.stranger.issue("by-subject.example.nhs.uk")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def closed(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of closed mode with three applications, two known by fingerprint and one by subject."""
    certificates = {
        MINE: f"sha256:{pki.mine.fingerprint}",
        OTHERS: f"sha256:{pki.others.fingerprint}",
        BY_SUBJECT: "CN=by-subject.example.nhs.uk",
    }
    entries = [
        f'  - {{id: app-{asid}, name: Application {asid}, asids: ["{asid}"], certificates: ["{name}"], publish: ["*"]}}'
        for asid, name in certificates.items()
    ]
    file = tmp_path_factory.mktemp("applications") / "applications.yaml"
    file.write_text("\n".join(["applications:", *entries]))
    return {"GATEWAY_SECURITY__MODE": "closed", "GATEWAY_APPLICATIONS": str(file)}


@pytest.fixture(scope="module")
def direct(pki: Pki, closed: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that speaks mutual TLS itself."""
    environment = closed | {
        "GATEWAY_SECURITY__CLIENT_CERTIFICATES": "tls",
        "GATEWAY_HTTP__TLS_CERT_FILE": str(pki.server.cert_file),
        "GATEWAY_HTTP__TLS_KEY_FILE": str(pki.server.key_file),
        "GATEWAY_HTTP__TLS_CLIENT_CA_FILE": str(pki.authority.root.cert_file),
    }
    with Gateway(tmp_path_factory.mktemp("direct"), tls=pki.authority.client(), **environment) as running:
        yield running


def publish(url: str, context: ssl.SSLContext | bool, asid: str, **headers: str) -> httpx.Response:
    sent = nems_headers(fromASID=asid, **interaction(EVENT), **headers)
    return httpx.post(url + PROCESS_MESSAGE, content=message(EVENT), headers=sent, verify=context)


def refused(answer: httpx.Response) -> str:
    """The diagnostics of a 403 ACCESS_DENIED."""
    (issue,) = parse_xml(answer.content, load("STU3")).resource["issue"]
    assert (answer.status_code, issue["details"]["coding"][0]["code"]) == (403, "ACCESS_DENIED")
    return str(issue["diagnostics"])


@pytest.mark.rule("nems-certificate-tls")
def test_an_application_that_shows_its_certificate_is_admitted(direct: Gateway, pki: Pki) -> None:
    assert publish(direct.url, pki.authority.client(pki.mine), MINE).status_code == 202
    assert publish(direct.url, pki.authority.client(pki.by_subject), BY_SUBJECT).status_code == 202


@pytest.mark.rule("nems-certificate-tls", "nems-jwt-no-identity")
def test_an_asid_with_no_certificate_or_another_applications_is_refused(direct: Gateway, pki: Pki) -> None:
    before = len(direct.events())
    assert "a client certificate is needed" in refused(publish(direct.url, pki.authority.client(), MINE))
    for shown in (pki.others, pki.unknown):
        said = refused(publish(direct.url, pki.authority.client(shown), MINE))
        assert "the client certificate is not that of" in said
    assert len(direct.events()) == before


@pytest.mark.rule("nems-certificate-tls", "nems-certificate-expired")
def test_a_certificate_that_has_expired_or_is_of_another_authority_gets_no_connection(
    direct: Gateway, pki: Pki
) -> None:
    for shown in (pki.expired, pki.forged):
        with pytest.raises(httpx.TransportError):
            publish(direct.url, pki.authority.client(shown), BY_SUBJECT)


def test_a_header_is_not_believed_where_certificates_come_by_tls(direct: Gateway, pki: Pki) -> None:
    for name in ("Client-Cert", "X-SSL-Client-Cert"):
        answer = publish(direct.url, pki.authority.client(), MINE, **{name: quote(pki.mine.pem)})
        assert "a client certificate is needed" in refused(answer)


def test_probes_need_no_certificate(direct: Gateway, pki: Pki) -> None:
    assert httpx.get(f"{direct.url}/livez", verify=pki.authority.client()).status_code == 200


def test_the_cipher_that_spine_asks_for_is_spoken_and_old_versions_are_not(direct: Gateway, pki: Pki) -> None:
    old = pki.authority.client(pki.mine)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384")
    assert publish(direct.url, old, MINE).status_code == 202
    old.set_ciphers("ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA")
    with pytest.raises(httpx.ConnectError):
        publish(direct.url, old, MINE)


@contextlib.contextmanager
def proxy(pki: Pki, target: str, write: Callable[[ssl.SSLSocket], str]) -> Iterator[str]:
    """A proxy that speaks mutual TLS and tells of the certificate in a header, written by `write`; its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert isinstance(self.connection, ssl.SSLSocket)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "client-cert"}
            headers["Client-Cert"] = write(self.connection)
            answer = httpx.post(target + self.path, content=body, headers=headers)
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki.authority.root.cert_file))
    context.load_cert_chain(pki.server.cert_file, pki.server.key_file)
    context.verify_mode = ssl.CERT_REQUIRED
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()


def behind(folder: Path, closed: dict[str, str], addresses: str) -> Gateway:
    """A gateway whose clients show their certificates to a proxy at `addresses`."""
    return Gateway(
        folder,
        **closed,
        GATEWAY_SECURITY__CLIENT_CERTIFICATES="proxy",
        GATEWAY_SECURITY__PROXY_ADDRESSES=addresses,
        GATEWAY_SECURITY__PROXY_HEADER="Client-Cert",
    )


def _der(connection: ssl.SSLSocket) -> bytes:
    return connection.getpeercert(binary_form=True) or b""


def pem(connection: ssl.SSLSocket) -> str:
    """As nginx's $ssl_client_escaped_cert and the load balancer of AWS write it."""
    return quote(ssl.DER_cert_to_PEM_cert(_der(connection)))


def rfc9440(connection: ssl.SSLSocket) -> str:
    """As the header Client-Cert has it."""
    from base64 import b64encode

    return f":{b64encode(_der(connection)).decode()}:"


@pytest.fixture(scope="module")
def proxied(closed: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with behind(tmp_path_factory.mktemp("proxied"), closed, "10.0.0.0/8, 127.0.0.1") as running:
        yield running


@pytest.mark.rule("nems-certificate-proxy")
@pytest.mark.parametrize("write", [pem, rfc9440])
def test_a_configured_proxys_header_tells_the_certificate(
    proxied: Gateway, pki: Pki, write: Callable[[ssl.SSLSocket], str]
) -> None:
    with proxy(pki, proxied.url, write) as url:
        assert publish(url, pki.authority.client(pki.mine), MINE).status_code == 202
        assert publish(url, pki.authority.client(pki.by_subject), BY_SUBJECT).status_code == 202
        assert "not that of" in refused(publish(url, pki.authority.client(pki.others), MINE))


@pytest.mark.parametrize("header", ["not base64", "aGVsbG8=", "-----BEGIN CERTIFICATE-----", quote("\n" * 9)])
def test_a_header_that_is_no_certificate_is_refused(proxied: Gateway, header: str) -> None:
    refused(publish(proxied.url, True, MINE, **{"Client-Cert": header}))


def test_without_the_header_nobody_is_admitted(proxied: Gateway) -> None:
    assert "a client certificate is needed" in refused(publish(proxied.url, True, MINE))


def test_two_headers_are_refused(proxied: Gateway, pki: Pki) -> None:
    sent = [*nems_headers(fromASID=MINE, **interaction(EVENT)).items(), *[("Client-Cert", quote(pki.mine.pem))] * 2]
    answer = httpx.post(proxied.url + PROCESS_MESSAGE, content=message(EVENT), headers=sent)
    assert "more than one" in refused(answer)


@pytest.mark.rule("nems-certificate-proxy")
def test_the_header_is_passed_over_when_it_comes_from_elsewhere(
    closed: dict[str, str], pki: Pki, tmp_path: Path
) -> None:
    with behind(tmp_path, closed, "10.0.0.0/8") as elsewhere:
        headers = {"Client-Cert": quote(pki.mine.pem), "X-Forwarded-For": "10.0.0.1"}
        answer = publish(elsewhere.url, True, MINE, **headers)
        assert "a client certificate is needed" in refused(answer)
