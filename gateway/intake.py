"""Intake: from what a face has parsed to an event that is kept, with its deliveries.

validate → map in are the reader's, match → accept its own; the steps before are the face's, those after are the
dispatcher's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
import structlog

from gateway import ids, metrics
from gateway.catalogue import Catalogue, EventType
from gateway.errors import Changed, Unavailable
from gateway.events import Delivery, Event, Reservation
from gateway.mapping.modules import Modules
from gateway.reader import Reader
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


class Intake(Reader):
    """Takes in events, whichever face they come through."""

    def __init__(  # the parts it joins
        self, *, store: Store, catalogue: Catalogue, modules: Modules, book: Book, outbox: Outbox, base_url: str
    ) -> None:
        super().__init__(modules, base_url)
        self.store, self.catalogue, self.index = store, catalogue, book.index
        self._catch_up, self._outbox = book.catch_up, outbox
        # Bound once: a logger that is not is looked up anew for each line.
        self._log = log.bind()

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
            deliveries = plan(event, event_type, self.index.match(event), self.new_id)
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
