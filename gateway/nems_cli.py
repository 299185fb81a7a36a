"""The command line for the gateway as a subscriber of a NEMS: `gateway nems`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gateway import settings as configuration
from gateway.errors import ConfigurationError
from gateway.options import Config

if TYPE_CHECKING:
    from gateway.upstream.nems import Nems

app = typer.Typer(
    no_args_is_help=True, help="Subscribe at a NEMS; what it sends comes to the gateway's own mailbox as events."
)
Identity = Annotated[str, typer.Argument(metavar="ID", help="The id that NEMS gave the subscription.")]


@app.command()
def subscribe(
    criteria: Annotated[str, typer.Argument(metavar="CRITERIA", help="What for: /Bundle?type=message&… as in NEMS.")],
    mailbox: Annotated[str, typer.Option(help="Which of the own mailboxes; mesh.mailbox if it is not said.")] = "",
    end: Annotated[str, typer.Option(metavar="INSTANT", help="When it is to end; never if it is not said.")] = "",
    reason: Annotated[str, typer.Option(help="Why, for NEMS.")] = "Collected by an event gateway",
    config: Config = None,
) -> None:
    """Make a subscription, and print its id, which nobody can ask for again."""
    settings = configuration.load(config)
    own = [settings.mesh.mailbox, *(one.mailbox for one in settings.mesh.mailboxes)]
    if not settings.mesh.mailbox:
        raise ConfigurationError("mesh.mailbox (GATEWAY_MESH__MAILBOX): is needed, for NEMS to deliver to")
    if mailbox and mailbox.upper() not in {name.upper() for name in own}:
        raise ConfigurationError(f"{mailbox} is not a mailbox of the gateway's own; there are: {', '.join(own)}")
    answer = _nems(settings).subscribe(criteria, mailbox or own[0], reason=reason, end=end)
    typer.echo(answer.id)
    if answer.said:
        sys.stderr.write(f"NEMS says: {answer.said}\n")


@app.command()
def read(subscription: Identity, config: Config = None) -> None:
    """Print a subscription as NEMS has it."""
    typer.echo(_nems(configuration.load(config)).read(subscription).body.decode("utf-8", "replace"))


@app.command()
def delete(subscription: Identity, config: Config = None) -> None:
    """End a subscription."""
    _nems(configuration.load(config)).delete(subscription)
    typer.echo(f"deleted {subscription}")


def _nems(settings: configuration.Settings) -> Nems:
    from gateway.upstream.nems import Nems

    if not settings.nems.upstream.url:
        raise ConfigurationError("nems.upstream.url (GATEWAY_NEMS__UPSTREAM__URL): is needed to subscribe at a NEMS")
    return Nems(settings.nems.upstream)
