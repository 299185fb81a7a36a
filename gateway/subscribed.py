"""What an operator sees of subscriptions: nothing of a patient, no header and no secret."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from gateway.clock import instant, now_ms
from gateway.errors import ConfigurationError
from gateway.settings import StoreSettings
from gateway.store.base import Store
from gateway.store.chosen import ask
from gateway.subscriptions.criteria import discreet, render
from gateway.subscriptions.criteria_parser import parse
from gateway.subscriptions.subscription import Entry, Subscription
from gateway.trace import plain_console, plain_table, print_json

_PAGE: Final = 10_000
Listed = tuple[Entry, str]
"""A subscription as the index holds it, and its state as its owner is told it."""


async def listed(store: Store) -> AsyncIterator[Listed]:
    """Every subscription that is not deleted; of NEMS's, of which there may be millions, last."""
    now = now_ms()
    for one in await store.subscriptions(but_of="nems"):
        yield one.entry, one.status(now)
    after = ""
    while page := await store.nems_entries(after, _PAGE):
        for entry in page:
            yield entry, entry.status(now)
        after = page[-1].id


def print_subscriptions(
    settings: StoreSettings, wanted: Callable[[Listed], bool], limit: int, *, as_json: bool
) -> None:
    """Print as many as `limit` of the subscriptions wanted, and how many there are."""
    count, found = ask(settings, lambda store: _found(store, wanted, limit))
    if as_json:
        print_json({"count": count, "subscriptions": [_entry(*one) for one in found]})
        return
    table = plain_table("id", "application", "face", "kind", "state", "events", "channel", "endpoint", "form")
    for one in found:
        table.add_row(*(" ".join(value) if isinstance(value, list) else value for value in _entry(*one).values()))
    console = plain_console()
    console.print(table if found else "there are none")
    if count > len(found):
        console.print(f"{len(found)} of {count}")


def print_subscription(settings: StoreSettings, identity: str, *, as_json: bool) -> None:
    """Print one subscription, deleted or not.

    Raises:
        ConfigurationError: there is none, or it was deleted long ago.
    """
    known = ask(settings, lambda store: _known(store, identity))
    if known is None:
        raise ConfigurationError(f"{identity}: there is no such subscription")
    shown = _subscription(*known)
    if as_json:
        print_json(shown)
        return
    facts = plain_table("name", "value")
    facts.show_header = False
    for name, value in shown.items():
        words = " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
        facts.add_row(name, words)
    plain_console().print(facts)


async def _found(store: Store, wanted: Callable[[Listed], bool], limit: int) -> tuple[int, list[Listed]]:
    count, found = 0, list[Listed]()
    async for one in listed(store):
        if wanted(one):
            count += 1
            if count <= limit:
                found.append(one)
    return count, found


async def _known(store: Store, identity: str) -> tuple[Subscription, bool, int] | None:
    """It, whether it is deleted, and how many events it has had where they are counted."""
    one = await store.subscription(identity)
    if one is None:
        return None
    counts = await store.event_counts([identity])
    return one, not await store.is_subscribed(identity), counts.get(identity, 0)


def _entry(one: Entry, state: str) -> dict[str, Any]:
    terms = one.terms
    return {
        "id": one.id,
        "application": terms.application,
        "face": terms.face,
        "kind": one.kind,
        "state": state,
        "events": list(terms.event_types),
        "channel": terms.channel,
        "endpoint": terms.endpoint,
        "form": terms.form,
    }


def _subscription(one: Subscription, deleted: bool, events: int) -> dict[str, Any]:
    return _entry(one.entry, one.status(now_ms())) | {
        "filter": render(discreet(parse(one.filter))),
        "workflow": one.workflow,
        "payload": one.payload,
        "timeout_seconds": one.timeout_seconds,
        "heartbeat_seconds": one.heartbeat_seconds,
        "ordering": one.ordering,
        "retry_seconds": list(one.retry_seconds),
        "reason": one.reason,
        "created": instant(one.created_ms),
        "ends": instant(one.end_ms) if one.end_ms else None,
        "deleted": deleted,
        "numbered_events": events,
    }
