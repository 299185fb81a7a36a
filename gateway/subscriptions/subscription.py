"""An application's standing request to be told of events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gateway.events import ChannelType, Face, Form

Kind = Literal["explicit", "generic"]
SubscriptionState = Literal["requested", "active", "error", "off"]
"""As FHIR's: `requested` until its endpoint has shown that it is there, `error` while that fails, `off` for good."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A standing request: which events, through which channel, in which form.

    `event_types` are ids of EventTypes; `subject` is the NHS number of an explicit subscription, None for a generic
    one; `endpoint` is a mailbox id or a URL; `resource` and `media_type` are the bytes it was created with; `headers`
    go with every request to a webhook; `end_ms` is when it stops to match (epoch milliseconds), None for never;
    `workflow` is the MESH workflow it asked for, "" for that of the event type. `reason` says why it is in its state;
    `payload` is the media type asked for, "" for that of the form; `timeout_seconds` is how long its endpoint
    may take to answer, and `heartbeat_seconds` how often it is told that all is well.
    """

    id: str
    application: str
    face: Face
    event_types: tuple[str, ...]
    subject: str | None
    channel: ChannelType
    endpoint: str
    form: Form
    criteria: str
    resource: bytes
    media_type: str
    created_ms: int
    tag: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    end_ms: int | None = None
    workflow: str = ""
    state: SubscriptionState = "active"
    reason: str = ""
    payload: str = ""
    timeout_seconds: int | None = None
    heartbeat_seconds: int | None = None

    def has_ended(self, now_ms: int) -> bool:
        """Whether its `end` has passed."""
        return self.end_ms is not None and self.end_ms <= now_ms

    @property
    def kind(self) -> Kind:
        """Explicit when it names a patient (NEMS: the presence of Patient.identifier)."""
        return "generic" if self.subject is None else "explicit"
