"""The book of subscriptions: the store keeps them, the index matches by them, and the two never differ for long."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import structlog

from gateway import metrics
from gateway.clock import now_ms
from gateway.errors import Changed, Refusal
from gateway.events import NUMBERED, Face
from gateway.sealing import Sealer
from gateway.signing import Secret, new_secret, rotated
from gateway.subscriptions.changes import Changes
from gateway.subscriptions.facts import lacks_postcodes
from gateway.subscriptions.index import Index
from gateway.subscriptions.private import NOTHING, packed, unpacked
from gateway.subscriptions.subscription import Entry, Kind, Subscription, SubscriptionState, Terms

log = structlog.get_logger()
_LEFT = "nems"
"""The face whose subscriptions are not held whole."""
_PAGE = 10_000
Watcher = Callable[[Subscription, SubscriptionState], None]
"""Gets the subscription as it is now, and the state it was in; returns at once and never raises."""


class Shelf(Protocol):
    """The part of a Store that the book needs."""

    async def add_subscription(self, subscription: Subscription, revision: int = 0) -> None:
        """Keep a new subscription, unless others have changed since `revision`: Changed."""
        ...

    async def delete_subscription(self, subscription_id: str, now_ms: int) -> bool:
        """Mark it deleted; False when there is none."""
        ...

    async def replace_subscription(self, subscription: Subscription) -> bool:
        """Keep `subscription` instead of the one of the same id; False when there is none."""
        ...

    async def set_subscription_state(
        self, subscription_id: str, state: SubscriptionState, reason: str = "", was: Sequence[SubscriptionState] = ()
    ) -> bool:
        """Put it into `state`; False when there is none, or it is in none of the states in `was`."""
        ...

    async def set_subscription_private(self, subscription_id: str, private: str) -> bool:
        """Keep other headers and secrets for it; False when there is none."""
        ...

    async def subscriptions(self, but_of: str = "") -> list[Subscription]:
        """All that are not deleted, but those of the face `but_of`."""
        ...

    async def nems_entries(self, after: str, limit: int) -> list[Entry]:
        """What the index needs of NEMS's that are not deleted, by id, from behind the id `after`."""
        ...

    async def subscription(self, subscription_id: str) -> Subscription | None:
        """One, deleted or not."""
        ...

    async def subscription_changes(self, since: int) -> Changes:
        """What has changed after the revision `since`; since 0 only the revision now."""
        ...


