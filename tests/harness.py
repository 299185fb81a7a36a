"""What tests of the whole gateway run: the gateway as a process of its own, its commands, a real webhook listener,
messages of our own.
"""

from __future__ import annotations

import asyncio
import http.server
import os
import signal
import ssl
import subprocess
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from gateway import demo
from gateway.demo import EVENTS, NEMS_HEADERS, SUBSCRIBER_MAILBOX, r4_subscription
from gateway.faces.nems import jwt
from gateway.resources import folder
from gateway.settings import StoreSettings
from gateway.store.base import EventTrace, Selection, Store
from gateway.store.chosen import ask
from mesh.mailbox import Mailbox
from mesh.message import ReceivedMessage
from mesh.sandbox.run import LocalMesh
from tests.ports import free_port
from tests.starter import PYTHON, Started

__all__ = ["EVENTS", "NEMS_HEADERS", "SUBSCRIBER_MAILBOX"]

GATEWAY_MAILBOX = "GATEWAY01"
T = TypeVar("T")


def message(event: str = "pds-change-of-gp-1", **replaced: str) -> bytes:
    """One of our sample messages, with a MessageHeader.id of its own and pieces of its text replaced."""
    text = (folder("config") / "demo" / f"{event}.xml").read_text(encoding="utf-8")
    start = text.index("<MessageHeader>")
    own_id = text[text.index('<id value="', start) + 11 :][:36]
    text = text.replace(own_id, str(uuid.uuid4()))
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    return text.encode()


def header_id(body: bytes) -> bytes:
    """The MessageHeader.id of a message."""
    return body.partition(b"<MessageHeader>")[2].partition(b'<id value="')[2][:36]


def event_id(signal: bytes) -> bytes:
    """The id of the event that a signal tells of."""
    return signal.partition(b'"id":"')[2][:36]


def nems_subscription(event: str) -> bytes:
    """A generic NEMS subscription to `event`, of every patient."""
    return demo.nems_subscription(event, None)


def interaction(event: str) -> dict[str, str]:
    """The InteractionID header with which `event` is published."""
    return {"InteractionID": f"urn:nhs:names:services:events:{event}.Write"}


def nems_headers(**changed: str) -> dict[str, str]:
    """The headers of a NEMS request, some of them changed; the JWT is that of the fromASID."""
    asid = changed.get("fromASID", NEMS_HEADERS["fromASID"])
    return {**NEMS_HEADERS, "Authorization": f"Bearer {jwt.write(claims(asid))}", **changed}


