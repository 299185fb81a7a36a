"""A mailbox: send, look up, list, retrieve, acknowledge.

mesh-client does the protocol. Its own retries are off: they would repeat a token, which MESH takes once only, and hide
the status of an answer. Its tokens are counted without a lock, so no two threads ever share a client.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from types import TracebackType
from typing import Any

import requests
from mesh_client import MeshClient

from mesh.message import MAX_REQUEST_BYTES, OutgoingMessage, ReceivedMessage
from mesh.outcome import TRANSPORT_ERRORS, Outcome, Result, from_error, from_response
from mesh.tracking import Tracking, by_local_id
from mesh.upload import finish, upload


class MessageTooLarge(Exception):
    """A message is longer than `MailboxSettings.max_body_bytes`; it was not read to its end and stays in the inbox.

    `message` is the message without its body.
    """

    def __init__(self, message: ReceivedMessage) -> None:
        self.message = message
        super().__init__(message.message_id)


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """Where a mailbox is and how to prove that it is ours. Neither secret shows in `repr`.

    `url` is the host without a path, such as https://msg.intspineservices.nhs.uk; for the hosts of NHS England the
    certificates to trust come with mesh-client. `verify` is a file of certificates to trust, or False to trust any;
    `cert` is (certificate file, key file) or (certificate file, key file, key password). A received message longer
    than `max_body_bytes` is not read into memory; a sent one longer than `chunk_bytes` goes in chunks of that length.
    Raises ValueError for a setting that cannot work.
    """

    url: str
    mailbox_id: str
    password: str = field(repr=False)
    shared_key: str = field(repr=False)
    connect_seconds: float = 5
    read_seconds: float = 30
    verify: str | bool | None = None
    cert: tuple[str, str] | tuple[str, str, str] | None = field(default=None, repr=False)
    max_body_bytes: int = MAX_REQUEST_BYTES
    chunk_bytes: int = MAX_REQUEST_BYTES

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError("the MESH url must begin with http:// or https://")
        if not (self.password and self.shared_key):
            raise ValueError("a mailbox needs its password and the shared key of its MESH environment")
        if not self.mailbox_id or not (self.mailbox_id + self.password).isascii():
            raise ValueError("a mailbox id and its password must be ASCII text, and the id not empty")
        # The token holds the id as it is given, and MESH refuses a token whose id is not in capitals.
        object.__setattr__(self, "mailbox_id", self.mailbox_id.upper())


class Mailbox:
    """One mailbox, for any number of threads. Close it, or use it in a `with` block.

    What is about one attempt to send comes back as an Outcome and never raises. What is for collecting raises one of
    `TRANSPORT_ERRORS`, which `mesh.outcome.from_error` can sort.
    """

    def __init__(self, settings: MailboxSettings) -> None:
        self.settings = settings
        self._idle: list[MeshClient] = []
        self._lock = Lock()
        self._closed = False

    def __enter__(self) -> Mailbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; those in use are closed as soon as their call ends."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()  # type: ignore[no-untyped-call]

    def handshake(self) -> Outcome:
        """Ask MESH whether it knows us (MESH API, POST /messageexchange/{mailbox_id}: once every 24 hours)."""
        try:
            with self._client() as client:
                client.handshake()  # type: ignore[no-untyped-call]
        except TRANSPORT_ERRORS as error:
            return from_error(error)
        return Outcome(Result.ACCEPTED, status=200)

    def ping(self) -> Outcome:
        """Ask whether MESH answers at all (MESH API, GET /messageexchange/_ping); it says nothing of the mailbox."""
        try:
            with self._client() as client:
                client.ping()
        except TRANSPORT_ERRORS as error:
            return from_error(error)
        return Outcome(Result.ACCEPTED, status=200)

    def send(self, message: OutgoingMessage) -> Outcome:
        """Send a message, once. One that MESH would refuse is REJECTED here, with status 0."""
        if fault := message.fault():
            return Outcome(Result.REJECTED, reason=fault)
        try:
            with self._client() as client:
                return upload(client, message, self.settings.chunk_bytes)
        except TRANSPORT_ERRORS as error:
            return from_error(error)

    def find(self, local_id: str) -> Outcome | None:
        """Look up a send by its local id (MESH API, GET /outbox/tracking/{local_id}, deprecated there).

        ACCEPTED says that MESH has it; the message id is "" if it has several (status 300), which is a message sent
        twice. PARTIAL says that it has some chunks of it. None says that MESH does not have it, which is final only
        once the server cannot still be working on the POST: at least `read_seconds` after it. UNKNOWN, AUTH and
        THROTTLED say that the question was not answered.
        """
        try:
            with self._client() as client:
                response = by_local_id(client, local_id)
        except TRANSPORT_ERRORS as error:
            return replace(from_error(error), result=Result.UNKNOWN)
        if response.status_code in (404, 410):
            return None
        if response.status_code == 300:
            return Outcome(Result.ACCEPTED, status=300, reason="several messages have this local id")
        return _found(response)

    def resend(self, message: OutgoingMessage) -> Outcome:
        """Send a message, or the rest of it, unless MESH has it. For every attempt after an UNKNOWN or PARTIAL one."""
        found = self.find(message.local_id)
        if found and found.result is Result.PARTIAL:
            found = self._finish(message, found.message_id)
        return found or self.send(message)

    def track(self, message_id: str) -> Tracking | None:
        """Where a sent message stands; None when MESH does not know it. MESH wants to be asked seldom.

        Raises one of TRANSPORT_ERRORS.
        """
        with self._client() as client:
            return Tracking.of(client, message_id)

    def _finish(self, message: OutgoingMessage, message_id: str) -> Outcome | None:
        """None when MESH will not have the rest of that message, so that a new one must be sent."""
        try:
            with self._client() as client:
                outcome = finish(client, message, message_id, self.settings.chunk_bytes)
        except TRANSPORT_ERRORS as error:
            return replace(from_error(error), result=Result.UNKNOWN)
        return None if outcome.result is Result.REJECTED else outcome

    def list_messages(self, page: int = 500) -> list[str]:
        """Return the ids of at most `page` (10 to 5000) messages that wait in the inbox, in no promised order."""
        with self._client() as client:
            return client.list_messages(max_results=page)

    def retrieve(self, message_id: str) -> ReceivedMessage:
        """Read a message to its end, all chunks of it; it stays in the inbox.

        A download that breaks off raises, and so does a body whose compression is damaged or cut short (EOFError,
        OSError, zlib.error). Raises MessageTooLarge for a body longer than the settings allow.
        """
        with self._client() as client:
            response = client.retrieve_message_chunk(message_id, chunk_num=1)
            body = bytearray()
            chunks = int(response.headers.get("Mex-Chunk-Range", "1:1").partition(":")[2])
            whole = self._read_into(body, response) and all(
                self._read_into(body, client.retrieve_message_chunk(message_id, chunk_num=number))
                for number in range(2, chunks + 1)
            )
        if not whole:
            raise MessageTooLarge(ReceivedMessage.read(message_id, response.headers, b""))
        return ReceivedMessage.read(message_id, response.headers, bytes(body))

    def acknowledge(self, message_id: str) -> None:
        """Take a message out of the inbox for good. One that is there no longer counts as done."""
        try:
            with self._client() as client:
                client.acknowledge_message(message_id)
        except requests.HTTPError as error:
            if error.response is None or error.response.status_code not in (404, 410):
                raise

    def _read_into(self, body: bytearray, response: requests.Response) -> bool:
        """Return whether all of it could be read within the limit."""
        # Not mesh-client's own reader: it takes a gzip stream that is cut short, or has a second part, for a whole one.
        gzipped = response.headers.get("Content-Encoding") == "gzip"
        with response:
            source: Any = gzip.GzipFile(fileobj=response.raw, mode="rb") if gzipped else response.raw
            while piece := source.read(65536):
                body += piece
                if len(body) > self.settings.max_body_bytes:
                    return False
        return True

    @contextmanager
    def _client(self) -> Iterator[MeshClient]:
        with self._lock:
            if self._closed:
                raise RuntimeError("the mailbox is closed")
            client = self._idle.pop() if self._idle else None
        client = client or _connect(self.settings)
        try:
            yield client
        finally:
            self._give_back(client)

    def _give_back(self, client: MeshClient) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(client)
                return
        client.close()  # type: ignore[no-untyped-call]


def _connect(settings: MailboxSettings) -> MeshClient:
    timeout: Any = (settings.connect_seconds, settings.read_seconds)  # typed as one number, and taken as a pair
    return MeshClient(
        settings.url,
        settings.mailbox_id,
        settings.password,
        shared_key=settings.shared_key.encode(),
        verify=settings.verify,
        cert=settings.cert,
        max_retries=0,
        timeout=timeout,
    )


def _found(response: requests.Response) -> Outcome:
    """Sort an answer to a look-up: one that tells nothing of the message is UNKNOWN."""
    outcome = from_response(response)
    if outcome.result is Result.ACCEPTED and Tracking.read(response.json()).status == "uploading":
        return replace(outcome, result=Result.PARTIAL)
    return replace(outcome, result=Result.UNKNOWN) if outcome.result is Result.REJECTED else outcome
