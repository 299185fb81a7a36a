"""The form that MNS fixes for a signal: a FHIR R4 Bundle more narrow than FHIR has it.

It says what the JSON Schema of the Multicast Notification Service says ("FHIR signal", signal-schemas in
NHSDigital/multicast-notification-service), and that entries have the request and the response which that schema puts
inside the resource by mistake. A struct is an object, which may have more elements; one that is `array_like` is a list,
which may have no more than its fields, in their order.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, ValidationError, convert

from gateway.errors import Issue
from gateway.fhir.wire import invalid

_CHARACTER: Final = r"[A-Za-z0-9._~:/?@!$&'()*+,;=-]"
# Unrolled: a fifth of the time of an alternation.
_CHARACTERS: Final = rf"{_CHARACTER}*(?:%[0-9A-Fa-f]{{2}}{_CHARACTER}*)*"
_UUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z"
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII).fullmatch

_URI: Final = rf"[A-Za-z][A-Za-z0-9+.-]*:(?://\[[0-9A-Fa-f:.]+\])?{_CHARACTERS}(?:#{_CHARACTERS})?\Z"

Uri = Annotated[str, Meta(pattern=f"^{_URI}")]
Uuid = Annotated[str, Meta(pattern=f"^{_UUID}")]
UuidUrn = Annotated[str, Meta(pattern=f"^urn:uuid:{_UUID}")]
Profile = Literal["http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4"]


class Moment(str):
    """A date and time of the calendar, with a zone."""


class Link(Struct):
    """A Reference by URL."""

    reference: Uri


class Numbered(Struct):
    """An Identifier, which MNS writes without its system."""

    value: str


class Identified(Struct):
    """A Reference by identifier."""

    identifier: Numbered


class SubscriptionParameter(Struct):
    name: Literal["subscription"]
    valueReference: Link


class StatusParameter(Struct):
    name: Literal["status"]
    valueCode: Literal["active"]


class TypeParameter(Struct):
    name: Literal["type"]
    valueCode: Literal["event-notification"]


class EventNumber(Struct):
    name: Literal["event-number"]
    valueString: Literal["1"]


class Timestamp(Struct):
    name: Literal["timestamp"]
    valueInstant: Moment


class Focus(Struct):
    name: Literal["focus"]
    valueReference: Link


class NotificationParts(Struct, array_like=True, forbid_unknown_fields=True):
    number: EventNumber
    timestamp: Timestamp
    focus: Focus | UnsetType = UNSET


class NotificationParameter(Struct):
    name: Literal["notification-event"]
    part: NotificationParts


class EventTypePart(Struct):
    name: Literal["event-type"]
    valueString: str


class Source(Struct):
    name: Literal["source"]
    valueUri: str


class Subject(Struct, tag_field="name", tag="subject"):
    valueReference: Identified


class VersionId(Struct, tag_field="name", tag="version-id"):
    valueString: str


class ContextParts(Struct, array_like=True, forbid_unknown_fields=True):
    type: EventTypePart
    source: Source
    third: Subject | VersionId | UnsetType = UNSET
    fourth: Subject | VersionId | UnsetType = UNSET


class ContextParameter(Struct):
    name: Literal["additional-context"]
    part: ContextParts


class ProfileMeta(Struct):
    profile: tuple[Profile]


class Status(Struct):
    """The Parameters resource that tells of the event."""

    resourceType: Literal["Parameters"]
    id: Uuid
    meta: ProfileMeta
    parameter: tuple[SubscriptionParameter, StatusParameter, TypeParameter, NotificationParameter, ContextParameter]


class Request(Struct):
    method: Literal["GET"]
    url: Uri


class Response(Struct):
    status: Literal["200"]


class StatusEntry(Struct):
    fullUrl: UuidUrn
    resource: Status
    request: Request
    response: Response


class HydratedEntry(Struct):
    """What the publisher's API has to say of the event, in whatever form."""

    fullUrl: Uri
    resource: dict[str, Any]
    request: Request
    response: Response


class Entries(Struct, array_like=True, forbid_unknown_fields=True):
    status: StatusEntry
    hydrated: HydratedEntry | UnsetType = UNSET


class Signal(Struct):
    """The Bundle."""

    resourceType: Literal["Bundle"]
    id: str
    type: Literal["history"]
    timestamp: Moment
    entry: Entries


def signal_faults(signal: Any) -> list[Issue]:
    """The first way in which a JSON value is not a signal of MNS, as an INVALID_RESOURCE Issue at its FHIRPath; or
    nothing.
    """
    try:
        convert(signal, Signal, dec_hook=_moment)
    except ValidationError as error:
        said, _, path = str(error).partition(" - at `$")
        return [invalid(f"Bundle{path.removesuffix('`')}", f"is not as MNS has it in a signal: {_told(said)}")]
    return []


def _told(said: str) -> str:
    """What msgspec said of a fault, without the value or the regular expression that it may hold."""
    if said.startswith("Invalid "):
        return "not the value that is fixed there"
    return "not of the form that is fixed there" if "matching regex" in said else said


def _moment(kind: type, value: Any) -> Moment:
    """`value` as the one type here that msgspec does not know; it lets ValueError be an error at its place."""
    if type(value) is not str or not _MOMENT(value):
        raise ValueError("Expected a date and time with a zone")
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("Expected a date of the calendar and a zone of the Earth") from None
    return Moment(value)