def claims(asid: str = NEMS_HEADERS["fromASID"], **changed: Any) -> jwt.Claims:
    """The claims of a caller's JWT, as the specification has them, some of them changed; for both scopes."""
    system = f"{jwt.SYSTEM}{asid}"
    now = int(time.time())
    values: dict[str, Any] = {
        "iss": "https://gp.example.nhs.uk",
        "sub": system,
        "aud": "https://clinicals.spineservices.nhs.uk",
        "iat": now,
        "exp": now + 300,
        "reason_for_request": "directcare",
        "scope": "patient/Bundle.write patient/Subscription.write",
        "requesting_system": system,
    }
    return jwt.Claims(**(values | changed))


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of the gateway, as a person runs it."""
    command = [*PYTHON, "-m", "gateway", *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)


class Gateway:
    """`gateway serve` as a process of its own, on a free port, with its files under `folder`."""

    def __init__(
        self,
        folder: Path,
        mesh: LocalMesh | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        command: str = "serve",
        program: str = "gateway",
        **environment: str,
    ) -> None:
        self.command, self.program = command, program
        self.tls = True if tls is None else tls
        self.folder = folder
        self.port = free_port()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.database = folder / "gateway.db"
        self.log = folder / "gateway.log"
        self.environment = {
            "GATEWAY_HTTP__PORT": str(self.port),
            "GATEWAY_STORE__URL": f"sqlite:///{self.database}",
            "GATEWAY_NEMS__EVERY_PATIENT": "true",
            "GATEWAY_DELIVERY__RETRY_SECONDS": "[0.2, 0.5, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]",
            "GATEWAY_DELIVERY__PROBE_SECONDS": "[0.2, 0.5, 1]",
            **({} if mesh is None else self.of_mesh(mesh)),
            **environment,
        }
        self.http = httpx.Client(base_url=self.url, timeout=30, verify=self.tls)
        self._process: subprocess.Popen[bytes] | Started | None = None

    @staticmethod
    def of_mesh(mesh: LocalMesh) -> dict[str, str]:
        """The settings with which a gateway uses a LocalMesh."""
        settings = mesh.settings_for(GATEWAY_MAILBOX)
        return {
            "GATEWAY_MESH__URL": mesh.url,
            "GATEWAY_MESH__MAILBOX": settings.mailbox_id,
            "GATEWAY_MESH__PASSWORD": settings.password,
            "GATEWAY_MESH__SHARED_KEY": settings.shared_key,
            "GATEWAY_MESH__POLL_SECONDS": "1",
            "GATEWAY_MESH__READ_SECONDS": "3",
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self._process = self._start()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/readyz", verify=self.tls).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        self.kill()
        raise AssertionError(f"the gateway did not start:\n{self.log.read_text()}")

    def _start(self) -> subprocess.Popen[bytes] | Started:
        environment = os.environ | self.environment
        if self.program == "gateway":
            return Started(self.command, environment, self.log)
        command = [*PYTHON, "-m", self.program, self.command]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process
        self._process.send_signal(number)

    def stall(self) -> None:
        """Let it stand still, as a machine that is moved does, until `wake`."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    @property
    def runs(self) -> bool:
        """Whether the process that was started still runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of its process."""
        assert self._process
        return self._process.pid

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end, and wait for that; its exit status."""
        assert self._process
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def publish(self, body: bytes, event: str = "pds-change-of-gp-1", **headers: str) -> httpx.Response:
        """Post a message as a NEMS publisher does."""
        return self.http.post(
            "/STU3/Events/1/$process-message", content=body, headers=nems_headers(**interaction(event) | headers)
        )

    def events(self) -> list[EventTrace]:
        """The traces of all events, newest first, read as `gateway events` reads them."""

        async def read(store: Store) -> list[EventTrace]:
            return [trace for event in await store.events(100_000) if (trace := await store.trace(event.row_id))]

        return self.ask(read)

    def ask(self, question: Callable[[Store], Awaitable[T]]) -> T:
        """What `question` finds in the gateway's store."""
        return ask(StoreSettings(url=self.environment["GATEWAY_STORE__URL"], max_waiting=1), question)

    def wait_until_idle(self, seconds: float = 20) -> None:
        """Wait until every delivery is delivered or dead."""

        def open_deliveries() -> int:
            return self.ask(lambda store: store.count_deliveries(Selection(states=("pending", "sending", "held"))))

        eventually(lambda: open_deliveries() == 0, seconds, lambda: f"{open_deliveries()} deliveries have not ended")

    def subscribe_mailbox(self, event: str = "pds-change-of-gp-1") -> str:
        """A generic NEMS subscription to the sample mailbox; its id."""
        answer = self.http.post(
            "/STU3/Subscription",
            content=nems_subscription(event),
            headers=nems_headers(**subscriptions_api("Post")),
        )
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"].rpartition("/")[2]

    def subscribe_webhook(self, url: str, event: str = "pds-change-of-gp-1") -> str:
        """An R4 subscription to a webhook; its id."""
        answer = self.http.post(
            "/R4/Subscription", content=r4_subscription(event, url), headers={"Content-Type": "application/fhir+json"}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


def subscriptions_api(verb: str) -> dict[str, str]:
    """The InteractionID header of the NEMS subscription calls."""
    return {"InteractionID": f"urn:nhs:names:services:clinicals-sync:SubscriptionsApi{verb}"}


@dataclass
class Answers:
    """What a Listener answers; `status` may be changed at any time, and `delay_seconds` too."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0
    body: bytes = b""


@dataclass(frozen=True)
class Request:
    """What a Listener received."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Document:
    """What a Listener gives to who gets it."""

    body: bytes
    media_type: str = "application/fhir+json"
    status: int = 200


class Listener:
    """A real HTTP server on loopback that keeps what it is sent, and gives its `documents`, by path, to who gets them;
    it can be closed and opened on the same port.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/signals"
        self.received: list[Request] = []
        self.documents: dict[str, Document] = {}
        self.fetched: list[Request] = []
        self.answers = Answers()
        self._server: http.server.ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Listen."""
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                headers = {name: ", ".join(self.headers.get_all(name) or ()) for name in self.headers}
                listener.fetched.append(Request(self.path, headers, b""))
                time.sleep(listener.answers.delay_seconds)
                document = listener.documents.get(self.path, Document(b"", "text/plain", 404))
                self.send_response(document.status)
                for name, value in listener.answers.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", document.media_type)
                self.send_header("Content-Length", str(len(document.body)))
                self.end_headers()
                self.wfile.write(document.body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name: ", ".join(self.headers.get_all(name) or ()) for name in self.headers}
                listener.received.append(Request(self.path, headers, body))
                time.sleep(listener.answers.delay_seconds)
                self.send_response(listener.answers.status)
                for name, value in listener.answers.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(listener.answers.body)))
                self.end_headers()
                self.wfile.write(listener.answers.body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_: object) -> None:
                """A client that went away, killed by the test, is no fault."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def wait_for(self, count: int, seconds: float = 20) -> list[Request]:
        """What was received, once it is at least `count`."""
        eventually(lambda: len(self.received) >= count, seconds, lambda: f"{len(self.received)} of {count} received")
        return list(self.received)


def collect(
    mesh: LocalMesh, count: int, mailbox_id: str = SUBSCRIBER_MAILBOX, seconds: float = 20
) -> list[ReceivedMessage]:
    """What stands in a mailbox once it is at least `count` messages, taken out of it."""
    with Mailbox(mesh.settings_for(mailbox_id)) as mailbox:
        listed: list[str] = []

        def enough() -> bool:
            listed[:] = mailbox.list_messages(5000)
            return len(listed) >= count

        eventually(enough, seconds, lambda: f"{len(listed)} of {count} in the mailbox")
        messages = [mailbox.retrieve(message_id) for message_id in listed]
        for message_id in listed:
            mailbox.acknowledge(message_id)
        return messages


def eventually(true: Any, seconds: float = 20, say: Any = lambda: "it did not happen") -> None:
    """Wait until `true()`; fail with what `say` says after so many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, say()
        time.sleep(0.02)


async def until(true: Callable[[], object], seconds: float = 20) -> None:
    """Wait, while the event loop goes on, until `true()` is so."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  # any condition may be waited for: threads and others' flags set no event
            await asyncio.sleep(0.005)
