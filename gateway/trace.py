"""What an operator sees of events: as tables, or as JSON."""

from __future__ import annotations

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from gateway import ids
from gateway.clock import instant
from gateway.errors import ConfigurationError
from gateway.events import Event
from gateway.settings import StoreSettings
from gateway.shown import attempt_words, delivery_shown
from gateway.store.base import Answer, Audit, EventTrace, Store
from gateway.store.chosen import ask


def print_events(settings: StoreSettings, limit: int, *, as_json: bool) -> None:
    """Print the newest events of the store."""
    found = ask(settings, lambda store: store.events(limit))
    if as_json:
        print_json([_event(event) for event in found])
        return
    table = plain_table("id", "received", "type", "face", "application", "publisher's id")
    for event in found:
        table.add_row(
            ids.show(event.row_id), instant(event.received_ms), event.type, event.face, event.application, event.id
        )
    plain_console().print(table if found else "no events yet")


def print_event(settings: StoreSettings, identity: str, *, as_json: bool) -> None:
    """Print all that is known of one event.

    Raises:
        ConfigurationError: there is no such event.
    """
    try:
        row_id = ids.parse(identity)
    except ValueError as error:
        raise ConfigurationError(f"{identity}: {error}") from None
    trace, answers, erased = ask(settings, lambda store: _known_of(store, row_id))
    if trace is None and erased:
        _print_erased(erased, as_json=as_json)
        return
    if trace is None:
        raise ConfigurationError(f"{identity}: there is no such event")
    if as_json:
        told = {"acknowledgements": [_answer(one) for one in answers]}
        print_json(_event(trace.event) | told | {"deliveries": [delivery_shown(one) for one in trace.deliveries]})
    else:
        _print_trace(trace)
        for one in map(_answer, answers):
            console = plain_console()
            console.print(f"\n{one['received']} {one['kind']} acknowledgement by {one['application']}: {one['code']}")
            console.print(f"  it is event {one['id']}")


async def _known_of(store: Store, row_id: int) -> tuple[EventTrace | None, list[Answer], Audit | None]:
    return await store.trace(row_id), await store.answers(row_id), await store.audit(row_id)


def _print_erased(one: Audit, *, as_json: bool) -> None:
    """What stays of an event that was kept for its time."""
    told = {
        "id": ids.show(one.row_id), "publisher_id": one.id, "type": one.type, "source": one.source,
        "received": instant(ids.ms_of(one.row_id)), "face": one.face, "application": one.application, "erased": True,
        "delivered": one.delivered, "dead": one.dead,
    }  # fmt: skip
    if as_json:
        print_json(told)
        return
    facts = plain_table("name", "value")
    facts.show_header = False
    for name, value in told.items():
        facts.add_row(name, str(value))
    plain_console().print(facts)


def _answer(one: Answer) -> dict[str, Any]:
    return {
        "id": ids.show(one.answer_id), "received": instant(one.received_ms), "application": one.application,
        "kind": one.kind, "code": one.code,
    }  # fmt: skip


def _print_trace(trace: EventTrace) -> None:
    console = plain_console()
    facts = plain_table("name", "value")
    facts.show_header = False
    for name, value in _event(trace.event).items():
        facts.add_row(name, "\n".join(value) if isinstance(value, list) else str(value))
    console.print(facts)
    if not trace.deliveries:
        console.print("\nno subscription matched")
    for one in trace.deliveries:
        shown = delivery_shown(one)
        console.print(f"\ndelivery {shown['id']}: {shown['state']}, {shown['channel']} {shown['endpoint']}")
        console.print(f"  for subscriptions {', '.join(shown['subscriptions'])}")
        for attempt in shown["attempts"]:
            words = attempt_words(attempt)
            console.print(f"  {attempt['started']} attempt {attempt['number']}: {words} ({attempt['ms']} ms)")
        if shown["next"]:
            console.print(f"  next attempt at {shown['next']}")
        if one.state == "delivered" and one.delivery.channel == "mesh":
            seen = f"collected by the recipient, seen at {shown['collected']}" if shown["collected"] else ""
            console.print(f"  {seen or 'not known to be collected by the recipient'}", highlight=False)


def _event(event: Event) -> dict[str, Any]:
    """An operator sees whose system sent what and when; the patient stays out, so that a terminal or a ticket may hold
    it.
    """
    return {
        "id": ids.show(event.row_id),
        "publisher_id": event.id,
        "type": event.type,
        "source": event.source,
        "time": event.time,
        "received": instant(event.received_ms),
        "face": event.face,
        "application": event.application,
        "media_type": event.original.media_type,
        "bytes": len(event.original.body),
        "warnings": list(event.warnings),
    }


def plain_console() -> Console:
    """A console that never shortens what it shows: a line too long for the window is the window's to wrap."""
    return Console(soft_wrap=True, highlight=False, markup=False, width=1000)


def plain_table(*columns: str) -> Table:
    """A table without lines, its columns as wide as what they hold."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ignore")
    return table


def print_json(value: object) -> None:
    """Print JSON, indented."""
    plain_console().print_json(msgspec.json.encode(value).decode(), indent=2)
