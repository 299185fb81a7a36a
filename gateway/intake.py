"""Intake: from what a face has parsed to an event that is kept, with its deliveries.

validate → map in → match → accept; the steps before are the face's, those after are the dispatcher's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import msgspec
import structlog

from gateway import ids, metrics
from gateway.applications import Application
from gateway.catalogue import Catalogue, EventType
from gateway.clock import now_ms
from gateway.errors import Changed, Issue, Refusal, Unavailable
from gateway.events import Delivery, Event, Face, Original, Record, Reservation
from gateway.fhir.tables import Tables
from gateway.fhir.validate import validate
from gateway.mapping.context import Context
from gateway.mapping.modules import Modules
from gateway.store.base import Acceptance, InboxMessage, Kept, Store
from gateway.subscriptions.book import Book
from gateway.subscriptions.plan import plan

log = structlog.get_logger()
_CHANGES = 20
"""How often an event is matched anew because another node has changed a subscription in the meantime."""

EVER = math.inf
"""The `repeat_seconds` by which repeats are known for as long as the event is kept."""
_NOTHING = Reservation([], [], [], 0)


class Outbox(Protocol):
    """Takes over fresh deliveries, so that their first attempt needs no claim."""

    def reserve(self, event: Event, deliveries: Sequence[Delivery]) -> Reservation:
        """Make room for as many of the deliveries as may be."""
        ...

    def offer(self, event: Event, taken: Sequence[Delivery], kept: Reservation) -> None:
        """Start on the deliveries taken, all of them being kept now; look for the others when there is room."""
        ...

    def give_back(self, event: Event, reservation: Reservation) -> None:
        """Free the room of deliveries that were not kept after all."""
        ...


class Received(Record, frozen=True):
    """What came in, once its face has parsed it; `warnings` are what the parser put up with, `faults` finds what the
    face puts up with in a resource that is valid.
    """

    SHOWN: ClassVar = ("face", "original")

    face: Face
    application: Application
    original: Original
    resource: dict[str, Any]
    warnings: tuple[Issue, ...] = ()
    faults: Callable[[dict[str, Any], EventType], Iterable[Issue]] = lambda resource, event_type: ()


class Intake:
    """Takes in events, whichever face they come through."""

    def __init__(  # the parts it joins
        self, *, store: Store, catalogue: Catalogue, modules: Modules, book: Book, outbox: Outbox, base_url: str
    ) -> None:
        self.store, self.catalogue, self.index = store, catalogue, book.index
        self._catch_up = book.catch_up
        self._modules, self._outbox, self._base_url = modules, outbox, base_url
        self._ids = ids.Ids()
        # Bound once: a logger that is not is looked up anew for each line.
        self._log = log.bind()

    def read(self, received: Received, event_type: EventType, tables: Tables) -> Event:
        """The event that a FHIR message tells of, with the warnings about it.

        It holds nothing of `received` but the original: whoever waits for it to be kept need not hold the rest.

        Raises:
            Refusal: the message is not valid, or lacks what the event needs.
        """
        found = check(received.resource, tables)
        warnings = (*received.warnings, *found, *received.faults(received.resource, event_type))
        return self.map_in(received, event_type, warnings)

    def map_in(self, received: Received, event_type: EventType, warnings: Sequence[Issue]) -> Event:
        """The event that the message tells of, by the mapping module for its form and type."""
        module = self._modules.find(received.original.form, "event", event_type.id)
        if module is None:
            raise Refusal.because(
                "INVALID_RESOURCE", f"no mapping module reads {event_type.id} from {received.original.form}"
            )
        row_id = self._ids.next()
        context = Context(f"{self._base_url}/claim-check/{ids.show(row_id)}", self._base_url)
        return self._made(row_id, received, event_type, module.apply(received.resource, context), warnings)

    def made(self, received: Received, event_type: EventType, attributes: Mapping[str, Any]) -> Event:
        """The event of these attributes, and of a claim check as its dataref."""
        row_id = self._ids.next()
        dataref = f"{self._base_url}/claim-check/{ids.show(row_id)}"
        return self._made(row_id, received, event_type, {"dataref": dataref, **attributes})

    @staticmethod
    def _made(
        row_id: int,
        received: Received,
        event_type: EventType,
        attributes: Mapping[str, Any],
        warnings: Sequence[Issue] = (),
    ) -> Event:
        known = {
            "row_id": row_id,
            "type": event_type.id,
            "original": received.original,
            "face": received.face,
            "application": received.application.id,
            "received_ms": now_ms(),
            "warnings": tuple(f"{issue.location}: {issue.text}" for issue in warnings) if warnings else (),
        }
        return Event(**{**attributes, **known})

    async def accept(
        self,
        event: Event,
        event_type: EventType,
        inbox: InboxMessage | None = None,
        *,
        repeat_seconds: float = 0,
    ) -> int | None:
        """Match the event and keep it with its deliveries, in one transaction; then hand these over. It is durable when
        this returns.

        An event of the same application, source and id that came in less than `repeat_seconds` before stays the only
        one: then the row id of that one.

        Raises:
            Unavailable: the store cannot take it now; nothing is kept.
        """
        once = repeat_seconds > 0
        since = ids.first_at(event.received_ms - round(repeat_seconds * 1000)) if 0 < repeat_seconds < EVER else 0
        for _ in range(_CHANGES):
            revision = self.index.revision
            deliveries = plan(event, event_type, self.index.match(event), self._ids.next)
            reserved, leased, held = _NOTHING, [], []
            if deliveries:  # most events are for nobody
                reserved = self._outbox.reserve(event, deliveries)
                leased, held = [one.id for one in reserved.taken], [one.id for one in reserved.held]
            acceptance = Acceptance(event, deliveries, leased, reserved.lease_ms, inbox, once, since, revision, held)
            try:
                kept = await self.store.accept(acceptance)
            except Changed:
                self._outbox.give_back(event, reserved)
                await self._catch_up()
            except BaseException:
                self._outbox.give_back(event, reserved)
                raise
            else:
                return self._hand_over(acceptance, reserved, kept)
        raise Unavailable("subscriptions change too quickly")

    def _hand_over(self, acceptance: Acceptance, reserved: Reservation, kept: Kept) -> int | None:
        event, deliveries = acceptance.event, acceptance.deliveries
        if kept.first is not None:
            self._outbox.give_back(event, reserved)
            self._log.info("repeat", event_id=ids.show(kept.first), type=event.type, face=event.face)
            return kept.first
        if deliveries:
            taken = _numbered(reserved.taken, kept.numbers) if kept.numbers else reserved.taken
            self._outbox.offer(event, taken, reserved)
        metrics.accepted(event.face, event.type)
        self._log.info(
            "accept", event_id=ids.show(event.row_id), type=event.type, face=event.face, application=event.application,
            deliveries=len(deliveries), warnings=len(event.warnings),
        )  # fmt: skip
        return None


def _numbered(deliveries: Sequence[Delivery], numbers: Mapping[int, int]) -> list[Delivery]:
    return [msgspec.structs.replace(one, number=numbers.get(one.id, 0)) for one in deliveries]


def check(resource: dict[str, Any], tables: Tables) -> list[Issue]:
    """The warnings about `resource`.

    Raises:
        Refusal: it is not a valid resource; every error is told.
    """
    issues = validate(resource, tables)
    errors = [issue for issue in issues if issue.severity == "error"]
    if errors:
        raise Refusal(errors)
    return issues
