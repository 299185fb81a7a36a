"""An application's standing request to be told of events."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import msgspec

from gateway.events import ChannelType, Face, Form
from gateway.signing import Secret
from gateway.subscriptions.criteria import EVERYTHING, Criterion, Predicate, predicate
from gateway.subscriptions.criteria_parser import parse

Kind = Literal["explicit", "generic"]
Ordering = Literal["none", "per-subject"]
SubscriptionState = Literal["requested", "active", "error", "off"]
"""As FHIR's: `requested` until its endpoint has shown that it is there, `error` while that fails, `off` for good."""

_MATCHING = frozenset({"active", "error"})


@dataclass(frozen=True, slots=True)
class Subscription:
    """A standing request: which events, through which channel, in which form.

    `event_types` are ids of EventTypes; `subject` is the NHS number of an explicit subscription, None for a generic
    one; `filter` is the criterion that an event must meet besides (`criteria.py`), "" for none; `endpoint` is a mailbox
    id or a URL; `resource` and `media_type` are the bytes it was created with; `end_ms` is
    when it stops to match (epoch milliseconds), None for never; `workflow` is the MESH workflow it asked for, "" for
    that of the event type. `reason` says why it is in its state; `payload` is the media type asked for, "" for that of
    the form; `timeout_seconds` is how long its endpoint may take to answer, and `heartbeat_seconds` how often it is
    told that all is well; `unproven` says that its endpoint has never shown that it is there, so that nothing may go to
    it. `retry_seconds` are the waits of its deliveries, () for those of its channel. `headers` go
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
    unproven: bool = False
    ordering: Ordering = "none"
    retry_seconds: tuple[float, ...] = ()
    filter: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    secrets: tuple[Secret, ...] = field(default=(), repr=False)

    def has_ended(self, now_ms: int) -> bool:
        """Whether its `end` has passed."""
        return self.end_ms is not None and self.end_ms <= now_ms

    def status(self, now_ms: int) -> SubscriptionState:
        """The status that its owner is told."""
        return "off" if self.has_ended(now_ms) else self.state

    @property
    def kind(self) -> Kind:
        """Explicit when it names a patient (NEMS: the presence of Patient.identifier)."""
        return "generic" if self.subject is None else "explicit"

    @property
    def entry(self) -> Entry:
        """What the index holds of it."""
        terms = terms_of(
            self.application, self.face, self.event_types, self.channel, self.endpoint, self.form, self.filter,
            self.workflow, "requested" if self.unproven else self.state, self.ordering,
        )  # fmt: skip
        return Entry(self.id, self.subject, self.tag, self.end_ms, terms)


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What many subscriptions have in common: whose they are, what they ask for and where it goes."""

    application: str
    face: Face
    event_types: tuple[str, ...]
    channel: ChannelType
    endpoint: str
    form: Form
    filter: str = ""
    workflow: str = ""
    state: SubscriptionState = "active"
    ordering: Ordering = "none"
    criterion: Criterion = field(init=False, repr=False)
    meets: Predicate | None = field(init=False, repr=False)
    """Whether an event's facts meet the criterion; None where there is none to meet."""
    is_live: bool = field(init=False, repr=False)
    """Whether events are for it: while its endpoint fails they are kept for it."""

    def __post_init__(self) -> None:
        criterion = parse(self.filter)
        object.__setattr__(self, "criterion", criterion)
        object.__setattr__(self, "is_live", self.state in _MATCHING)
        object.__setattr__(self, "meets", None if criterion == EVERYTHING else predicate(criterion))


class Entry(msgspec.Struct, eq=False, gc=False):
    """A subscription as the index holds it: what it takes to match and to plan a delivery. There may be millions, so
    what they share is one `Terms`, and the rest is left in the store.
    """

    id: str
    subject: str | None
    tag: str
    end_ms: int | None
    terms: Terms

    def has_ended(self, now_ms: int) -> bool:
        """Whether its `end` has passed."""
        return self.end_ms is not None and self.end_ms <= now_ms

    def status(self, now_ms: int) -> SubscriptionState:
        """The status that its owner is told; but one that is unproven is `requested` here, whatever it is."""
        return "off" if self.has_ended(now_ms) else self.terms.state

    def matches(self, now_ms: int) -> bool:
        """Whether events are for it."""
        return self.terms.is_live and (self.end_ms is None or self.end_ms > now_ms)

    @property
    def kind(self) -> Kind:
        """Explicit when it names a patient."""
        return "generic" if self.subject is None else "explicit"


terms_of = lru_cache(maxsize=65_536)(Terms)
"""One object for all subscriptions that agree."""