class Book:
    """Adds, finds and removes subscriptions.

    Whoever was told of a subscription gets the events accepted from then on. What is still allowed is looked at when
    the book is loaded: an application that lost a right loses the subscriptions that needed it.

    Subscriptions are held whole, but for NEMS's: there may be millions, and only their owners ask for them, so the rest
    of those stays in the store.
    """

    def __init__(
        self, store: Shelf, index: Index, allowed: Callable[[Terms, Kind], bool], sealer: Sealer | None = None
    ) -> None:
        self._store, self.index, self._allowed = store, index, allowed
        self._sealer = sealer or Sealer()
        # Of a change and of what other nodes have changed, one is learnt after the other.
        self._changing = asyncio.Lock()
        self._behind = False
        self._following: asyncio.Task[None] | None = None
        self._whole: dict[str, Subscription] = {}
        self.watchers: list[Watcher] = []
        """Who is told when a subscription has come into another state."""

    async def load(self) -> None:
        """Fill the index from the store; what is sealed with an old key, or not at all, is sealed anew.

        Raises:
            ConfigurationError: headers or secrets are sealed with a key that is not set.
        """
        # First: what changes while the rest is read is read again.
        self.index.revision = (await self._store.subscription_changes(0)).revision
        for kept in await self._store.subscriptions(but_of=_LEFT):
            subscription = unpacked(kept, self._sealer)
            if kept.private != NOTHING and not self._sealer.is_current(kept.private):
                await self._store.set_subscription_private(kept.id, packed(subscription, self._sealer))
            entry = subscription.entry
            if self._may_stay(entry):
                self._hold(subscription)
        await self._load_entries()
        metrics.subscriptions(len(self.index))

    def follow(self) -> None:
        """Learn soon what other nodes have changed."""
        self._behind = True
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow(), name="follow")

    async def _follow(self) -> None:
        try:
            while self._behind:
                self._behind = False
                await self.catch_up()
        except (
            Exception
        ) as error:  # an event that is accepted without it is refused by the store, and it is learnt then
            log.error("follow", error=type(error).__name__)

    async def catch_up(self) -> None:
        """Learn what other nodes have changed.

        Raises:
            Unavailable: the store cannot tell.
        """
        async with self._changing:
            await self._catch_up()

    async def _catch_up(self) -> None:
        changes = await self._store.subscription_changes(self.index.revision)
        for subscription_id in changes.deleted:
            self._drop(subscription_id)
        for kept in changes.present:
            subscription = unpacked(kept, self._sealer)
            if self._may_stay(subscription.entry):
                self._hold(subscription)
            else:
                self._drop(subscription.id)
        self.index.revision = changes.revision
        metrics.subscriptions(len(self.index))

    async def _load_entries(self) -> None:
        collecting = gc.isenabled()
        gc.disable()  # a million entries hold no cycle, and looking for one would take longer than to make them
        try:
            after = ""
            while page := await self._store.nems_entries(after, _PAGE):
                after = page[-1].id
                # Of many that agree in all but their patients, one is asked about.
                alike = {(one.terms, one.subject is None): one for one in page}
                if all(self._allowed(one.terms, one.kind) for one in alike.values()):
                    self.index.fill(page)
                else:
                    self.index.fill([one for one in page if self._may_stay(one)])
        finally:
            if collecting:
                gc.enable()

    def _may_stay(self, entry: Entry) -> bool:
        terms = entry.terms
        if self._allowed(terms, entry.kind):
            return True
        log.warning("not-allowed", subscription_id=entry.id, application=terms.application, face=terms.face)
        return False

    def _hold(self, subscription: Subscription) -> None:
        self.index.add(subscription.entry)
        if subscription.face != _LEFT:
            self._whole[subscription.id] = subscription

    def _drop(self, subscription_id: str) -> None:
        self.index.remove(subscription_id)
        self._whole.pop(subscription_id, None)

    async def get(self, subscription_id: str) -> Subscription | None:
        """The subscription of that id."""
        return await self.find(subscription_id) if subscription_id in self.index else None

    async def find(self, subscription_id: str) -> Subscription | None:
        """The subscription of that id, even if it is deleted: what it matched before is still delivered."""
        if found := self._whole.get(subscription_id):
            return found
        kept = await self._store.subscription(subscription_id)
        return unpacked(kept, self._sealer) if kept else None

    def of(self, application: str, face: Face) -> list[Subscription]:
        """The subscriptions of an application on one face, but NEMS's, in the order of their ids."""
        own = (one for one in self._whole.values() if one.application == application and one.face == face)
        return sorted(own, key=lambda one: one.id)

    def held(self, subscription_id: str) -> Subscription | None:
        """The subscription of that id if it is held whole."""
        return self._whole.get(subscription_id)

    async def is_gone(self, subscription_id: str) -> bool:
        """Whether it is deleted or off."""
        found = await self.get(subscription_id)
        return found is None or found.state == "off"

    def whole(self) -> list[Subscription]:
        """All that are held whole."""
        return list(self._whole.values())

    def at(self, endpoint: str) -> list[Subscription]:
        """The subscriptions to `endpoint`, but NEMS's."""
        return [one for one in self._whole.values() if one.endpoint == endpoint]

    async def add(self, subscription: Subscription) -> None:
        """Keep it, and let it match. A webhook gets a secret that its requests are signed with.

        Raises:
            Refusal: DUPLICATE_REJECTED, when one that would deliver the same to the same place is there already.
        """
        subscription = _signed(subscription)
        kept = replace(subscription, private=packed(subscription, self._sealer))
        async with self._changing:  # two at once must not both find no twin
            while not await self._added(kept):
                await self._catch_up()
            self._hold(subscription)
        metrics.subscriptions(len(self.index))
        if lacks_postcodes(subscription.entry.terms.criterion, self.index.reference):
            # It is taken all the same: they may be loaded later.
            log.warning("reference-lacking", dataset="postcodes", subscription_id=subscription.id)

    async def _added(self, subscription: Subscription) -> bool:
        """Keep it; False when another node has made a change that is to be looked at first."""
        self._refuse_twin(subscription)
        try:
            await self._store.add_subscription(subscription, self.index.revision)
        except Changed:
            return False
        return True

    def _refuse_twin(self, subscription: Subscription) -> None:
        if subscription.form in NUMBERED:
            return  # each counts for itself, so two that ask for the same are two (FHIR R4, create)
        if twin := self.index.twin_of(subscription.entry, now_ms()):
            # Live clients find the id in these words.
            raise Refusal.because("DUPLICATE_REJECTED", f"subscription already exists : {twin.id}")

    async def replace(self, subscription: Subscription) -> bool:
        """Keep `subscription` instead of the one of the same id, whose secrets stay; False when that is gone.

        Raises:
            Refusal: DUPLICATE_REJECTED, when another would deliver the same to the same place.
        """
        async with self._changing:
            self._refuse_twin(subscription)
            before = await self.get(subscription.id)
            if before is None:
                return False
            after = _signed(replace(subscription, secrets=before.secrets))
            if not await self._store.replace_subscription(replace(after, private=packed(after, self._sealer))):
                return False
            self._hold(after)
        return True

    async def set_state(
        self, subscription_id: str, state: SubscriptionState, reason: str = "", was: Sequence[SubscriptionState] = ()
    ) -> bool:
        """Put it into `state`, and tell the watchers if that is another; False when it is gone, or in none of `was`."""
        async with self._changing:
            before = await self.get(subscription_id)
            if before is None or not await self._store.set_subscription_state(subscription_id, state, reason, was):
                return False
            after = replace(before, state=state, reason=reason, unproven=before.unproven and state != "active")
            self._hold(after)
        if before.state != state:
            log.info("subscription-state", subscription_id=subscription_id, before=before.state, state=state)
            for watcher in self.watchers:
                watcher(after, before.state)
        return True

    async def rotate_secret(self, subscription_id: str, until_ms: int) -> Secret | None:
        """Sign with a new secret from now on and, until then, with the old one too; None when it is gone."""
        async with self._changing:
            before = await self.get(subscription_id)
            if before is None:
                return None
            after = replace(before, secrets=rotated(before.secrets, now_ms(), until_ms))
            if not await self._store.set_subscription_private(subscription_id, packed(after, self._sealer)):
                return None
            self._hold(after)
        log.info("rotate-secret", subscription_id=subscription_id)
        return after.secrets[0]

    async def remove(self, subscription_id: str) -> bool:
        """Delete it; False when it is gone already."""
        async with self._changing:
            removed = await self._store.delete_subscription(subscription_id, now_ms())
            self._drop(subscription_id)
        metrics.subscriptions(len(self.index))
        return removed


def _signed(subscription: Subscription) -> Subscription:
    """The subscription, with a secret if requests of its are to be signed and it has none."""
    if subscription.channel != "rest-hook" or subscription.secrets:
        return subscription
    return replace(subscription, secrets=(new_secret(),))
