"""One attempt at a delivery: map out → send."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import structlog
from msgspec.structs import replace

from gateway import ids
from gateway.delivery.channels.base import Channel, Notification, Outcome, Result
from gateway.delivery.retrieval import NOTHING, Retrieved, Retriever
from gateway.errors import Refusal
from gateway.events import Delivery, Event
from gateway.outbound import FetchFailed

log = structlog.get_logger()


class Rendering(Protocol):
    """Writes an event in the form that a delivery asks for."""

    def render(self, event: Event, delivery: Delivery, retrieved: Retrieved) -> tuple[bytes, str]:
        """The body and its media type; `retrieved` is what was fetched for it.

        Raises:
            Refusal: it cannot be written so.
        """
        ...


class Sending(Protocol):
    """Makes attempts."""

    def slot(self, delivery: Delivery) -> contextlib.AbstractAsyncContextManager[object]:
        """What an attempt must hold while it is made."""
        ...

    async def attempt(self, event: Event, delivery: Delivery) -> Outcome:
        """Make an attempt; what came of it. Never raises."""
        ...


class Sender:
    """Makes attempts, each by its channel, at most as many at once as the channel has slots; never raises.

    `gone` says whether a subscription is deleted or off, by its id; `instance` is the store's own number; `retriever`
    fetches what events point to.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        renderer: Rendering,
        instance: int,
        gone: Callable[[str], Awaitable[bool]],
        retriever: Retriever | None = None,
    ) -> None:
        self._retriever = retriever
        self._channels, self._renderer, self._instance, self._gone = channels, renderer, instance, gone
        self._slots = {name: asyncio.Semaphore(channel.slots) for name, channel in channels.items() if channel.slots}
        self._no_limit = contextlib.nullcontext()

    def slot(self, delivery: Delivery) -> contextlib.AbstractAsyncContextManager[object]:
        """What an attempt must hold while it is made."""
        return self._slots.get(delivery.channel, self._no_limit)

    async def attempt(self, event: Event, delivery: Delivery) -> Outcome:
        """Make an attempt; what came of it."""
        channel = self._channels.get(delivery.channel)
        if channel is None:
            return Outcome(Result.FAILED, detail=f"channel {delivery.channel} is not set up", ours=True)
        try:
            if delivery.replays and all([await self._gone(one) for one in delivery.subscriptions]):
                return Outcome(Result.REFUSED, detail="the subscription is gone", ours=True)
            retrieved = await self._retriever.retrieve(event, delivery) if self._retriever else NOTHING
            body, media_type = self._renderer.render(event, delivery, retrieved)
            identity = ids.delivery_uuid(self._instance, delivery.id)
            outcome = await channel.send(Notification(identity, delivery, event, body, media_type))
            return _noted(outcome, retrieved.note)
        except FetchFailed as failed:
            return Outcome(Result.FAILED, detail=f"not retrieved: {failed}", ours=True)
        except Refusal as refusal:
            issue = refusal.issues[0]
            text = f"cannot be mapped: {issue.reason} at {issue.location}: {issue.text}"
            return Outcome(Result.REFUSED, detail=text, ours=True)
        except Exception as error:  # a fault of ours must not stop the lane; its text may hold what the message held
            log.error("send", delivery_id=ids.show(delivery.id), error=type(error).__name__)
            return Outcome(Result.UNCERTAIN, detail=f"fault in the gateway: {type(error).__name__}", ours=True)


def _noted(outcome: Outcome, note: str) -> Outcome:
    return replace(outcome, detail=f"{outcome.detail}; {note}" if outcome.detail else note) if note else outcome
