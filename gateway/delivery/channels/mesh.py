"""The MESH channel: a message to a mailbox, sent from the gateway's own."""

from __future__ import annotations

import time
from functools import partial

import structlog

from gateway.catalogue import Catalogue
from gateway.delivery.channels.base import Notification, Outcome, Result
from gateway.events import XML
from gateway.threads import Threads
from mesh.mailbox import Mailbox
from mesh.message import OutgoingMessage
from mesh.outcome import Outcome as Sent
from mesh.outcome import Result as SentResult

log = structlog.get_logger()

LONGEST_HOLD_SECONDS = 3600.0
"""However long MESH asks for patience, it is asked again after this."""
_RESULTS = {
    SentResult.ACCEPTED: Result.DELIVERED,
    SentResult.REJECTED: Result.REFUSED,
    # The mailbox is refused, not the message: it goes out once an operator has mended the settings.
    SentResult.AUTH: Result.FAILED,
    SentResult.THROTTLED: Result.FAILED,
    SentResult.NOT_SENT: Result.FAILED,
    # A part of it is there: the next attempt asks, and sends the rest.
    SentResult.PARTIAL: Result.UNCERTAIN,
    SentResult.UNKNOWN: Result.UNCERTAIN,
}


class Mesh:
    """Sends notifications by MESH, each in a thread of its own pool: mesh-client is synchronous, and a send can take
    long.

    When MESH refuses the mailbox itself, or asks for patience, that is about every message: nothing is sent for
    `hold_seconds`, or for as long as MESH asks.
    """

    def __init__(
        self, mailbox: Mailbox, threads: int, catalogue: Catalogue, *, compress: bool = False, hold_seconds: float = 60
    ) -> None:
        self._mailbox, self._catalogue, self._compress = mailbox, catalogue, compress
        self._hold_seconds, self._held_until = hold_seconds, 0.0
        self.slots = threads
        self._threads = Threads(threads, "mesh-send")

    async def close(self) -> None:
        """Send no more; the mailbox stays open. What is still under way was given up before."""
        await self._threads.close(0)

    async def send(self, notification: Notification) -> Outcome:
        if (held := self._held_until - time.monotonic()) > 0:
            return Outcome(
                Result.FAILED,
                detail="held back: MESH refused the mailbox, or asked for patience",
                retry_after_seconds=held,
            )
        message = self._message(notification)
        # MESH takes a message twice if it is posted twice: after an attempt whose end is not known, look first.
        call = self._mailbox.resend if notification.delivery.uncertain else self._mailbox.send
        sent = await self._threads.run(partial(call, message))
        self._hold_back(sent)
        return _outcome(sent, self._mailbox.settings.read_seconds)

    def _hold_back(self, sent: Sent) -> None:
        if sent.result not in (SentResult.AUTH, SentResult.THROTTLED):
            return
        seconds = min(sent.retry_after_seconds or self._hold_seconds, LONGEST_HOLD_SECONDS)
        self._held_until = time.monotonic() + seconds
        log.error(
            "hold", mailbox=self._mailbox.settings.mailbox_id, result=sent.result, status=sent.status, seconds=seconds
        )

    def _message(self, notification: Notification) -> OutgoingMessage:
        delivery, event = notification.delivery, notification.event
        suffix = "xml" if notification.media_type == XML else "json"
        return OutgoingMessage(
            recipient=delivery.endpoint,
            workflow_id=delivery.workflow,
            local_id=_local_id(notification),
            body=notification.body,
            # Receivers file a message under its name and skip one that has none; neither may tell of the patient.
            subject=self._catalogue[event.type].name if event else "",
            file_name=f"{notification.id}.{suffix}",
            content_type=notification.media_type,
            partner_id=delivery.partner_id,
            compress=self._compress,
        )


def _local_id(notification: Notification) -> str:
    """What MESH is asked by whether it has the message; it begins with the delivery's UUID.

    It is the same for every attempt, and another for each replay, which the message sent before is not.
    """
    replays = notification.delivery.replays
    return f"{notification.id}.{replays}" if replays else notification.id


def _outcome(sent: Sent, read_seconds: float) -> Outcome:
    # MESH may still be working on a post that was not answered: only after that time does "absent" mean absent.
    patience = read_seconds if sent.result is SentResult.UNKNOWN else sent.retry_after_seconds
    detail = " ".join(part for part in (sent.result, sent.code and f"code {sent.code}", sent.reason) if part)
    return Outcome(
        _RESULTS[sent.result],
        sent.status or None,
        "" if sent.result is SentResult.ACCEPTED else detail,
        sent.message_id if sent.result is SentResult.ACCEPTED else "",
        patience,
    )
