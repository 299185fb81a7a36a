"""The connectivity check: the last test signal of each subscription to it, and what became of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from gateway.clock import instant, now_ms
from gateway.faces.mns.test_signal import TYPE, identity
from gateway.settings import Settings
from gateway.store.base import DeliveryTrace, Store
from gateway.store.chosen import ask
from gateway.trace import plain_console, plain_table, print_json

LOOKED_BACK: Final = 96
"""How many signals are looked for; at one in 15 minutes, those of a day."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A subscription, and the last test signal that was for it; None when there was none."""

    subscription: str
    application: str
    channel: str
    endpoint: str
    last: DeliveryTrace | None


def print_connectivity(settings: Settings, *, as_json: bool) -> None:
    """Print the last test signal of each subscription to it."""
    period_ms = round(settings.mns.test_signal_seconds * 1000)
    found = ask(settings.store, lambda store: contacts(store, period_ms, now_ms()))
    if as_json:
        print_json([_told(one) for one in found])
        return
    heads = ("subscription", "application", "channel", "endpoint", "state", "signal", "detail")
    table = plain_table(*heads)
    for one in found:
        told = _told(one)
        table.add_row(*(str(told[head] or "") for head in heads))
    plain_console().print(table if found else "nobody subscribes to the test signal")


async def contacts(store: Store, period_ms: int, at_ms: int) -> list[Contact]:
    """The subscriptions to the test signal, and what became of the last that was for each before `at_ms`."""
    wanted = [one for one in await store.subscriptions() if TYPE in one.event_types]
    last = await _last_deliveries(store, {one.id for one in wanted}, period_ms, at_ms) if period_ms else {}
    return [Contact(one.id, one.application, one.channel, one.endpoint, last.get(one.id)) for one in wanted]


async def _last_deliveries(store: Store, wanted: set[str], period_ms: int, at_ms: int) -> dict[str, DeliveryTrace]:
    found: dict[str, DeliveryTrace] = {}
    for back in range(LOOKED_BACK):
        if wanted <= found.keys():
            break
        for row_id in await store.events_named(identity((at_ms // period_ms - back) * period_ms)):
            trace = await store.trace(row_id)
            for told in trace.deliveries if trace else ():
                found |= {one: told for one in told.delivery.subscriptions if one not in found}
    return found


def _told(one: Contact) -> dict[str, Any]:
    last = one.last
    attempts = last.attempts if last else ()
    return {
        "subscription": one.subscription,
        "application": one.application,
        "channel": one.channel,
        "endpoint": one.endpoint,
        "state": last.state if last else "no signal yet",
        "signal": instant(attempts[-1].started_ms) if attempts else None,
        "detail": attempts[-1].detail if attempts else None,
    }
