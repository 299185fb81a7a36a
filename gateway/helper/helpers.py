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
from gateway.helper.helper import Helper, HelperEnded
from gateway.helper.wire import EVENT_BYTES, EVENTS, SUBSCRIPTIONS, Attempt, Attempted, Read, Refused, WasRead, unpacked
from gateway.remembered import Remembered
from gateway.subscriptions.subscription import Subscription

_READS: Final = 40
"""Beyond so many messages for each helper to read, the gateway reads some itself: else it would wait for them."""
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
        if delivery.channel == "rest-hook" and not delivery.replays:
            there = [one for one in self._helpers if one.helper.is_there]
            if there:
                # What is made of an event is made once, where its deliveries are with one helper.
                told = there[delivery.event_id % len(there)]
                return await told.attempt(event, delivery, await self._find(delivery.subscriptions[0]))
        return await self._sender.attempt(event, delivery)


class _Told:
    """A helper, and what it remembers of what it was told."""

    def __init__(self, helper: Helper) -> None:
        self.helper = helper
        self._events: Remembered[int, bool] = Remembered(EVENTS)
        self._subscriptions: Remembered[str, Subscription] = Remembered(SUBSCRIPTIONS)

    async def attempt(self, event: Event, delivery: Delivery, subscription: Subscription | None) -> Outcome:
        asked = Attempt(self.helper.number(), delivery, self._unknown(event), self._changed(subscription))
        try:
            answer = await self.helper.ask(asked)
        except HelperEnded:
            return _ENDED
        assert isinstance(answer, Attempted)
        return answer.outcome

    def _unknown(self, event: Event) -> Event | None:
        if self._events.get(event.row_id):
            return None
        if len(event.original.body) <= EVENT_BYTES:
            self._events.keep(event.row_id, True)
        # What is matched by goes no further.
        return replace(event, demographics={})

    def _changed(self, subscription: Subscription | None) -> Subscription | None:
        if subscription is None or self._subscriptions.get(subscription.id) is subscription:
            return None
        self._subscriptions.keep(subscription.id, subscription)
        return subscription


class HelpedReading:
    """Has messages read by helpers, in turn, and by `reading` where they have enough to do, or there is none."""

    def __init__(self, reading: Reading, helpers: Sequence[Helper]) -> None:
        self._reading, self._helpers = reading, helpers
        self._reads = 0

    async def read(self, publication: Publication) -> tuple[Event, Sequence[Issue]]:
        """The event that a message tells of, and what its publisher is told of its type.

        Raises:
            Refusal: the message cannot be taken.
        """
        there = [one for one in self._helpers if one.is_there]
        if there and self._reads < _READS * len(there):
            self._reads += 1
            try:
                with contextlib.suppress(HelperEnded):
                    return await _read(there[publication.row_id % len(there)], publication)
            finally:
                self._reads -= 1
        return await self._reading.read(publication)


async def _read(helper: Helper, publication: Publication) -> tuple[Event, Sequence[Issue]]:
    original = publication.original
    answer = await helper.ask(
        Read(
            helper.number(), publication.row_id, original.body, original.media_type, publication.interaction,
            publication.application.id,
        )
    )  # fmt: skip
    if isinstance(answer, Refused):
        raise Refusal(answer.issues)
    assert isinstance(answer, WasRead), "a fault in the helper"
    filtering, demographics = unpacked(answer.facts)
    return replace(answer.event, original=original, filtering=filtering, demographics=demographics), answer.notices
