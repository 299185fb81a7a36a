"""`gateway demo`: the main job on one machine, with nothing set up beforehand.

A local MESH, the gateway, and a webhook listener are started; subscribers subscribe; three events are published as a
NEMS publisher would; and a table tells what became of each.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from rich.table import Table

from gateway.clock import instant
from gateway.errors import ConfigurationError
from gateway.events import Event
from gateway.resources import folder as resource_folder
from gateway.settings import StoreSettings
from gateway.store.base import DeliveryTrace, EventTrace, Store
from gateway.store.chosen import ask
from gateway.store.sqlite.database import lock
from gateway.trace import plain_console, plain_table
from mesh.sandbox.run import LocalMailbox, LocalMesh, LocalMeshError

OWN_MAILBOX = "GATEWAY01"
SUBSCRIBER_MAILBOX = "A20047OT001"
PATIENTS = {"pds-change-of-gp-1": "9990001006", "pds-record-change-1": "9990001014", "vaccinations-1": "9990001022"}
"""The NHS number that each sample message is about."""
EVENTS = tuple(PATIENTS)
TOPIC = "http://fhir.nhs.uk/R5/SubscriptionTopic/"
_HEADERS = resource_folder("config") / "demo" / "nems-headers"
NEMS_HEADERS = dict(line.split(": ") for line in _HEADERS.read_text(encoding="utf-8").splitlines())
_PATIENCE_SECONDS = 30
# A proxy of the environment is not the way to this machine.
_HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Demo:
    """Runs the demo, with its files under `folder`."""

    def __init__(self, folder: Path, port: int, mesh_port: int) -> None:
        self._folder = folder
        self._url = f"http://127.0.0.1:{port}"
        self._port = port
        self._mesh = LocalMesh(
            [LocalMailbox(OWN_MAILBOX), LocalMailbox(SUBSCRIBER_MAILBOX)], port=mesh_port, log=folder / "mesh.log"
        )
        self._database = folder / "gateway.db"
        self._console = plain_console()

    def run(self, *, once: bool) -> None:
        """Run it; then serve on until Ctrl-C, unless `once`.

        Raises:
            ConfigurationError: something cannot be started, or does not answer.
        """
        for port in (self._port, self._mesh.port):
            _refuse_taken(port)
        self._clear()
        # SIGTERM ends it as Ctrl-C does, so that nothing is left running; whoever starts it in the background of a
        # script leaves it with a Ctrl-C that does nothing.
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, _end)
        with contextlib.suppress(KeyboardInterrupt):
            try:
                with self._mesh, self._gateway() as process, _webhook() as webhook:
                    self._show(webhook)
                    if not once:
                        self._serve_on(process)
            except LocalMeshError as error:
                raise ConfigurationError(str(error)) from None

    def _clear(self) -> None:
        """Remove what an earlier demo left, and nothing else.

        Raises:
            ConfigurationError: the folder holds a database that is not a demo's, or that is in use.
        """
        mark = self._folder / "made-by-gateway-demo"
        if self._database.exists() and not mark.exists():
            raise ConfigurationError(
                f"{self._folder} holds a database that no demo made; remove it, or choose another --folder"
            )
        with contextlib.closing(lock(self._database)):
            mark.touch()
            for path in (*self._folder.glob("gateway.db*"), *self._folder.glob("*.log")):
                path.unlink()

    @contextlib.contextmanager
    def _gateway(self) -> Iterator[subprocess.Popen[bytes]]:
        log = self._folder / "gateway.log"
        with log.open("wb") as out:
            process = subprocess.Popen(  # our own command
                [sys.executable, "-m", "gateway", "serve"],
                env={**os.environ, **self._environment()},
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            self._await_ready(process, log)
            yield process
        finally:
            process.terminate()
            process.wait()

    def _environment(self) -> dict[str, str]:
        return {
            "NO_PROXY": "127.0.0.1",
            "GATEWAY_HTTP__PORT": str(self._port),
            "GATEWAY_STORE__URL": f"sqlite:///{self._database}",
            "GATEWAY_MESH__URL": self._mesh.url,
            "GATEWAY_MESH__MAILBOX": OWN_MAILBOX,
            "GATEWAY_MESH__PASSWORD": self._mesh.mailboxes[OWN_MAILBOX].password,
            "GATEWAY_MESH__SHARED_KEY": self._mesh.shared_key,
            "GATEWAY_MESH__POLL_SECONDS": "5",
        }

    def _await_ready(self, process: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError):
                _HTTP.open(f"{self._url}/readyz", timeout=2)
                return
            time.sleep(0.1)
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise ConfigurationError(f"the gateway did not start: {''.join(last).removeprefix('gateway: ')}")

    def _show(self, webhook: str) -> None:
        self._console.print(f"local MESH at {self._mesh.url}, gateway at {self._url}, webhook listener at {webhook}")
        for name in EVENTS:
            self._subscribe(name, webhook)
        for name in EVENTS:
            interaction = f"urn:nhs:names:services:events:{name}.Write"
            self._post("/STU3/Events/1/$process-message", _sample(name), {**NEMS_HEADERS, "InteractionID": interaction})
        store = StoreSettings(url=f"sqlite:///{self._database}", max_waiting=1)
        self._console.print(_table(ask(store, _await_end)))

    def _subscribe(self, event: str, webhook: str) -> None:
        interaction = "urn:nhs:names:services:clinicals-sync:SubscriptionsApiPost"
        self._post(
            "/STU3/Subscription",
            nems_subscription(event, PATIENTS[event]),
            {**NEMS_HEADERS, "InteractionID": interaction},
        )
        self._post("/R4/Subscription", r4_subscription(event, webhook), {"Content-Type": "application/fhir+json"})

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        request = urllib.request.Request(f"{self._url}{path}", body, headers, method="POST")  # noqa: S310  # loopback
        try:
            _HTTP.open(request, timeout=_PATIENCE_SECONDS)
        except urllib.error.HTTPError as error:
            raise ConfigurationError(f"{path} answered {error.code}: {error.read().decode()}") from None

    def _serve_on(self, process: subprocess.Popen[bytes]) -> None:
        sample = _shown_path(resource_folder("config") / "demo" / f"{EVENTS[0]}.xml")
        interaction = f"InteractionID: urn:nhs:names:services:events:{EVENTS[0]}.Write"
        curl = [f"curl -i '{self._url}/STU3/Events/1/$process-message'", f"--data-binary @{shlex.quote(sample)}"]
        curl += [f"-H @{shlex.quote(_shown_path(_HEADERS))}", f"-H {shlex.quote(interaction)}"]
        database = f"GATEWAY_STORE__URL=sqlite:///{_shown_path(self._database)}"
        self._console.print("\nStill serving; Ctrl-C stops it. Publish another event, from a second terminal:\n")
        self._console.print("  " + " \\\n    ".join(curl), markup=False)
        self._console.print("\nand see it, with the id by which `events show` tells what became of it:\n")
        command = _shown_path(Path(sys.executable).with_name("gateway"))
        self._console.print(f"  {database} {command} events list\n", markup=False)
        if process.wait() != 0:
            raise ConfigurationError(f"the gateway stopped; see {self._folder / 'gateway.log'}")


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ConfigurationError(
                f"cannot listen on 127.0.0.1:{port}: it is in use; choose --port or --mesh-port"
            ) from None


def nems_subscription(event: str, patient: str | None) -> bytes:
    """A NEMS subscription to `event` of a patient, or, where that is allowed, of everybody; to the subscriber's
    mailbox.
    """
    whose = f"Patient.identifier=https://fhir.nhs.uk/Id/nhs-number|{patient}&amp;" if patient else ""
    return f"""<Subscription xmlns="http://hl7.org/fhir">
  <meta><profile value="https://fhir.nhs.uk/STU3/StructureDefinition/EMS-Subscription-1"/></meta>
  <status value="requested"/>
  <contact>
    <system value="url"/>
    <value value="https://directory.spineservices.nhs.uk/STU3/Organization/A20047"/>
    <use value="work"/>
  </contact>
  <reason value="Demonstration"/>
  <criteria value="/Bundle?type=message&amp;{whose}serviceType=GP&amp;MessageHeader.event={event}"/>
  <channel><type value="message"/><endpoint value="{SUBSCRIBER_MAILBOX}"/></channel>
