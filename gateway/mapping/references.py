"""What the references of a message lead to, within the message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from gateway.mapping import runtime


class References:
    """The resources of one source: those of a Bundle, or the one that it is, and what they contain."""

    def __init__(self, source: Mapping[str, Any]) -> None:
        """Raises Refusal MULTIPLE_VALUES when two different resources of a Bundle have the same fullUrl."""
        self._source: Final = source
        entries = source.get("entry", ())
        self._by_url: Final = {entry.get("fullUrl"): entry.get("resource") for entry in entries}
        if len(self._by_url) != len(entries):
            self._refuse_shared_urls(entries)

    def at(self, reference: str, absent: Any) -> Any:
        """The resource with that fullUrl, or else with that `Type/id` (FHIR, "Resolving references in Bundles").

        `#id` is not among them: whoever has only its text cannot say which resource contains it.
        """
        found = self._by_url.get(reference)
        if found is None:
            found = self._by_type_and_id.get(reference)
        return absent if found is None else found

    def of(self, reference: Mapping[str, Any], absent: Any) -> Any:
        """The resource that a Reference leads to; for `#id`, one contained in the resource that the Reference is in."""
        text = reference.get("reference")
        if text is None:
            return absent
        if text[:1] != "#":
            return self.at(text, absent)
        container = self._containers.get(id(reference), {})
        if text == "#":
            return container or absent
        found = [each for each in container.get("contained", ()) if each.get("id") == text[1:]]
        return found[0] if len(found) == 1 else absent

    @property
    def _resources(self) -> Iterator[Mapping[str, Any]]:
        """The source, then those in it."""
        yield from (each for each in (self._source, *self._by_url.values()) if each)

    @cached_property
    def _by_type_and_id(self) -> dict[str, Mapping[str, Any]]:
        return {f"{each.get('resourceType')}/{each.get('id')}": each for each in self._resources}

    @cached_property
    def _containers(self) -> dict[int, Mapping[str, Any]]:
        """The resource, not itself contained, in which an object stands, by the identity of the object."""
        return {id(inner): resource for resource in self._resources for inner in _objects(resource)}

    def _refuse_shared_urls(self, entries: Iterable[Mapping[str, Any]]) -> None:
        for entry in entries:
            url = entry.get("fullUrl")
            if url is not None and entry.get("resource") != self._by_url[url]:
                runtime.several("Bundle.entry.fullUrl")


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    for one in waiting:
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
