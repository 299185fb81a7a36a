"""The gateway as a subscriber of a NEMS, which is another gateway: over HTTP, and over mutual TLS."""

from __future__ import annotations

import http.server
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigurationError, UpstreamError
from gateway.faces.nems.jwt import read as read_jwt
from gateway.settings import NemsUpstream
from gateway.upstream.nems import Nems
from mesh.sandbox.run import LocalMesh
from tests.authority import Authority
from tests.harness import SUBSCRIBER_MAILBOX, Gateway

CRITERIA = "/Bundle?type=message&serviceType=GP&MessageHeader.event=pds-change-of-gp-1"
EXPLICIT = CRITERIA + "&Patient.identifier=https://fhir.nhs.uk/Id/nhs-number|9990001006"


def settings(url: str, **changed: Any) -> NemsUpstream:
    values: dict[str, Any] = {
        "url": url, "from_asid": "200000000115", "to_asid": "200000000306", "ods_code": "A20047",
        "issuer": "https://gateway.example.nhs.uk", "reason_for_request": "directcare", "requesting_user": "",
        "seconds": 10, "cert_file": "", "key_file": "", "ca_file": "",
    }  # fmt: skip
    return NemsUpstream(**(values | changed))


def subscribe(nems: Nems, criteria: str = EXPLICIT) -> str:
    return nems.subscribe(criteria, SUBSCRIBER_MAILBOX, reason="Test & trial").id


def refusal(url: str, **changed: Any) -> str:
    with pytest.raises(UpstreamError) as caught:
        subscribe(Nems(settings(url, **changed)))
    said = str(caught.value)
    assert "\n" not in said
    return said


def test_a_subscription_is_made_read_and_deleted(gateway: Gateway) -> None:
    nems = Nems(settings(gateway.url + "/"))
    made = nems.subscribe(EXPLICIT, SUBSCRIBER_MAILBOX, reason="Test & trial", end="2099-01-01T00:00:00Z")
    assert re.fullmatch("[0-9a-f]{32}", made.id)
    assert made.said == ""
    held = nems.read(made.id).body.decode()
    for text in (EXPLICIT.replace("&", "&amp;"), SUBSCRIBER_MAILBOX, "Test &amp; trial", "2099-01-01T00:00:00Z"):
        assert text in held
    nems.delete(made.id)
    with pytest.raises(UpstreamError, match=r"HTTP 404, NO_RECORD_FOUND: .*nems\.upstream\.from_asid's"):
        nems.read(made.id)


def test_a_repeat_is_told_with_the_id_of_the_first(gateway: Gateway) -> None:
    nems = Nems(settings(gateway.url))
    first = subscribe(nems)
    with pytest.raises(UpstreamError, match=f"HTTP 422, DUPLICATE_REJECTED: .*subscription already exists : {first}"):
        subscribe(nems)
    nems.delete(first)


def test_criteria_that_nems_refuses_are_told_in_its_words_without_the_patient(gateway: Gateway) -> None:
    with pytest.raises(UpstreamError, match="HTTP 400, INVALID_NHS_NUMBER: ") as caught:
        subscribe(Nems(settings(gateway.url)), EXPLICIT.replace("9990001006", "9990001007"))
    assert "9990001007" not in str(caught.value)


def test_an_asid_that_nems_does_not_know_is_told_with_what_to_look_at(mesh: LocalMesh, tmp_path: Path) -> None:
    applications = tmp_path / "applications.yaml"
    applications.write_text("applications: []")
    environment = {"GATEWAY_SECURITY__MODE": "closed", "GATEWAY_APPLICATIONS": str(applications)}
    with Gateway(tmp_path, mesh, **environment) as upstream:
        assert re.search(r"HTTP 40[013], .*upstream\.from_asid|ASID", refusal(upstream.url))


