"""The command line for deliveries and endpoints: `gateway deliveries`, `gateway endpoints`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from gateway import settings as configuration
from gateway.options import AsJson, Config

app = typer.Typer(no_args_is_help=True, help="Look through deliveries; send dead letters again, or give them up.")
endpoints = typer.Typer(no_args_is_help=True, help="Webhook endpoints that fail and are left alone.")


class State(StrEnum):
    """The state of a delivery."""

    DEAD = "dead"
    DELIVERED = "delivered"
    PENDING = "pending"
    SENDING = "sending"
    HELD = "held"


States = Annotated[list[State], typer.Option("--state", help="In this state; may be given again.")]
AnyStates = Annotated[
    list[State], typer.Option("--state", help=f"In this state, of {', '.join(State)}; may be given again.")
]
Subscription = Annotated[str, typer.Option(metavar="ID", help="Of this subscription.")]
Endpoint = Annotated[str, typer.Option(metavar="URL", help="To this webhook or mailbox.")]
EventType = Annotated[str, typer.Option("--event", metavar="TYPE", help="Of events of this type.")]
Since = Annotated[str, typer.Option(metavar="INSTANT", help="Made at or after, e.g. 2026-11-02T09:15:00Z.")]
Until = Annotated[str, typer.Option(metavar="INSTANT", help="Made before; by default now.")]
Identities = Annotated[list[str], typer.Argument(metavar="[ID]...", help="Those of these ids; otherwise all selected.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count.")]
Sure = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
_DEAD = [State.DEAD]
_NO_IDS: list[str] = []


@app.command("list")
def list_deliveries(  # noqa: PLR0913, PLR0917  # the options of a command
    state: AnyStates = _DEAD, subscription: Subscription = "", endpoint: Endpoint = "", event: EventType = "",
    since: Since = "", until: Until = "",
    discarded: Annotated[bool, typer.Option("--discarded", help="Those that were given up, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many of the earliest.")] = 20,
    as_json: AsJson = False, config: Config = None,
) -> None:  # fmt: skip
    """Deliveries, dead ones unless --state says otherwise."""
    from gateway import deliveries, letters

    which = letters.selection(
        states=tuple(map(str, state)), subscription=subscription, endpoint=endpoint, event_type=event, since=since,
        until=until, discarded=discarded,
    )  # fmt: skip
    deliveries.print_deliveries(configuration.load(config).store, which, limit, as_json=as_json)


@app.command("show")
def show_delivery(
    identity: Annotated[str, typer.Argument(metavar="ID")],
    answers: Annotated[
        bool, typer.Option("--answers", help="The start of each answer, too: it may tell of the patient.")
    ] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """One delivery with its attempts."""
    from gateway import deliveries

    deliveries.print_delivery(configuration.load(config).store, identity, answers=answers, as_json=as_json)


@app.command("replay")
def replay_deliveries(  # noqa: PLR0913, PLR0917  # the options of a command
    identities: Identities = _NO_IDS, state: States = _DEAD, subscription: Subscription = "", endpoint: Endpoint = "",
    event: EventType = "", since: Since = "", until: Until = "", dry_run: DryRun = False, yes: Sure = False,
    config: Config = None,
) -> None:  # fmt: skip
    """Send deliveries again that are dead or, with --state delivered, delivered; not to subscriptions that are gone."""
    from gateway import deliveries, letters

    states = () if identities else tuple(map(str, state))
    which = letters.selection(
        states=states, subscription=subscription, endpoint=endpoint, event_type=event, since=since, until=until
    )
    deliveries.replay(configuration.load(config).store, which, identities, dry_run=dry_run, sure=yes)


@app.command("discard")
def discard_deliveries(  # noqa: PLR0913, PLR0917  # the options of a command
    identities: Identities = _NO_IDS, state: States = _DEAD, subscription: Subscription = "", endpoint: Endpoint = "",
    event: EventType = "", since: Since = "", until: Until = "", dry_run: DryRun = False, yes: Sure = False,
    config: Config = None,
) -> None:  # fmt: skip
    """Give up deliveries that are dead or, with --state, held or pending; they stay in the trace of their events."""
    from gateway import deliveries, letters

    which = letters.selection(
        states=tuple(map(str, state)),
        subscription=subscription,
        endpoint=endpoint,
        event_type=event,
        since=since,
        until=until,
    )
    deliveries.discard(configuration.load(config).store, which, identities, dry_run=dry_run, sure=yes)


@endpoints.command("list")
def list_endpoints(as_json: AsJson = False, config: Config = None) -> None:
    """Those that fail: since when, why, and when they are tried next."""
    from gateway import deliveries

    deliveries.print_endpoints(configuration.load(config).store, as_json=as_json)


@endpoints.command("probe")
def probe_endpoint(
    endpoint: Annotated[str, typer.Argument(metavar="URL")],
    config: Config = None,
) -> None:
    """Try one at once."""
    from gateway import deliveries

    deliveries.probe(configuration.load(config).store, endpoint)
