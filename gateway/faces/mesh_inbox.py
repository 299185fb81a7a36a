"""The door in through MESH: what stands in the gateway's own mailboxes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import structlog

from gateway import ids, metrics
from gateway.applications import LOCAL, Application, Applications
from gateway.clock import now_ms
from gateway.errors import Refusal
from gateway.events import JSON, XML
from gateway.faces.mns.acknowledgement import Acknowledgements, is_acknowledgement
from gateway.faces.nems.life_cycle import on_publish
from gateway.faces.nems.reading import STU3, message_event_type, read_message
from gateway.faces.r4.incoming import Incoming
from gateway.fhir.json import parse_json
from gateway.fhir.subscription_status import is_notification
from gateway.fhir.tables import load
from gateway.intake import Intake
from gateway.store.base import Disposition, InboxMessage
from mesh.message import ReceivedMessage

log = structlog.get_logger()
_RELEASED_AT_ONCE = 100


class MeshInbox:
    """Takes messages of the own mailbox: events, acknowledgements, reports of non-delivery, and what is none of these.

    MESH gives a message again until it is acknowledged, so each is remembered by its id in the transaction that keeps
    it.
    """

    def __init__(
        self,
        intake: Intake,
        applications: Applications,
        mode: str,
        incoming: Incoming,
        acknowledgements: Acknowledgements,
    ) -> None:
        self._incoming, self._acknowledgements = incoming, acknowledgements
        self._intake, self._store, self._catalogue = intake, intake.store, intake.catalogue
        self._applications, self._open = applications, mode == "open"

    async def take(self, message: ReceivedMessage) -> None:
        """Keep `message`; it may be acknowledged once this returns.

        Raises:
            Unavailable: the store cannot take it now; it must stay in the mailbox.
        """
        known = await self._store.inbox(message.message_id)
        if known and not known.is_unread:
            return
        await self._keep(message)

    async def put_aside(self, message: ReceivedMessage, reason: str) -> None:
        """Tell of a message that cannot be read, and stays in its mailbox."""
        await self._quarantine(message, reason, None)
        log.warning("quarantine", message_id=message.message_id, reason="UNREAD")

    async def unread(self) -> list[str]:
        """The messages that were put aside so."""
        return await self._store.unread()

    async def take_released(self) -> None:
        """Look again at what an operator has let out of quarantine."""
        for held in await self._store.released(_RELEASED_AT_ONCE):
            await self._keep(ReceivedMessage.read(held.message_id, held.headers, held.body or b""))

    async def _keep(self, message: ReceivedMessage) -> None:
        if message.message_type == "REPORT":
            disposition = await self._report(message)
        else:
            disposition = await self._event_or_quarantine(message)
        metrics.collected(disposition)
        log.info("collect", message_id=message.message_id, workflow=message.workflow_id, disposition=disposition)

    async def _event_or_quarantine(self, message: ReceivedMessage) -> str:
        try:
            await self._event(message)
        except Refusal as refusal:
            # Left in the mailbox it would come again at every poll, and after five days MESH would tell the sender it
            # was lost.
            reason = "; ".join(f"{issue.reason} {issue.location}: {issue.text}" for issue in refusal.issues[:10])
            await self._quarantine(message, reason, message.body)
            log.warning("quarantine", message_id=message.message_id, reason=refusal.issues[0].reason)
            return "quarantine"
        return "event"

    async def _quarantine(self, message: ReceivedMessage, reason: str, body: bytes | None) -> None:
        await self._store.add_to_inbox(replace(_remembered(message, "quarantine"), reason=reason, body=body))

    async def _event(self, message: ReceivedMessage) -> None:
        if taker := self._taker(_r4(message.body)):
            # Whatever its workflow: what it is shows in it.
            await taker.take(message.body, self._sender(message), "mesh", _remembered(message, "event"))
            return
        if self._catalogue.with_workflow(message.workflow_id) is None:
            raise Refusal.because("NOT_SUPPORTED", "the workflow is of no event type", "Mex-WorkflowID")
        media_type = JSON if message.body.lstrip()[:1] == b"{" else XML
        application = self._sender(message)
        received = read_message(message.body, media_type, "mesh", application)
        # The message says what it is; several events may share a workflow.
        event_type = message_event_type(received.resource, self._catalogue)
        on_publish(event_type, "Bundle.entry[0].resource.event.code")
        if not application.may_publish(event_type.id):
            raise Refusal.because("ASID_CHECK_FAILED", "the sender may not publish events of this type", "Mex-From")
        event = self._intake.read(received, event_type, STU3)
        await self._intake.accept(event, event_type, _remembered(message, "event"))

    def _taker(self, resource: dict[str, Any]) -> Incoming | Acknowledgements | None:
        """Who takes a resource of FHIR R4, or a signal of MNS."""
        if is_notification(resource):
            return self._incoming
        return self._acknowledgements if is_acknowledgement(resource) else None

    def _sender(self, message: ReceivedMessage) -> Application:
        application = LOCAL if self._open else self._applications.with_mailbox(message.sender)
        if application is None:
            raise Refusal.because("ACCESS_DENIED", "no application is declared with this mailbox", "Mex-From")
        return application

    async def _report(self, message: ReceivedMessage) -> str:
        """MESH says that a message of ours was not delivered; ours by its message id, else by its local id."""
        delivery_id = await self._store.delivery_with_remote_id(message.linked_message_id)
        if delivery_id is None:
            delivery_id = ids.delivery_of(self._store.instance, message.local_id[:36])
        reason = f"MESH report {message.status_code}: {message.status_description}"[:500]
        report = replace(_remembered(message, "report"), reason=reason)
        if delivery_id is None:
            await self._store.add_to_inbox(report)
        known = delivery_id is not None and await self._store.add_report(report, delivery_id)
        if known:
            metrics.ended("mesh", "dead")
        log.warning("report", message_id=message.message_id, code=message.status_code, known=known)
        return "report"


def _r4(body: bytes) -> dict[str, Any]:
    """The resource that a body holds in JSON; an empty one for what is none."""
    try:
        return parse_json(body, load("R4")).resource
    except Refusal:
        return {}


def _remembered(message: ReceivedMessage, disposition: Disposition) -> InboxMessage:
    return InboxMessage(
        message.message_id, now_ms(), disposition, headers=dict(message.headers), mailbox=message.recipient
    )
