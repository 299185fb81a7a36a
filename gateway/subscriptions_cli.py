"""The command line for subscriptions: `gateway subscriptions`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from gateway import settings as configuration
from gateway.options import AsJson, Config

app = typer.Typer(no_args_is_help=True, help="Look through the subscriptions of every face.")


class State(StrEnum):
    """The state of a subscription."""

    REQUESTED = "requested"
    ACTIVE = "active"
    ERROR = "error"
    OFF = "off"


class Face(StrEnum):
    """Where a subscription was made."""

    NEMS = "nems"
    MNS = "mns"
    R4 = "r4"


@app.command("list")
def list_subscriptions(  # noqa: PLR0913, PLR0917  # the options of a command
    application: Annotated[str, typer.Option(metavar="ID", help="Of this application.")] = "",
    face: Annotated[Face | None, typer.Option(help="Made at this face.")] = None,
    state: Annotated[State | None, typer.Option(help="In this state.")] = None,
    event: Annotated[str, typer.Option("--event", metavar="TYPE", help="To events of this type.")] = "",
    endpoint: Annotated[str, typer.Option(metavar="URL", help="With this webhook or mailbox.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many.")] = 20,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Those that are not deleted. Of whom explicit ones are is not told: that is a patient."""
    from gateway.subscribed import Listed, print_subscriptions

    def is_wanted(one: Listed) -> bool:
        terms, its_state = one[0].terms, one[1]
        return (
            application in {"", terms.application}
            and face in {None, terms.face}
            and endpoint in {"", terms.endpoint}
            and (not event or event in terms.event_types)
            and state in {None, its_state}
        )

    print_subscriptions(configuration.load(config).store, is_wanted, limit, as_json=as_json)


@app.command("show")
def show_subscription(
    identity: Annotated[str, typer.Argument(metavar="ID")], as_json: AsJson = False, config: Config = None
) -> None:
    """One subscription, deleted or not: what it asks for, and why it is in its state."""
    from gateway.subscribed import print_subscription

    print_subscription(configuration.load(config).store, identity, as_json=as_json)
