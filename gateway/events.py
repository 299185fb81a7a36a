"""What happened, and what is to be told of it: Event, Delivery, Attempt."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

import msgspec

Face = Literal["nems", "mns", "r4", "mesh"]
Form = Literal[
    "nems-message",
    "mns-signal",
    "hydrated-signal",
    "cloudevent",
    "mns-v1",
    "r4-message",
    "r4-empty",
    "r4-id-only",
    "r4-full-resource",
    "r4-status",
]
ChannelType = Literal["mesh", "rest-hook"]
DeliveryState = Literal["pending", "sending", "delivered", "dead", "held"]

NUMBERED: frozenset[Form] = frozenset({"r4-empty", "r4-id-only", "r4-full-resource"})
"""The forms that tell a subscriber how many events its subscription has had, and which one this is."""

XML = "application/fhir+xml"
JSON = "application/fhir+json"
CLOUDEVENT = "application/cloudevents+json"


class Record(msgspec.Struct, frozen=True):
    """What may tell of a patient: printed, it shows no more than the attributes SHOWN."""

    SHOWN: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        shown = " ".join(f"{name}={getattr(self, name)!r}" for name in self.SHOWN)
        return f"<{type(self).__name__} {shown}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.SHOWN]


class Original(Record, frozen=True):
    """The exact bytes received: `media_type` is as they came, without parameters, `form` the contract they are written
    to.
    """

    SHOWN: ClassVar = ("form", "media_type")

    body: bytes
    media_type: str
    form: Form


class Event(Record, frozen=True):
    """What happened, with the attributes of a CloudEvent (CloudEvents 1.0, section 3.1) and those of MNS.

    `row_id` is the gateway's own id, `id` the publisher's; `type` is the id of an EventType; `time` is an RFC 3339
    text, as sent; `subject` is an NHS number. `demographics` are what the message says of the patient to match by: they
    go no further than matching, and are not kept beside the message, which holds them.
    """

    SHOWN: ClassVar = ("row_id", "type")

    row_id: int
    id: str
    source: str
    type: str
    time: str
    original: Original
    face: Face
    application: str
    received_ms: int
    subject: str | None = None
    dataref: str | None = None
    versionid: str | None = None
    filtering: dict[str, Any] = {}
    warnings: tuple[str, ...] = ()
    demographics: dict[str, Any] = {}

    def attributes(self) -> dict[str, Any]:
        """The event as the source of a mapping module: absent attributes are left out."""
        named = {
            name: getattr(self, name) for name in ("id", "source", "type", "time", "subject", "dataref", "versionid")
        }
        return {name: value for name, value in named.items() if value is not None} | {"filtering": self.filtering}


class Delivery(Record, frozen=True):
    """A notification on its way to one endpoint: a mailbox id for `mesh`, a URL for `rest-hook`.

    `subscriptions` are the ids of those that matched and are served by this one; `workflow` and `partner_id` are
    MESH's; `attempts` counts those made; `uncertain` says that an earlier attempt may have arrived. `claim` numbers its
    leases, so that the verdict of an earlier one can be told from that of the present. `number` is that of the event in
    its subscription, for a form that is NUMBERED; the store gives it when it accepts the event. Deliveries to one
    endpoint that have the same `order_key` leave in the order of their ids, "" in none; `replays` counts how often an
    operator sent it again.
    """

    SHOWN: ClassVar = ("id", "channel", "form")

    id: int
    event_id: int
    channel: ChannelType
    endpoint: str
    form: Form
    subscriptions: tuple[str, ...]
    workflow: str = ""
    partner_id: str = ""
    attempts: int = 0
    uncertain: bool = False
    claim: int = 0
    number: int = 0
    order_key: str = ""
    replays: int = 0


class Reservation(NamedTuple):
    """What becomes of fresh deliveries: those `taken` are started on at once, under a lease until `lease_ms`; those
    `held` wait until their endpoint can take them, and those `due` are claimed.
    """

    taken: list[Delivery]
    held: list[Delivery]
    due: list[Delivery]
    lease_ms: int


class Attempt(Record, frozen=True):
    """One try at a delivery: `outcome` is the word the channel gave it, `status` the HTTP status where there was one,
    `answer` the start of what the other side said, which may tell of the patient.
    """

    SHOWN: ClassVar = ("delivery_id", "number", "outcome", "status", "detail")

    delivery_id: int
    number: int
    started_ms: int
    duration_ms: int
    outcome: str
    status: int | None
    detail: str
    answer: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """What an attempt means for its delivery, which it was made for under the lease number `claim`.

    `next_ms` is when it may be claimed again (epoch milliseconds) if it stays pending; `uncertain` says that the
    attempt may have arrived; `remote_id` is the id the other side gave the notification; `in_order` says that other
    deliveries may wait for this one.
    """

    attempt: Attempt
    state: DeliveryState
    claim: int = 0
    next_ms: int = 0
    uncertain: bool = False
    remote_id: str = ""
    in_order: bool = False
