"""What a mailbox makes of everything MESH and the network can do to it, over HTTP."""

from __future__ import annotations

import gzip
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from ssl import CERT_REQUIRED, PROTOCOL_TLS_SERVER, SSLContext
from typing import Any, ClassVar

import pytest
import requests
import urllib3
from mesh_client import MeshClient

from mesh.mailbox import Mailbox, MailboxSettings, MessageTooLarge
from mesh.outcome import Outcome, Result
from mesh.sandbox.run import PYTHON, LocalMesh
from tests.mesh.conftest import Outgoing


class Hello(BaseHTTPRequestHandler):
    headers_of_last: ClassVar[dict[str, str]] = {}

    def do_POST(self) -> None:
        Hello.headers_of_last = {name.lower(): value for name, value in self.headers.items()}
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class QuietServer(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what is tested."""


@contextmanager
def serve(server: HTTPServer) -> Iterator[HTTPServer]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


# Settings


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "mesh.example"},
        {"mailbox_id": ""},
        {"mailbox_id": "TRÜST"},
        {"password": ""},
        {"password": "pässword"},
        {"shared_key": ""},
    ],
)
def test_settings_that_cannot_work_are_refused_without_being_quoted(changes: dict[str, str]) -> None:
    good: dict[str, Any] = {"url": "http://mesh.example", "mailbox_id": "M1", "password": "p", "shared_key": "k"}
    with pytest.raises(ValueError, match=r"MESH|mailbox") as error:
        MailboxSettings(**{**good, **changes})
    assert "pässword" not in str(error.value)


def test_a_mailbox_id_is_put_in_capitals(mesh: LocalMesh) -> None:
    settings = mesh.settings_for("SENDER01")
    with Mailbox(replace(settings, mailbox_id="sender01")) as mailbox:
        assert mailbox.handshake().result is Result.ACCEPTED


def test_no_secret_shows_in_repr() -> None:
    settings = MailboxSettings("http://mesh.example", "M1", "canary", "canary", cert=("c", "k", "canary"))
    with Mailbox(settings) as mailbox:
        assert "canary" not in f"{settings!r} {mailbox!r}"


# Sending


def test_a_message_arrives_byte_for_byte(sender: Mailbox, recipient: Mailbox, outgoing: Outgoing) -> None:
    message = outgoing(
        body=bytes(range(256)),
        subject="Née Müller",
        file_name="birth.xml",
        content_type="application/fhir+xml",
        partner_id="sub-1 sub-2",
    )
    outcome = sender.send(message)
    [message_id] = recipient.list_messages()
    received = recipient.retrieve(message_id)

    assert outcome == Outcome(Result.ACCEPTED, message_id, 202)
    assert received.body == message.body
    assert (received.message_id, received.message_type) == (message_id, "DATA")
    assert (received.sender, received.recipient) == ("SENDER01", "TRUST01")
    assert (received.workflow_id, received.local_id) == ("WF_1", message.local_id)
    assert (received.subject, received.file_name) == ("Née Müller", "birth.xml")
    assert (received.content_type, received.headers["mex-partnerid"]) == ("application/fhir+xml", "sub-1 sub-2")


def test_a_header_that_is_not_given_is_not_sent(mesh: LocalMesh, outgoing: Outgoing) -> None:
    Hello.headers_of_last = {}
    with serve(QuietServer(("127.0.0.1", 0), Hello)) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        with Mailbox(replace(mesh.settings_for("SENDER01"), url=url)) as mailbox:
            mailbox.send(outgoing())
    sent = {name for name in Hello.headers_of_last if name.startswith("mex-")}
    assert sent == {"mex-to", "mex-workflowid", "mex-localid", "mex-chunk-range"}


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
def test_a_megabyte_arrives_byte_for_byte(
    mesh: LocalMesh, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing, compress: bool
) -> None:
    body = (b"".join(uuid.uuid4().bytes for _ in range(1024)) * 64)[: 1024 * 1024]
    message_id = sender.send(outgoing(body=body, compress=compress)).message_id
    assert recipient.retrieve(message_id).body == body
    details = requests.get(f"{mesh.url}/messageexchange/admin/message/{message_id}", timeout=5).json()
    assert details.get("content_encoding", "") == ("gzip" if compress else "")


def test_a_message_mesh_would_refuse_is_rejected_without_a_request(sender: Mailbox, outgoing: Outgoing) -> None:
    assert sender.send(outgoing(body=b"")) == Outcome(Result.REJECTED, reason="the body is empty")


def test_an_unknown_recipient_is_rejected(sender: Mailbox, outgoing: Outgoing) -> None:
    outcome = sender.send(outgoing(recipient="NOBODY"))
    assert outcome == Outcome(Result.REJECTED, "", 417, "12", "Unregistered to address")


def test_a_workflow_the_recipient_does_not_take_is_rejected(sender: Mailbox, outgoing: Outgoing) -> None:
    outcome = sender.send(outgoing(workflow_id="WF_2"))
    assert outcome == Outcome(Result.REJECTED, "", 417, "17", "Workflow ID not registered for mailbox")


@pytest.mark.parametrize(
    "changes", [{"password": "wrong"}, {"shared_key": "wrong"}, {"mailbox_id": "NOBODY"}], ids=lambda c: next(iter(c))
)
def test_a_mailbox_mesh_does_not_accept_is_auth_on_every_call(
    mesh: LocalMesh, outgoing: Outgoing, changes: dict[str, Any]
) -> None:
    with Mailbox(replace(mesh.settings_for("SENDER01"), **changes)) as mailbox:
        assert [mailbox.handshake().result, mailbox.send(outgoing()).result] == [Result.AUTH] * 2
        found = mailbox.find("id-1")
        assert found is not None
        assert found.result is Result.AUTH
        with pytest.raises(requests.HTTPError, match="403"):
            mailbox.list_messages()


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (403, Result.AUTH),
        (425, Result.THROTTLED),
        (429, Result.THROTTLED),
        (500, Result.UNKNOWN),
        (502, Result.UNKNOWN),
        (503, Result.UNKNOWN),
        (504, Result.UNKNOWN),
    ],
)
def test_a_bare_status_is_sorted_and_its_retry_after_kept(
    mesh: LocalMesh, sender: Mailbox, outgoing: Outgoing, status: int, result: Result
) -> None:
    mesh.fault("status", method="POST", path_contains="/outbox", status=status, headers={"Retry-After": "7"})
    assert sender.send(outgoing()) == Outcome(result, status=status, retry_after_seconds=7)


def test_a_login_page_that_answers_200_is_not_taken_for_mesh(
    mesh: LocalMesh, sender: Mailbox, outgoing: Outgoing
) -> None:
    mesh.fault("status", status=200)
    assert sender.send(outgoing()).result is Result.UNKNOWN


# Not sent


def test_a_refused_connection_is_not_sent(mesh: LocalMesh, outgoing: Outgoing) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with Mailbox(replace(mesh.settings_for("SENDER01"), url=url)) as mailbox:
            assert mailbox.send(outgoing()).result is Result.NOT_SENT
            assert mailbox.handshake().result is Result.NOT_SENT


def test_a_connection_that_is_not_taken_in_time_is_not_sent(mesh: LocalMesh, outgoing: Outgoing) -> None:
    with socket.socket() as full, socket.socket() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.connect(full.getsockname())  # a queue of length 0 holds one; the next is left without an answer
        settings = replace(
            mesh.settings_for("SENDER01"), url=f"http://127.0.0.1:{full.getsockname()[1]}", connect_seconds=0.2
        )
        with Mailbox(settings) as mailbox:
            assert mailbox.send(outgoing()) == Outcome(Result.NOT_SENT, reason="ConnectTimeout")


MAKE_CERTIFICATE = """
import datetime, ipaddress, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "local")])
local = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
day = datetime.timedelta(days=1)
made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
made = made.add_extension(local, False).add_extension(x509.BasicConstraints(True, None), True)
made = made.sign(key, hashes.SHA256())
open(sys.argv[1], "wb").write(made.public_bytes(serialization.Encoding.PEM))
open(sys.argv[2], "wb").write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption()))
"""


@contextmanager
def tls_server(certificate: str, key: str) -> Iterator[str]:
    """Serve handshakes to clients that show the same certificate."""
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(certificate)
    context.verify_mode = CERT_REQUIRED
    server = QuietServer(("127.0.0.1", 0), Hello)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serve(server):
        yield f"https://127.0.0.1:{server.server_port}"


def test_mutual_tls_works_and_a_server_that_is_not_trusted_is_not_sent(mesh: LocalMesh, tmp_path: Path) -> None:
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    subprocess.run([PYTHON, "-c", MAKE_CERTIFICATE, certificate, key], check=True)
    with tls_server(certificate, key) as url:
        settings = replace(mesh.settings_for("SENDER01"), url=url, cert=(certificate, key), read_seconds=2)
        with Mailbox(replace(settings, verify=certificate)) as mailbox:
            assert mailbox.handshake().result is Result.ACCEPTED
        with Mailbox(settings) as mailbox:
            assert mailbox.handshake() == Outcome(Result.NOT_SENT, reason="SSLError")


# Unknown outcomes


def test_no_answer_after_acceptance_is_unknown_and_then_found(
    mesh: LocalMesh, impatient_sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    message = outgoing()
    mesh.fault("delay", method="POST", accept=True, seconds=1)
    assert impatient_sender.send(message) == Outcome(Result.UNKNOWN, reason="ReadTimeout")
    assert impatient_sender.find(message.local_id) == Outcome(Result.ACCEPTED, recipient.list_messages()[0], 200)


def test_a_connection_lost_after_acceptance_is_unknown_and_a_resend_sends_nothing(
    mesh: LocalMesh, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    message = outgoing()
    mesh.fault("drop", method="POST", accept=True)
    assert sender.send(message) == Outcome(Result.UNKNOWN, reason="ConnectionError")
    again = sender.resend(message)
    assert again.result is Result.ACCEPTED
    assert recipient.list_messages() == [again.message_id]


def test_a_connection_lost_before_acceptance_is_unknown_and_a_resend_sends(
    mesh: LocalMesh, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    message = outgoing()
    mesh.fault("drop", method="POST")
    assert sender.send(message).result is Result.UNKNOWN
    assert sender.find(message.local_id) is None
    assert recipient.list_messages() == []
    assert [sender.resend(message).message_id] == recipient.list_messages()


def test_a_gateway_error_can_hide_an_acceptance(
    mesh: LocalMesh, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    message = outgoing()
    mesh.fault("status", method="POST", status=504, accept=True)
    assert sender.send(message) == Outcome(Result.UNKNOWN, status=504)
    assert [sender.resend(message).message_id] == recipient.list_messages()


def test_an_answer_cut_short_is_unknown(mesh: LocalMesh, sender: Mailbox, outgoing: Outgoing) -> None:
    message = outgoing()
    mesh.fault("truncate", method="POST")
    assert sender.send(message).result is Result.UNKNOWN
    assert sender.find(message.local_id) is not None


def test_absent_is_final_only_when_the_server_cannot_still_be_working(
    mesh: LocalMesh, impatient_sender: Mailbox, outgoing: Outgoing
) -> None:
    message = outgoing()
    mesh.fault("delay", method="POST", seconds=0.8)
    assert impatient_sender.send(message).result is Result.UNKNOWN
    assert impatient_sender.find(message.local_id) is None
    deadline = time.monotonic() + 5
    while impatient_sender.find(message.local_id) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_blind_resend_makes_a_second_message_and_a_look_up_says_so(
    sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    message = outgoing()
    sender.send(message)
    sender.send(message)
    assert len(recipient.list_messages()) == 2
    several = Outcome(Result.ACCEPTED, status=300, reason="several messages have this local id")
    assert sender.find(message.local_id) == several
    assert sender.resend(message) == several
    assert len(recipient.list_messages()) == 2


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        ({"kind": "drop"}, Result.UNKNOWN),
        ({"kind": "status", "status": 400}, Result.UNKNOWN),
        ({"kind": "status", "status": 503}, Result.UNKNOWN),
        ({"kind": "status", "status": 429}, Result.THROTTLED),
        ({"kind": "status", "status": 403}, Result.AUTH),
    ],
    ids=lambda value: str(value.get("status", value["kind"])) if isinstance(value, dict) else "",
)
def test_a_look_up_that_fails_is_no_reason_to_send_again(
    mesh: LocalMesh, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing, fault: dict[str, object], result: Result
) -> None:
    mesh.fault(**fault, method="GET", path_contains="/tracking/")
    assert sender.resend(outgoing()).result is result
    assert recipient.list_messages() == []


def test_a_look_up_waits_no_longer_than_the_settings_say(mesh: LocalMesh, impatient_sender: Mailbox) -> None:
    mesh.fault("delay", method="GET", seconds=1)
    assert impatient_sender.find("id-1") == Outcome(Result.UNKNOWN, reason="ReadTimeout")


def test_a_look_up_that_cannot_connect_leaves_the_send_unknown(mesh: LocalMesh, outgoing: Outgoing) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with Mailbox(replace(mesh.settings_for("SENDER01"), url=url)) as mailbox:
            assert mailbox.resend(outgoing()).result is Result.UNKNOWN


def test_a_local_id_with_odd_characters_is_found(sender: Mailbox, outgoing: Outgoing) -> None:
    message = outgoing(local_id="a b?c#d%2F&é")
    assert sender.send(message).result is Result.ACCEPTED
    found = sender.find(message.local_id)
    assert found is not None
    assert found.result is Result.ACCEPTED


# Receiving


def test_a_message_in_chunks_is_put_together(raw_sender: MeshClient, recipient: Mailbox) -> None:
    body = b"".join(uuid.uuid4().bytes for _ in range(1000))
    for compress in (False, True):
        message_id = raw_sender.send_message(
            "TRUST01", body, workflow_id="WF_1", max_chunk_size=7000, compress=compress, content_type="text/x"
        )
        received = recipient.retrieve(message_id)
        assert received.body == body
        assert received.content_type == "text/x"


def post_gzip(client: MeshClient, body: bytes) -> str:
    headers = {"Mex-To": "TRUST01", "Mex-WorkflowID": "WF_1", "Content-Encoding": "gzip", "Content-Type": "text/x"}
    return str(client._session.post(f"{client.mailbox_url}/outbox", data=body, headers=headers).json()["message_id"])


def test_a_gzip_stream_in_two_parts_is_read_whole(raw_sender: MeshClient, recipient: Mailbox) -> None:
    message_id = post_gzip(raw_sender, gzip.compress(b"one ") + gzip.compress(b"two"))
    assert recipient.retrieve(message_id).body == b"one two"


def test_a_gzip_stream_that_the_sender_cut_short_is_not_taken_for_whole(
    raw_sender: MeshClient, recipient: Mailbox
) -> None:
    message_id = post_gzip(raw_sender, gzip.compress(uuid.uuid4().bytes * 100)[:-20])
    with pytest.raises(EOFError):
        recipient.retrieve(message_id)


def test_a_download_that_breaks_off_raises(
    mesh: LocalMesh, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    message_id = sender.send(outgoing(body=uuid.uuid4().bytes * 1000)).message_id
    mesh.fault("truncate", method="GET")
    with pytest.raises((urllib3.exceptions.ProtocolError, EOFError)):
        recipient.retrieve(message_id)
    assert len(recipient.retrieve(message_id).body) == 16_000


def test_a_message_longer_than_the_limit_is_not_read(mesh: LocalMesh, sender: Mailbox, outgoing: Outgoing) -> None:
    message_id = sender.send(outgoing(body=bytes(200_000))).message_id
    settings = mesh.settings_for("TRUST01")
    with Mailbox(replace(settings, max_body_bytes=199_999)) as recipient, pytest.raises(MessageTooLarge) as caught:
        recipient.retrieve(message_id)
    assert (caught.value.message.sender, caught.value.message.body) == ("SENDER01", b"")
    with Mailbox(replace(settings, max_body_bytes=200_000)) as recipient:
        assert len(recipient.retrieve(message_id).body) == 200_000


def test_an_acknowledged_message_is_out_of_the_inbox(sender: Mailbox, recipient: Mailbox, outgoing: Outgoing) -> None:
    message_id = sender.send(outgoing()).message_id
    recipient.acknowledge(message_id)
    assert recipient.list_messages() == []
    with pytest.raises(requests.HTTPError, match="410"):
        recipient.retrieve(message_id)


@pytest.mark.parametrize("status", [404, 410])
def test_acknowledging_what_is_gone_counts_as_done(mesh: LocalMesh, recipient: Mailbox, status: int) -> None:
    mesh.fault("status", method="PUT", status=status)
    recipient.acknowledge("M1")


def test_acknowledging_raises_when_mesh_fails(mesh: LocalMesh, recipient: Mailbox) -> None:
    mesh.fault("status", method="PUT", status=503)
    with pytest.raises(requests.HTTPError, match="503"):
        recipient.acknowledge("M1")


# Threads


def test_eight_threads_lose_nothing(sender: Mailbox, recipient: Mailbox, outgoing: Outgoing) -> None:
    messages = [outgoing() for _ in range(200)]
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(sender.send, messages))
    assert {outcome.result for outcome in outcomes} == {Result.ACCEPTED}
    assert sorted(recipient.list_messages()) == sorted(outcome.message_id for outcome in outcomes)
    with ThreadPoolExecutor(8) as threads:
        received = list(threads.map(recipient.retrieve, recipient.list_messages()))
    assert {message.local_id for message in received} == {message.local_id for message in messages}


def test_a_closed_mailbox_says_so(mesh: LocalMesh, outgoing: Outgoing) -> None:
    mailbox = Mailbox(mesh.settings_for("SENDER01"))
    mailbox.handshake()
    mailbox.close()
    mailbox.close()
    with pytest.raises(RuntimeError, match="closed"):
        mailbox.send(outgoing())


def test_a_mailbox_closed_during_a_call_closes_its_connection(mesh: LocalMesh, outgoing: Outgoing) -> None:
    mailbox = Mailbox(mesh.settings_for("SENDER01"))
    mesh.fault("delay", method="POST", seconds=0.3)
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(mailbox.send, outgoing())
        time.sleep(0.1)
        mailbox.close()
        assert sending.result().result is Result.ACCEPTED
