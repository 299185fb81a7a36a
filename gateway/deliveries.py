"""What an operator sees of deliveries, and how dead letters are sent again or given up, on the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import typer

from gateway import ids, letters
from gateway.clock import instant
from gateway.errors import ConfigurationError
from gateway.settings import StoreSettings
from gateway.shown import delivery_shown, endpoint_shown
from gateway.store.base import Selection, Store
from gateway.store.chosen import ask, tell
from gateway.trace import plain_console, plain_table, print_json

_Act = Callable[[Store, Selection, Sequence[int]], Awaitable[int]]


def print_deliveries(settings: StoreSettings, which: Selection, limit: int, *, as_json: bool) -> None:
    """Print the deliveries selected, the earliest first, and how many there are."""
    count = ask(settings, lambda store: store.count_deliveries(which))
    found = ask(settings, lambda store: store.deliveries(which, limit))
    if as_json:
        print_json({"count": count, "deliveries": [delivery_shown(one) for one in found]})
        return
    table = plain_table("id", "event", "state", "channel", "endpoint", "attempts", "ended", "replays")
    for one in found:
        delivery = one.delivery
        table.add_row(
            ids.show(delivery.id), ids.show(delivery.event_id), one.state, delivery.channel, delivery.endpoint,
            str(delivery.attempts), instant(one.ended_ms) if one.ended_ms else "", str(delivery.replays or ""),
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
        words = " ".join(str(attempt[name]) for name in ("outcome", "status", "detail") if attempt[name])
        console.print(f"{attempt['started']} attempt {attempt['number']}: {words} ({attempt['ms']} ms)")
        if attempt.get("answer"):
            console.print(f"  {attempt['answer']!r}")


def replay(settings: StoreSettings, which: Selection, identities: Sequence[str], *, dry_run: bool, sure: bool) -> None:
    """Count what is selected and, unless it is a dry run, send it again."""
    _change(settings, "send again", letters.count_replay, letters.replay, (which, identities), dry_run, sure)


def discard(settings: StoreSettings, which: Selection, identities: Sequence[str], *, dry_run: bool, sure: bool) -> None:
    """Count what is selected and, unless it is a dry run, give it up."""
    _change(settings, "give up", letters.count_discard, letters.discard, (which, identities), dry_run, sure)


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
    if not tell(settings, lambda store: letters.probe_now(store, endpoint)):
        raise ConfigurationError(f"{endpoint}: it is not failing")
    plain_console().print("the gateway tries it within seconds, if a delivery waits for it")


def _change(
    settings: StoreSettings, verb: str, count: _Act, act: _Act, what: tuple[Selection, Sequence[str]], *how: bool
) -> None:
    (which, identities), (dry_run, sure) = what, how
    chosen = [letters.delivery_id(one) for one in identities]
    letters.require_some(which, chosen)
    found = ask(settings, lambda store: count(store, which, chosen))
    console = plain_console()
    if dry_run or not found:
        console.print(f"{found} to {verb}")
        return
    if not sure:
        typer.confirm(f"{found} to {verb}: go on?", abort=True)
    done = tell(settings, lambda store: act(store, which, chosen))
    console.print(f"{done} of {found}: done")
