"""`gateway events why`: why an event is for a subscription, or why not, by what is known now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from gateway import applications, catalogue, ids
from gateway.errors import ConfigurationError, Refusal
from gateway.events import XML, Event
from gateway.fhir.json import parse_json
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from gateway.mapping.context import Context
from gateway.mapping.modules import Modules
from gateway.mapping.tools.reload import Reloader
from gateway.reference.data import Reference
from gateway.reference.keeper import Keeper
from gateway.resources import folder
from gateway.settings import Settings
from gateway.store.base import EventTrace, Store
from gateway.store.chosen import ask
from gateway.subscribed import listed
from gateway.subscriptions.conditions import Condition, Verdict, judge
from gateway.subscriptions.facts import EventFacts
from gateway.subscriptions.subscription import Entry
from gateway.trace import plain_console, plain_table, print_json

_WORDS = {True: "yes", False: "no", None: "not known"}


@dataclass(frozen=True, slots=True)
class _Judged:
    entry: Entry
    verdict: Verdict


def print_why(settings: Settings, identity: str, subscription: str | None, *, as_json: bool) -> None:
    """Print the verdict on one subscription, or on all that may concern the event.

    Raises:
        ConfigurationError: there is no such event or subscription.
    """
    trace, found = ask(settings.store, lambda store: _judged(store, settings, identity, subscription))
    told = {one for delivery in trace.deliveries for one in delivery.delivery.subscriptions}
    if as_json:
        print_json([_shown(one, told) for one in found])
    elif subscription:
        _print_one(found[0], told)
    else:
        _print_all(found, told)


async def _judged(
    store: Store, settings: Settings, identity: str, subscription: str | None
) -> tuple[EventTrace, list[_Judged]]:
    try:
        trace = await store.trace(ids.parse(identity))
    except ValueError as error:
        raise ConfigurationError(f"{identity}: {error}") from None
    if trace is None:
        raise ConfigurationError(f"{identity}: there is no such event, or it was kept for its time and erased")
    reference = Reference()
    await Keeper(store, reference).take()
    event = with_demographics(trace.event, _modules(settings))
    facts = EventFacts(event, reference)
    standing = _Standing(store, _allowed(settings), event)
    if subscription is None:
        concerned = [one async for one, _ in listed(store) if _concerns(one, event)]
        return trace, [_Judged(one, await standing.judge(judge(event, one, facts), one)) for one in concerned]
    kept = await store.subscription(subscription)
    if kept is None:
        raise ConfigurationError(f"{subscription}: there is no such subscription")
    verdict = judge(event, kept.entry, facts)
    if not await store.is_subscribed(subscription):
        verdict = _with(verdict, Condition("subscription is still there", False))
    return trace, [_Judged(kept.entry, await standing.judge(verdict, kept.entry))]


@dataclass(frozen=True, slots=True)
class _Standing:
    """What may keep an event from a subscription that asks for it: its age, and the rights of its application."""

    store: Store
    allowed: Callable[[Entry], bool]
    event: Event

    async def judge(self, verdict: Verdict, entry: Entry) -> Verdict:
        """The verdict, and why it is another one, if it is."""
        if not self.allowed(entry):
            verdict = _with(verdict, Condition("its application may have it", False))
        kept = await self.store.subscription(entry.id) if verdict.matches else None
        if kept and kept.created_ms > self.event.received_ms:
            verdict = _with(verdict, Condition("subscription was made before the event came", False))
        return verdict


def _with(verdict: Verdict, unmet: Condition) -> Verdict:
    return Verdict(False, [*verdict.conditions, unmet])


def _allowed(settings: Settings) -> Callable[[Entry], bool]:
    if settings.security.mode == "open":
        return lambda entry: True
    types = catalogue.layered(settings.event_types)
    parties = applications.load(Path(settings.applications), types)
    return lambda entry: parties.allow(entry.terms, entry.kind)


def _concerns(entry: Entry, event: Event) -> bool:
    return event.type in entry.terms.event_types and entry.subject in (None, event.subject)


def with_demographics(event: Event, modules: Modules) -> Event:
    """An event that was kept, with what its message says of the patient to match by."""
    module = modules.find(event.original.form, "event", event.type)
    if event.original.form != "nems-message" or module is None:
        return event
    try:
        parse = parse_xml if event.original.media_type == XML else parse_json
        attributes = module.apply(parse(event.original.body, load("STU3")).resource, Context())
    except Refusal:  # it is no longer kept, or another release of the module would not take it
        return event
    return replace(event, demographics=attributes.get("demographics", {}))


def _modules(settings: Settings) -> Modules:
    own = settings.mapping.folder
    types = {one.id for one in catalogue.layered(settings.event_types)}
    return Reloader(types, folder("mappings"), Path(own) if own else None).modules


def _shown(one: _Judged, told: set[str]) -> dict[str, Any]:
    return {
        "subscription": one.entry.id,
        "application": one.entry.terms.application,
        "matches": one.verdict.matches,
        "delivered_to": one.entry.id in told,
        "conditions": [asdict(condition) for condition in one.verdict.conditions],
    }


def _print_one(one: _Judged, told: set[str]) -> None:
    console = plain_console()
    was = "was" if one.entry.id in told else "was not"
    console.print(f"subscription {one.entry.id}: {_verdict(one)} by what is known now; a delivery {was} made for it\n")
    table = plain_table("condition", "met", "why not known")
    for condition in one.verdict.conditions:
        table.add_row(condition.text, _WORDS[condition.met], condition.lack)
    console.print(table)


def _print_all(found: Sequence[_Judged], told: set[str]) -> None:
    table = plain_table("subscription", "application", "verdict", "delivery", "because of")
    for one in sorted(found, key=lambda judged: not judged.verdict.matches):
        unmet = [
            f"{condition.text}{f' ({condition.lack})' if condition.lack else ''}"
            for condition in one.verdict.conditions
            if not condition.met
        ]
        made = "made" if one.entry.id in told else "none"
        table.add_row(
            one.entry.id, one.entry.terms.application, _verdict(one), made,
            "" if one.verdict.matches else "; ".join(unmet),
        )  # fmt: skip
    plain_console().print(table if found else "no subscription asks for events of this type and patient")


def _verdict(one: _Judged) -> str:
    return "matches" if one.verdict.matches else "does not match"
