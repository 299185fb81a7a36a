"""The subscriptions to one event type, in buckets: an event finds those it may match without asking the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.subscriptions.criteria import Anchor, Facts, anchors, comparisons
from gateway.subscriptions.subscription import Entry

_Held = dict[str, Entry]


class Buckets:
    """Explicit subscriptions stand under their NHS number; generic ones under the value that their criterion asks of
    the fact by which fewest others stand there already, or apart when it asks for no value.
    """

    __slots__ = ("_anchored", "_anchors", "_apart", "_explicit")

    def __init__(self) -> None:
        self._explicit: dict[str, Entry | list[Entry]] = {}
        self._apart: _Held = {}
        self._anchored: dict[str, dict[str, _Held]] = {}
        self._anchors: dict[str, list[Anchor]] = {}

    def add(self, entry: Entry) -> None:
        """Put it in its place."""
        if entry.subject is not None:
            held = self._explicit.setdefault(entry.subject, entry)
            if held is not entry:
                self._explicit[entry.subject] = [*held, entry] if isinstance(held, list) else [held, entry]
            return
        offered = anchors(entry.terms.criterion, lambda anchor: len(self._at(anchor)))
        if offered is None:
            self._apart[entry.id] = entry
            return
        self._anchors[entry.id] = offered
        for key, value in offered:
            self._anchored.setdefault(key, {}).setdefault(value, {})[entry.id] = entry

    def remove(self, entry: Entry) -> None:
        """Take it out."""
        if entry.subject is not None:
            self._remove_explicit(entry.subject, entry)
            return
        self._apart.pop(entry.id, None)
        for key, value in self._anchors.pop(entry.id, ()):
            held = self._anchored[key][value]
            held.pop(entry.id, None)
            if not held:
                del self._anchored[key][value]

    def candidates(self, subject: str | None, facts: Facts) -> Iterable[Entry]:
        """Those that an event of that subject may match; each once."""
        found: list[Entry] = [*self._apart.values()]
        if subject is not None and (held := self._explicit.get(subject)) is not None:
            found += held if isinstance(held, list) else (held,)
        if self._anchored:
            found += self._facing(facts)
        return found

    def alike(self, entry: Entry) -> Iterator[Entry]:
        """Those that stand where it stands or would stand."""
        if entry.subject is not None:
            held = self._explicit.get(entry.subject, [])
            yield from held if isinstance(held, list) else (held,)
            return
        yield from self._apart.values()
        for one in comparisons(entry.terms.criterion):
            for value in one.values:
                yield from self._at((one.key, value)).values()

    def _facing(self, facts: Facts) -> Iterable[Entry]:
        """Those anchored to a value that the event has; one that is anchored to two of them once."""
        held = [
            here
            for key, by_value in self._anchored.items()
            for value in facts(key) or ()
            if (here := by_value.get(value))
        ]
        if len(held) < 2:
            return held[0].values() if held else ()
        found: _Held = {}
        for here in held:
            found.update(here)
        return found.values()

    def _at(self, anchor: Anchor) -> _Held:
        return self._anchored.get(anchor[0], {}).get(anchor[1], {})

    def _remove_explicit(self, subject: str, entry: Entry) -> None:
        held = self._explicit.get(subject)
        if isinstance(held, list) and len(held) > 1:
            held.remove(entry)
        elif held is not None:
            del self._explicit[subject]