@contextmanager
def answering(status: int, body: bytes = b"", **headers: str) -> Iterator[http.server.ThreadingHTTPServer]:
    """A server that answers so, as a proxy before NEMS does."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            server.headers_of_last = dict(self.headers)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "headers", "says"),
    [
        (500, b"<html>Internal Server Error</html>", {}, "NEMS refuses: HTTP 500, without an OperationOutcome"),
        (302, b"", {"Location": "http://127.0.0.1:1/"}, "NEMS refuses: HTTP 302, without an OperationOutcome"),
        (201, b"", {}, "NEMS answered without the id of the subscription: look for it before you try again"),
    ],
)
def test_answers_that_are_not_of_nems_are_told(status: int, body: bytes, headers: dict[str, str], says: str) -> None:
    with answering(status, body, **headers) as server:
        assert refusal(f"http://127.0.0.1:{server.server_port}") == says


def test_a_deprecation_is_told_with_the_id(examples: Path) -> None:
    outcome = (examples / "nems" / "operation-outcomes" / "spec-create-subscription-deprecation-1.xml").read_bytes()
    place = "https://clinicals.spineservices.nhs.uk/STU3/Subscription/ea0a485187204b49b978bdcf7102388c"
    with answering(201, outcome, Location=place) as server:
        made = Nems(settings(f"http://127.0.0.1:{server.server_port}")).subscribe(CRITERIA, "M", reason="Test")
    assert made.id == "ea0a485187204b49b978bdcf7102388c"
    assert made.said.startswith("DEPRECATED: ")


def test_the_request_is_what_nems_asks_for() -> None:
    with answering(201, Location="https://x/STU3/Subscription/1") as server:
        url = f"http://127.0.0.1:{server.server_port}"
        subscribe(Nems(settings(url, requesting_user="555021935107")))
        sent = {name.lower(): value for name, value in server.headers_of_last.items()}
    assert sent["interactionid"] == "urn:nhs:names:services:clinicals-sync:SubscriptionsApiPost"
    assert (sent["fromasid"], sent["toasid"]) == ("200000000115", "200000000306")
    assert sent["content-type"] == sent["accept"] == "application/fhir+xml;charset=utf-8"
    claims = read_jwt(sent["authorization"])
    assert (claims.aud, claims.scope) == (f"{url}/STU3/Subscription", "patient/Subscription.write")
    assert claims.sub == claims.requesting_user == "https://fhir.nhs.uk/Id/sds-role-profile-id|555021935107"
    assert (claims.requesting_system.endswith("|200000000115"), claims.organization) == (True, "A20047")
    assert claims.exp - claims.iat == 300


def test_a_nems_that_is_not_there_is_told_with_the_setting() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        said = refusal(f"http://127.0.0.1:{closed.getsockname()[1]}")
    assert "cannot be reached" in said
    assert said.endswith("see nems.upstream.url")


def test_a_nems_that_does_not_answer_is_told_with_the_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        said = refusal(f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=0.3)
    assert "does not answer within 0.3 s" in said


def test_mutual_tls(mesh: LocalMesh, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, mine, others = (authority.issue(name) for name in ("gateway", "mine", "others"))
    applications = tmp_path / "applications.yaml"
    applications.write_text(
        "applications: [{id: one, name: One, ods_codes: [A20047], asids: ['200000000115'],"
        f" certificates: ['CN=mine'], mailboxes: [{SUBSCRIBER_MAILBOX}], subscribe: ['*'],"
        " subscription_kinds: [explicit, generic]}]"
    )
    root = str(authority.root.cert_file)
    environment = {
        "GATEWAY_SECURITY__MODE": "closed",
        "GATEWAY_SECURITY__CLIENT_CERTIFICATES": "tls",
        "GATEWAY_APPLICATIONS": str(applications),
        "GATEWAY_HTTP__TLS_CERT_FILE": str(server.cert_file),
        "GATEWAY_HTTP__TLS_KEY_FILE": str(server.key_file),
        "GATEWAY_HTTP__TLS_CLIENT_CA_FILE": root,
    }
    with Gateway(tmp_path, mesh, tls=authority.client(), **environment) as upstream:
        shown = {"cert_file": str(mine.cert_file), "key_file": str(mine.key_file)}
        nems = Nems(settings(upstream.url, ca_file=root, **shown))
        nems.delete(subscribe(nems))
        assert "is not trusted" in refusal(upstream.url, **shown)
        without = refusal(upstream.url, ca_file=root)
        assert without.startswith("NEMS refuses: HTTP 403, ACCESS_DENIED: ")
        wrong = refusal(upstream.url, ca_file=root, cert_file=str(others.cert_file), key_file=str(others.key_file))
        assert wrong.startswith("NEMS refuses: HTTP 403, ACCESS_DENIED: ")
        assert "is nems.upstream.from_asid registered" in wrong


def test_files_that_are_no_certificates_are_told_in_one_line(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for files in ({"ca_file": str(empty)}, {"cert_file": str(empty), "key_file": str(empty)}):
        with pytest.raises(ConfigurationError, match=r"nems\.upstream\.cert_file, key_file or ca_file: "):
            Nems(settings("https://127.0.0.1:1", **files))


def test_what_is_no_http_is_told_in_one_line() -> None:
    with socket.socket() as odd:
        odd.bind(("127.0.0.1", 0))
        odd.listen()

        def answer() -> None:
            connection, _ = odd.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(b"220 mail.example.nhs.uk\r\n")

        threading.Thread(target=answer, daemon=True).start()
        assert "cannot be reached" in refusal(f"http://127.0.0.1:{odd.getsockname()[1]}")
