"""What a subscription asks of an event, condition by condition, for an operator who wants to know why or why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.events import Event
from gateway.subscriptions.criteria import comparisons, discreet, predicate, render
from gateway.subscriptions.facts import EventFacts
from gateway.subscriptions.subscription import Entry


@dataclass(frozen=True, slots=True)
class Condition:
    """One of them: `met` is None when what it needs is not known, and `lack` says what that is.

    `text` is the subscription's own but for NHS numbers; of the event nothing is told, so that a terminal or a ticket
    may hold it.
    """

    text: str
    met: bool | None
    lack: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an event is for a subscription, and each condition; those of its filter are joined by AND and OR."""

    matches: bool
    conditions: Sequence[Condition]


def judge(event: Event, entry: Entry, facts: EventFacts) -> Verdict:
    """Every condition of a subscription, asked of `event`."""
    terms = entry.terms
    own = [Condition(f"event type is {' or '.join(terms.event_types)}", event.type in terms.event_types)]
    if entry.subject is not None:
        own.append(_patient(event, entry.subject))
    own.append(Condition("subscription is active", entry.matches(event.received_ms), _idle(event, entry)))
    filters = [
        Condition(render(discreet(one)), predicate(one)(facts), facts.lack(one.key))
        for one in comparisons(terms.criterion)
    ]
    meets = terms.meets is None or terms.meets(facts) is True
    return Verdict(meets and all(one.met for one in own), [*own, *filters])


def _patient(event: Event, subject: str) -> Condition:
    if event.subject is None:
        return Condition("patient is the one it names", None, "the event names no patient")
    return Condition("patient is the one it names", event.subject == subject)


def _idle(event: Event, entry: Entry) -> str:
    if entry.has_ended(event.received_ms):
        return "it has ended"
    return "" if entry.matches(event.received_ms) else f"it is {entry.terms.state}"