</Subscription>""".encode()


def r4_subscription(event: str, webhook: str) -> bytes:
    """An R4 subscription to the topic of `event`, to a webhook."""
    return f"""{{
  "resourceType": "Subscription", "status": "requested", "reason": "Demonstration", "criteria": "{TOPIC}{event}",
  "channel": {{"type": "rest-hook", "endpoint": "{webhook}", "payload": "application/fhir+json"}}
}}""".encode()


def _sample(event: str) -> bytes:
    return (resource_folder("config") / "demo" / f"{event}.xml").read_bytes()


def _shown_path(path: Path) -> str:
    """The path as short as it can be said from here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _end(_number: int, _frame: FrameType | None) -> None:
    """End as by Ctrl-C, and let no second signal disturb that: `make` and a shell both pass one on, and one that comes
    while a process is waited for may leave Python waiting for ever.
    """
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextlib.contextmanager
def _webhook() -> Iterator[str]:
    """A webhook that takes whatever comes; its URL."""

    class Listener(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: what comes is about patients."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/signals"
        finally:
            server.shutdown()


async def _await_end(store: Store) -> list[EventTrace]:
    """The traces of the published events, oldest first, once each delivery has ended or patience has."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        events = reversed(await store.events(len(EVENTS)))
        traces = [trace for event in events if (trace := await store.trace(event.row_id))]
        ended = len(traces) == len(EVENTS) and all(one.ended_ms for trace in traces for one in trace.deliveries)
        if ended or time.monotonic() > deadline:
            return traces
        await asyncio.sleep(0.05)


def _table(traces: list[EventTrace]) -> Table:
    table = plain_table("event", "subscription", "channel", "endpoint", "outcome", "time taken")
    for trace in traces:
        for one in trace.deliveries:
            delivery = one.delivery
            ids = ", ".join(text[:8] for text in delivery.subscriptions)
            table.add_row(
                trace.event.type, ids, delivery.channel, delivery.endpoint, _outcome(one), _taken(trace.event, one)
            )
    return table


def _outcome(one: DeliveryTrace) -> str:
    if one.state == "delivered":
        return f"delivered, HTTP {one.attempts[-1].status}"
    last = one.attempts[-1].detail if one.attempts else "no attempt yet"
    again = f", next at {instant(one.next_ms)}" if one.state == "pending" else ""
    return f"{one.state} ({last}){again}"


def _taken(event: Event, one: DeliveryTrace) -> str:
    return f"{one.ended_ms - event.received_ms} ms" if one.ended_ms else "-"
