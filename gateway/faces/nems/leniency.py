"""What a message may get wrong and be taken all the same: NEMS's own examples do (NEMS, "Generic event requirements").

Each fault becomes a warning that is kept with the event, so that its publisher can be told of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gateway.catalogue import EventType
from gateway.errors import Issue

_HEADER = "Bundle.entry[0].resource"
# Profile Event-MessageHeader-1 allows none of these.
_NOT_ALLOWED = ("receiver", "author", "reason", "response")
_EVENT_SYSTEM = "https://fhir.nhs.uk/STU3/CodeSystem/EventType-1"
_EVENT_SYSTEMS = frozenset({_EVENT_SYSTEM, "https://fhir.nhs.uk/STU3/CodeSystem/EMS-EventType-1"})  # the latter in 2018
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# A record change never says when its record was changed.
_WITHOUT_LAST_UPDATED = frozenset({"pds-record-change-1"})


def faults(bundle: dict[str, Any], event_type: EventType) -> list[Issue]:
    """The faults of a valid message Bundle, whose first entry is a MessageHeader, as warnings."""
    entries = bundle["entry"]
    header = entries[0]["resource"]
    found = [
        *_naming_faults(header), *_header_faults(header, event_type.id), *_entry_faults(entries), *_lost(entries),
    ]  # fmt: skip
    return [Issue("INVALID_RESOURCE", location, text, "warning") for location, text in found]


def _naming_faults(header: dict[str, Any]) -> Iterator[tuple[str, str]]:
    event = header.get("event", {})
    if not _UUID.fullmatch(header.get("id", "")):
        yield f"{_HEADER}.id", "must be a UUID: receivers know repeats by it"
    if event.get("system") not in _EVENT_SYSTEMS:
        yield f"{_HEADER}.event.system", f"must be {_EVENT_SYSTEM}"
    if "display" not in event:
        yield f"{_HEADER}.event.display", "is required by NEMS"


def _header_faults(header: dict[str, Any], event_type: str) -> Iterator[tuple[str, str]]:
    source = header.get("source", {})
    if "name" not in source:
        yield f"{_HEADER}.source.name", "is required by NEMS"
    if "contact" not in source:
        yield f"{_HEADER}.source.contact", "is required by NEMS"
    if "lastUpdated" not in header.get("meta", {}) and event_type not in _WITHOUT_LAST_UPDATED:
        yield f"{_HEADER}.meta.lastUpdated", "is required by NEMS: receivers put messages in order by it"
    for name in _NOT_ALLOWED:
        if name in header:
            yield f"{_HEADER}.{name}", "is not allowed by the profile Event-MessageHeader-1"
    for name in ("responsible", "focus"):
        if name not in header:
            yield f"{_HEADER}.{name}", "is required by NEMS"


def _entry_faults(entries: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for index, entry in enumerate(entries):
        url = entry.get("fullUrl", "")
        if ":" not in url:
            yield f"Bundle.entry[{index}].fullUrl", "must be a URI such as urn:uuid: and a UUID"


def _lost(entries: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """References to entries that are not there: those of the elements of resources, not of their parts."""
    places = {entry.get("fullUrl") for entry in entries}
    for index, entry in enumerate(entries):
        for name, value in entry.get("resource", {}).items():
            if type(value) is str:  # most elements
                continue
            for one in value if type(value) is list else (value,):
                # Elsewhere, such as in the ODS directory, a reference may lead to what is not in the message.
                if (
                    type(one) is dict
                    and type(reference := one.get("reference")) is str  # in a Consent it may be a Reference itself
                    and reference not in places
                    and not reference.startswith(("http://", "https://", "#"))
                ):
                    yield f"Bundle.entry[{index}].resource.{name}", "refers to no entry"
