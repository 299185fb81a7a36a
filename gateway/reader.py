"""From what a face has parsed to an event: validate → map in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from gateway import ids
from gateway.applications import Application
from gateway.catalogue import EventType
from gateway.clock import now_ms
from gateway.errors import Issue, Refusal
from gateway.events import Event, Face, Original, Record
from gateway.fhir.tables import Tables
from gateway.fhir.validate import validate
from gateway.mapping.context import Context
from gateway.mapping.modules import Modules


class Received(Record, frozen=True):
    """What came in, once its face has parsed it; `warnings` are what the parser put up with, `faults` finds what the
    face puts up with in a resource that is valid. Its event gets `row_id`, or a new one.
    """

    SHOWN: ClassVar = ("face", "original")

    face: Face
    application: Application
    original: Original
    resource: dict[str, Any]
    warnings: tuple[Issue, ...] = ()
    faults: Callable[[dict[str, Any], EventType], Iterable[Issue]] = lambda resource, event_type: ()
    row_id: int = 0


class Reader:
    """Makes events of what came in; `base_url` is the gateway's own."""

    def __init__(self, modules: Modules, base_url: str) -> None:
        self._modules, self._base_url = modules, base_url
        self._ids = ids.Ids()

    def new_id(self) -> int:
        """A row id, larger than all before."""
        return self._ids.next()

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
        row_id = received.row_id or self.new_id()
        context = Context(f"{self._base_url}/claim-check/{ids.show(row_id)}", self._base_url)
        return self._made(row_id, received, event_type, module.apply(received.resource, context), warnings)

    def made(self, received: Received, event_type: EventType, attributes: Mapping[str, Any]) -> Event:
        """The event of these attributes, and of a claim check as its dataref."""
        row_id = received.row_id or self.new_id()
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
