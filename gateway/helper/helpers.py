"""Who does the work that a helper can do: one of the helpers, or the gateway itself where there is none."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from gateway.delivery.channels.base import Outcome, Result
from gateway.delivery.retrieval import Find
from gateway.delivery.sender import Sending
from gateway.errors import Issue, Refusal
from gateway.events import Delivery, Event
from gateway.faces.nems.reading import Publication, Reading
from gateway.helper.helper import Helper, HelperEnded, NotAsked
from gateway.helper.wire import SUBSCRIPTIONS, Read, Refused, Send, Sent, WasRead, packed, unpacked
from gateway.remembered import EVENT_BYTES, EVENTS, Remembered
from gateway.subscriptions.subscription import Subscription

_FAULT: Final = Outcome(Result.UNCERTAIN, detail="fault in the process that was sending it", ours=True)
_READS: Final = 40
"""When each helper has so many messages to read, the gateway reads one itself: else it would wait for them."""
_ENDED: Final = Outcome(Result.UNCERTAIN, detail="the process that was sending it ended", ours=True)


class HelpedSender:
    """Has attempts at webhooks made by helpers, and all others by `sender`: those at MESH, and those that an operator
    has asked for, of which it must be known first whether they may be. `find` gives a subscription by its id.
    """

    def __init__(self, sender: Sending, helpers: Sequence[Helper], find: Find) -> None:
        self._sender, self._find = sender, find
        self._helpers = [_Told(one) for one in helpers]

    def slot(self, delivery: Delivery) -> contextlib.AbstractAsyncContextManager[object]:
        """What an attempt must hold while it is made."""
        return self._sender.slot(delivery)

    async def attempt(self, event: Event, delivery: Delivery) -> Outcome:
        """Have an attempt made; what came of it."""
        if delivery.channel != "rest-hook" or delivery.replays:
            return await self._sender.attempt(event, delivery)
        try:
            subscription = await self._find(delivery.subscriptions[0])
        except Exception:  # the sender finds the same, and tells of it
            return await self._sender.attempt(event, delivery)
        if there := [one for one in self._helpers if one.helper.is_there]:
            # What is made of an event is made once, where its deliveries are with one helper.
            told = there[hash((delivery.event_id,)) % len(there)]
            with contextlib.suppress(NotAsked):
                return await told.attempt(event, delivery, subscription)
        return await self._sender.attempt(event, delivery)


class _Told:
    """A helper, and what it remembers of what it was told."""

    def __init__(self, helper: Helper) -> None:
        self.helper = helper
        self._begin()

    def _begin(self) -> None:
        """Its process is new, and remembers nothing."""
        self._life = self.helper.life
        self._events: Remembered[int, bool] = Remembered(EVENTS)
        self._subscriptions: Remembered[str, Subscription] = Remembered(SUBSCRIPTIONS)

    async def attempt(self, event: Event, delivery: Delivery, subscription: Subscription | None) -> Outcome:
        """Have an attempt made; what came of it.

        Raises:
            NotAsked: it is not made.
        """
        if self._life != self.helper.life:
            self._begin()
        known = subscription and self._subscriptions.get(subscription.id) is subscription
        filtering, told = b"", None
        if not self._events.get(event.row_id):
            # What is matched by goes no further.
            filtering, told = packed(event.filtering), replace(event, filtering={}, demographics={})
        about = subscription.id if subscription and known else subscription
        asked = self.helper.ask(Send(self.helper.number(), delivery, told, filtering, about))
        # It remembers what it was told, and no more.
        if subscription and not known:
            self._subscriptions.keep(subscription.id, subscription)
        if told and len(event.original.body) <= EVENT_BYTES:
            self._events.keep(event.row_id, True)
        try:
            answer = await asked
        except HelperEnded:
            return _ENDED
        return answer.outcome if isinstance(answer, Sent) else _FAULT


class HelpedReading:
    """Has messages read by the helper that has fewest to read; by `reading` where each has enough, or there is none."""

    def __init__(self, reading: Reading, helpers: Sequence[Helper]) -> None:
        self._reading = reading
        self._reads = dict.fromkeys(helpers, 0)

    async def read(self, publication: Publication) -> tuple[Event, Sequence[Issue]]:
        """The event that a message tells of, and what its publisher is told of its type.

        Raises:
            Refusal: the message cannot be taken.
        """
        reads = self._reads
        helper = min((one for one in reads if one.is_there), key=reads.__getitem__, default=None)
        if helper and reads[helper] < _READS:
            reads[helper] += 1
            try:
                if read := await _read(helper, publication):
                    return read
            finally:
                reads[helper] -= 1
        return await self._reading.read(publication)


async def _read(helper: Helper, publication: Publication) -> tuple[Event, Sequence[Issue]] | None:
    """What `helper` has read; None when it could not."""
    original, application = publication.original, publication.application.id
    asked = Read(
        helper.number(), publication.row_id, original.body, original.media_type, publication.interaction, application
    )
    try:
        answer = await helper.ask(asked)
    except (NotAsked, HelperEnded):
        return None
    if isinstance(answer, Refused):
        raise Refusal(answer.issues)
    if not isinstance(answer, WasRead):
        return None
    filtering, demographics = unpacked(answer.facts)
    return replace(answer.event, original=original, filtering=filtering, demographics=demographics), answer.notices
