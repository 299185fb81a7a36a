"""What an operator sees of deliveries, and how dead letters are sent again or given up, on the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import typer

from gateway import ids, letters
from gateway.clock import instant, now_ms
from gateway.errors import ConfigurationError
from gateway.settings import StoreSettings
from gateway.shown import attempt_shown, attempt_words, delivery_shown, endpoint_shown
from gateway.store.base import Selection, Store
from gateway.store.chosen import ask, tell
from gateway.trace import plain_console, plain_table, print_json


class _Change(NamedTuple):
    """What is done to deliveries, in words and in the store; `why_not` says why it may not be possible."""

    verb: str
    why_not: str
    counted: Callable[[Store, Selection, Sequence[int]], Awaitable[int]]
    act: letters.Act


_REPLAY = _Change(
    "send again",
    "still to be delivered, or the subscription is deleted, off or without an endpoint that has answered",
    letters.count_replay,
    letters.replay,
)
_DISCARD = _Change("give up", "delivered, or on the way now", letters.count_discard, letters.discard)


def print_deliveries(settings: StoreSettings, which: Selection, limit: int, *, as_json: bool) -> None:
    """Print the deliveries selected, the earliest first, and how many there are."""
    count = ask(settings, lambda store: store.count_deliveries(which))
    found = ask(settings, lambda store: store.deliveries(which, limit))
    if as_json:
        print_json({"count": count, "deliveries": [delivery_shown(one) for one in found]})
        return
    table = plain_table("id", "event", "state", "channel", "endpoint", "attempts", "ended", "replays", "last attempt")
    for one in found:
        delivery = one.delivery
        table.add_row(
            ids.show(delivery.id), ids.show(delivery.event_id), one.state, delivery.channel, delivery.endpoint,
            str(delivery.attempts), instant(one.ended_ms) if one.ended_ms else "", str(delivery.replays or ""),
            attempt_words(attempt_shown(one.attempts[-1])) if one.attempts else "",
        )  # fmt: skip
    console = plain_console()
    console.print(table if found else "there are none")
    if count > len(found):
        console.print(f"{len(found)} of {count}")


def print_delivery(settings: StoreSettings, identity: str, *, answers: bool, as_json: bool) -> None:
    """Print one delivery with its attempts; `answers` adds what the other side said, which may tell of the patient.

    Raises:
        ConfigurationError: there is none.
    """
    found = ask(settings, lambda store: store.delivery(letters.delivery_id(identity)))
    if found is None:
        raise ConfigurationError(f"{identity}: there is no such delivery")
    shown = delivery_shown(found, answers=answers)
    if as_json:
        print_json(shown)
        return
    console, facts = plain_console(), plain_table("name", "value")
    facts.show_header = False
    attempts = shown.pop("attempts")
    for name, value in shown.items():
        facts.add_row(name, ", ".join(value) if isinstance(value, list) else "" if value is None else str(value))
    console.print(facts)
    for attempt in attempts:
        words = attempt_words(attempt)
        console.print(f"{attempt['started']} attempt {attempt['number']}: {words} ({attempt['ms']} ms)")
        if attempt.get("answer"):
            console.print(f"  {attempt['answer']!r}")


def replay(settings: StoreSettings, which: Selection, identities: Sequence[str], *, dry_run: bool, sure: bool) -> None:
    """Count what is selected and, unless it is a dry run, send it again."""
    _change(settings, _REPLAY, which, identities, (dry_run, sure))


def discard(settings: StoreSettings, which: Selection, identities: Sequence[str], *, dry_run: bool, sure: bool) -> None:
    """Count what is selected and, unless it is a dry run, give it up."""
    _change(settings, _DISCARD, which, identities, (dry_run, sure))


def print_endpoints(settings: StoreSettings, *, as_json: bool) -> None:
    """Print the webhook endpoints that fail and are left alone."""
    found = ask(settings, lambda store: store.failing_endpoints())
    if as_json:
        print_json([endpoint_shown(one) for one in found])
        return
    table = plain_table("endpoint", "failing since", "probes", "next probe", "reason")
    for one in found:
        table.add_row(*(str(value) for value in endpoint_shown(one).values()))
    plain_console().print(table if found else "no endpoint is failing")


def probe(settings: StoreSettings, endpoint: str) -> None:
    """Have an endpoint that fails tried at once.

    Raises:
        ConfigurationError: it is not failing.
    """
    if not tell(settings, lambda store: store.hasten_probe(endpoint, now_ms())):
        raise ConfigurationError(f"{endpoint}: it is not failing")
    plain_console().print("the gateway tries it within seconds, if a delivery waits for it")


def _change(
    settings: StoreSettings, change: _Change, which: Selection, identities: Sequence[str], how: tuple[bool, bool]
) -> None:
    dry_run, sure = how
    chosen = [letters.delivery_id(one) for one in identities]
    letters.require_some(which, chosen)
    ask(settings, lambda store: letters.require_known(store, chosen))
    found = ask(settings, lambda store: change.counted(store, which, chosen))
    others = ask(settings, lambda store: letters.count(store, which, chosen)) - found
    told = f"{found} to {change.verb}" + (f"; {others} cannot be: {change.why_not}" if others > 0 else "")
    console = plain_console()
    if dry_run or not found:
        console.print(told)
        return
    if not sure:
        typer.confirm(f"{told}: go on?", abort=True)
    done = tell(settings, lambda store: change.act(store, which, chosen, found))
    console.print(f"{done} of {found}: done")
