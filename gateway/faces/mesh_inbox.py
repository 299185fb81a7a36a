"""The door in through MESH: what stands in the gateway's own mailbox."""

from __future__ import annotations

import structlog

from gateway import ids, metrics
from gateway.applications import LOCAL, Application, Applications
from gateway.catalogue import Catalogue
from gateway.clock import now_ms
from gateway.errors import Refusal
from gateway.events import JSON, XML
from gateway.faces.nems.life_cycle import on_publish
from gateway.faces.nems.publish import STU3, message_event_type, read_message
from gateway.intake import Intake
from gateway.store.base import InboxMessage, Store
from mesh.message import ReceivedMessage

log = structlog.get_logger()


class MeshInbox:
    """Takes messages of the own mailbox: events, reports of non-delivery, and what is neither.

    MESH gives a message again until it is acknowledged, so each is remembered by its id in the transaction that keeps
    it.
    """

    def __init__(
        self, intake: Intake, store: Store, catalogue: Catalogue, applications: Applications, mode: str
    ) -> None:
        self._intake, self._store, self._catalogue = intake, store, catalogue
        self._applications, self._open = applications, mode == "open"

    async def take(self, message: ReceivedMessage) -> None:
        """Keep `message`; it may be acknowledged once this returns.

        Raises:
            Unavailable: the store cannot take it now; it must stay in the mailbox.
        """
        if await self._store.inbox(message.message_id):
            return
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
            headers = dict(message.headers)
            await self._store.add_to_inbox(
                InboxMessage(message.message_id, now_ms(), "quarantine", reason, headers, message.body)
            )
            log.warning("quarantine", message_id=message.message_id, reason=refusal.issues[0].reason)
            return "quarantine"
        return "event"

    async def _event(self, message: ReceivedMessage) -> None:
        if self._catalogue.with_workflow(message.workflow_id) is None:
            raise Refusal.because("NOT_SUPPORTED", "the workflow is of no event type", "Mex-WorkflowID")
        media_type = JSON if message.body.lstrip()[:1] == b"{" else XML
        remembered = InboxMessage(message.message_id, now_ms(), "event", headers=dict(message.headers))
        application = self._sender(message)
        received = read_message(message.body, media_type, "mesh", application, remembered)
        # The message says what it is; several events may share a workflow.
        event_type = message_event_type(received.resource, self._catalogue)
        on_publish(event_type, "Bundle.entry[0].resource.event.code")
        if not application.may_publish(event_type.id):
            raise Refusal.because("ASID_CHECK_FAILED", "the sender may not publish events of this type", "Mex-From")
        await self._intake.publish(received, event_type, STU3)

    def _sender(self, message: ReceivedMessage) -> Application:
        application = LOCAL if self._open else self._applications.with_mailbox(message.sender)
        if application is None:
            raise Refusal.because("ACCESS_DENIED", "no application is declared with this mailbox", "Mex-From")
        return application

    async def _report(self, message: ReceivedMessage) -> str:
        """MESH says that a message of ours was not delivered; ours by its message id, else by its local id."""
        delivery_id = await self._store.delivery_with_remote_id(message.linked_message_id)
        if delivery_id is None:
            delivery_id = ids.delivery_of(self._store.instance, message.local_id)
        reason = f"MESH report {message.status_code}: {message.status_description}"[:500]
        report = InboxMessage(message.message_id, now_ms(), "report", reason, dict(message.headers))
        if delivery_id is None:
            await self._store.add_to_inbox(report)
        else:
            await self._store.add_report(report, delivery_id)
        known = delivery_id is not None
        log.warning("report", message_id=message.message_id, code=message.status_code, known=known)
        return "report"
