"""An application's standing request to be told of events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gateway.events import ChannelType, Face, Form
from gateway.signing import Secret

Kind = Literal["explicit", "generic"]
Ordering = Literal["none", "per-subject"]
SubscriptionState = Literal["requested", "active", "error", "off"]
"""As FHIR's: `requested` until its endpoint has shown that it is there, `error` while that fails, `off` for good."""

_MATCHING = frozenset({"active", "error"})


@dataclass(frozen=True, slots=True)
class Subscription:
    """A standing request: which events, through which channel, in which form.

    `event_types` are ids of EventTypes; `subject` is the NHS number of an explicit subscription, None for a generic
    one; `endpoint` is a mailbox id or a URL; `resource` and `media_type` are the bytes it was created with; `end_ms` is
    when it stops to match (epoch milliseconds), None for never; `workflow` is the MESH workflow it asked for, "" for
    that of the event type. `reason` says why it is in its state; `payload` is the media type asked for, "" for that of
    the form; `timeout_seconds` is how long its endpoint may take to answer, and `heartbeat_seconds` how often it is
    told that all is well. `retry_seconds` are the waits of its deliveries, () for those of its channel. `headers` go
    with every request to a webhook and `secrets` sign it; the store has both in `private` alone, which the book writes
    and reads.
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
    private: str = field(default="{}", repr=False)
    end_ms: int | None = None
    workflow: str = ""
    state: SubscriptionState = "active"
    reason: str = ""
    payload: str = ""
    timeout_seconds: int | None = None
    heartbeat_seconds: int | None = None
    ordering: Ordering = "none"
    retry_seconds: tuple[float, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    secrets: tuple[Secret, ...] = field(default=(), repr=False)

    def has_ended(self, now_ms: int) -> bool:
        """Whether its `end` has passed."""
        return self.end_ms is not None and self.end_ms <= now_ms

    def matches(self, now_ms: int) -> bool:
        """Whether events are for it: while its endpoint fails they are kept for it."""
        return self.state in _MATCHING and not self.has_ended(now_ms)

    @property
    def kind(self) -> Kind:
        """Explicit when it names a patient (NEMS: the presence of Patient.identifier)."""
        return "generic" if self.subject is None else "explicit"
