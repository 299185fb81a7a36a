"""Which subscriptions an event matches: one index in memory for the subscriptions of all faces."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.events import Event
from gateway.reference.data import Reference
from gateway.subscriptions.buckets import Buckets
from gateway.subscriptions.facts import EventFacts
from gateway.subscriptions.subscription import Entry


class Index:
    """Subscriptions by event type; under it by NHS number, or by one of the facts that their criteria ask for.

    So what a look-up costs depends on how many subscriptions match, not on how many there are. The index is touched
    only by the event loop's thread, and a subscription is in it before its creation is answered.
    """

    def __init__(self, entries: Iterable[Entry] = (), reference: Reference | None = None) -> None:
        self.reference = reference or Reference()
        self._by_id: dict[str, Entry] = {}
        self._by_type: dict[str, Buckets] = {}
        self.revision = 0
        """How far it has followed the store."""
        self.fill(entries)

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, subscription_id: object) -> bool:
        return subscription_id in self._by_id

    def add(self, entry: Entry) -> None:
        """Let it match from now on, instead of one of the same id."""
        if entry.id in self._by_id:
            self.remove(entry.id)
        self.fill((entry,))

    def fill(self, entries: Iterable[Entry]) -> None:
        """Add many that are not in it."""
        by_id, places = self._by_id, dict[tuple[str, ...], list[Buckets]]()
        for entry in entries:
            by_id[entry.id] = entry
            event_types = entry.terms.event_types
            if event_types not in places:
                places[event_types] = [self._by_type.setdefault(one, Buckets()) for one in event_types]
            for buckets in places[event_types]:
                buckets.add(entry)

    def remove(self, subscription_id: str) -> None:
        """Let it match no more; nothing happens when it is not there."""
        entry = self._by_id.pop(subscription_id, None)
        if entry is None:
            return
        for event_type in entry.terms.event_types:
            self._by_type[event_type].remove(entry)

    def match(self, event: Event) -> list[Entry]:
        """The subscriptions that `event` is for."""
        buckets = self._by_type.get(event.type)
        if buckets is None:
            return []
        facts = EventFacts(event, self.reference)
        now_ms = event.received_ms
        return [
            entry
            for entry in buckets.candidates(event.subject, facts)
            if ((meets := entry.terms.meets) is None or meets(facts)) and entry.matches(now_ms)
        ]

    def twin_of(self, entry: Entry, now_ms: int) -> Entry | None:
        """Another of the same application that would deliver the same events to the same endpoint in the same form."""
        buckets = self._by_type.get(entry.terms.event_types[0])
        wanted = _identity(entry)
        for other in buckets.alike(entry) if buckets else ():
            if other.id != entry.id and _identity(other) == wanted and not other.has_ended(now_ms):
                return other
        return None


def _identity(one: Entry) -> tuple[object, ...]:
    terms = one.terms
    tags = tuple(sorted(one.tag.split(",")))
    places = (terms.channel, terms.endpoint, terms.workflow, terms.form)
    return terms.application, terms.face, frozenset(terms.event_types), one.subject, terms.filter, *places, tags
