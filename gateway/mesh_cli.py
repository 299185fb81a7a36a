"""The command line for the gateway's own mailboxes: `gateway mesh`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway import settings as configuration
from gateway.options import AsJson, Config

app = typer.Typer(no_args_is_help=True, help="Look after the gateway's own mailboxes.")
quarantine = typer.Typer(no_args_is_help=True, help="Messages of the own mailboxes that could not be taken as events.")
app.add_typer(quarantine, name="quarantine")
Identity = Annotated[str, typer.Argument(metavar="ID", help="The MESH message id.")]


@quarantine.command("list")
def list_messages(
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many of the newest.")] = 20,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """The newest messages in quarantine, and why each is there."""
    from gateway import quarantined

    quarantined.print_messages(configuration.load(config).store, limit, as_json=as_json)


@quarantine.command("show")
def show_message(
    identity: Identity,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the message itself to a new file.")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """One message: where it came from and why it is there; its content only with --save."""
    from gateway import quarantined

    quarantined.print_message(configuration.load(config).store, identity, save, as_json=as_json)


@quarantine.command("release")
def release_message(identity: Identity, config: Config = None) -> None:
    """Have the gateway look at a message again, when what was wrong has been mended."""
    from gateway import quarantined

    quarantined.release(configuration.load(config).store, identity)
