"""The gateway's side of MESH: its mailboxes, the channel out, and what is done with them by the clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificate

from gateway import metrics
from gateway.catalogue import Catalogue
from gateway.delivery.channels.mesh import Mesh
from gateway.delivery.tracker import Tracker
from gateway.errors import ConfigurationError
from gateway.faces.mesh_inbox import MeshInbox
from gateway.own_mailbox import OwnMailbox
from gateway.schedule import Job
from gateway.settings import Mesh as Settings
from gateway.store.base import Store
from gateway.threads import Threads
from mesh.mailbox import Mailbox, MailboxSettings
from mesh.outcome import Result

PING_SECONDS = 30.0
"""How often MESH is asked whether it is there; `_ping` is not part of any mailbox."""
HANDSHAKE_SECONDS = 10.5 * 3600
"""MESH asks for a handshake once in 24 hours (MESH API, POST /messageexchange/{mailbox}). A node that starts just
before another's turn is over gets the next one only after its own wait, so two must go into a day.
"""
HOLD_SECONDS = 60.0
"""For how long nothing is sent after MESH refused the mailbox."""
RELEASE_SECONDS = 5.0
"""How soon a message that an operator let out of quarantine is looked at."""


class MeshLink:
    """Everything that speaks MESH. Messages are sent from the first mailbox, and collected from all.

    Raises:
        ConfigurationError: the settings cannot work.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        if settings.cert_file:
            metrics.certificate_ends(_certificate_end(settings.cert_file))
        self._mailboxes = [Mailbox(one) for one in _mailboxes(settings)]
        self._ping = Threads(1, "mesh-ping")
        self._at_work: list[OwnMailbox | Tracker] = []
        self.state = "unknown"
        """How MESH was when it was last asked: `ok`, or what the attempt came to."""

    def channel(self, catalogue: Catalogue) -> Mesh:
        """The way to other parties' mailboxes."""
        settings = self._settings
        # As long as a mailbox is left alone, but not longer than it takes to notice a mended password.
        hold = min(settings.poll_seconds, HOLD_SECONDS)
        threads = settings.send_threads
        return Mesh(self._mailboxes[0], threads, catalogue, compress=settings.compress, hold_seconds=hold)

    def jobs(self, inbox: MeshInbox, store: Store) -> list[Job]:
        """What is to be done by the clock."""
        poll, track = self._settings.poll_seconds, self._settings.track_seconds
        mailboxes = [OwnMailbox(mailbox, inbox) for mailbox in self._mailboxes]
        jobs = [
            Job("mesh-ping", min(poll, PING_SECONDS), self._ask_whether_it_is_there),
            Job("mesh-release", RELEASE_SECONDS, inbox.take_released, alone=True),
        ]
        for own in mailboxes:
            jobs.append(Job(f"mesh-handshake-{own.name}", HANDSHAKE_SECONDS, own.handshake, alone=True))
            jobs.append(Job(f"mesh-collect-{own.name}", poll, own.collect, alone=True))
        if track:
            tracker = Tracker(self._mailboxes[0], store, track)
            jobs.append(Job("mesh-track", min(track, 600), tracker.run, alone=True))
            self._at_work.append(tracker)
        self._at_work += mailboxes
        return jobs

    def stop(self) -> None:
        """Let what the clock has started come to its end soon."""
        for part in self._at_work:
            part.stop()

    async def close(self) -> None:
        """Close the connections; what MESH still holds is given up."""
        for part in self._at_work:
            await part.close()
        await self._ping.close(0)
        for mailbox in self._mailboxes:
            mailbox.close()

    async def _ask_whether_it_is_there(self) -> None:
        outcome = await self._ping.run(self._mailboxes[0].ping)
        self.state = "ok" if outcome.result is Result.ACCEPTED else str(outcome.result)


def _certificate_end(file: str) -> float:
    """When the first certificate of a PEM file ends, in seconds since 1970."""
    try:
        return load_pem_x509_certificate(Path(file).read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        raise ConfigurationError(f"mesh.cert_file (GATEWAY_MESH__CERT_FILE): {file} holds no certificate") from None


def _mailboxes(mesh: Settings) -> list[MailboxSettings]:
    try:
        first = MailboxSettings(
            url=mesh.url.rstrip("/"),
            mailbox_id=mesh.mailbox,
            password=mesh.password.get_secret_value(),
            shared_key=mesh.shared_key.get_secret_value(),
            connect_seconds=mesh.connect_seconds,
            read_seconds=mesh.read_seconds,
            verify=mesh.ca_file or None,
            cert=(mesh.cert_file, mesh.key_file) if mesh.cert_file else None,
            max_body_bytes=mesh.max_message_bytes,
            chunk_bytes=mesh.chunk_bytes,
        )
        others = [
            replace(first, mailbox_id=one.mailbox, password=one.password.get_secret_value()) for one in mesh.mailboxes
        ]
    except ValueError as error:
        raise ConfigurationError(f"mesh (GATEWAY_MESH): {error}") from None
    found = [first, *others]
    if len({one.mailbox_id for one in found}) < len(found):
        raise ConfigurationError("mesh.mailboxes (GATEWAY_MESH__MAILBOXES): a mailbox stands there twice")
    return found
