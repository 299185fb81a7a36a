"""The command line: `gateway serve`, `migrate`, `demo`, and what looks after events, deliveries and more."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway import settings as configuration
from gateway.deliveries_cli import app as deliveries
from gateway.deliveries_cli import endpoints
from gateway.errors import GatewayError
from gateway.mapping_cli import app as mapping
from gateway.mesh_cli import app as mesh
from gateway.nems_cli import app as nems
from gateway.options import AsJson, Config
from gateway.r4_cli import app as r4
from gateway.reference_cli import app as reference
from gateway.subscriptions_cli import app as subscriptions

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="A gateway between NEMS, MNS, FHIR R4 subscriptions and MESH.",
)  # fmt: skip
events = typer.Typer(no_args_is_help=True, help="Look at the events that came in, and where each delivery stands.")
app.add_typer(events, name="events")
retention = typer.Typer(no_args_is_help=True, help="How long things are kept.")
app.add_typer(retention, name="retention")
app.add_typer(deliveries, name="deliveries")
app.add_typer(endpoints, name="endpoints")
app.add_typer(mapping, name="mapping")
app.add_typer(mesh, name="mesh")
app.add_typer(nems, name="nems")
app.add_typer(r4, name="r4")
app.add_typer(reference, name="reference")
app.add_typer(subscriptions, name="subscriptions")


@app.command()
def serve(config: Config = None) -> None:
    """Run the gateway until it is stopped."""
    from gateway.serve import serve as run

    run(configuration.load(config))


@app.command()
def work(config: Config = None) -> None:
    """Only deliver, beside others that serve: several may share a PostgreSQL store. The probes answer at http.port."""
    from gateway.serve import serve as run

    run(configuration.load(config), only_deliver=True)


@app.command()
def migrate(config: Config = None) -> None:
    """Bring the database up to this release; `gateway serve` does so itself on SQLite."""
    from gateway.store import chosen

    applied = chosen.migrate(configuration.load(config).store)
    for migration in applied:
        typer.echo(f"applied {migration.number:04} {migration.name}")
    if not applied:
        typer.echo("nothing to do")


@app.command()
def new_key() -> None:
    """Make a key for security.secret_keys, which seals what subscribers confide."""
    from cryptography.fernet import Fernet

    typer.echo(Fernet.generate_key().decode())


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop after the table instead of serving on.")] = False,
    folder: Annotated[
        Path, typer.Option(help="Where to keep the demo's files; those of an earlier demo are removed first.")
    ] = Path("var/demo"),
    port: Annotated[int, typer.Option(help="The gateway's port.")] = 8000,
    mesh_port: Annotated[int, typer.Option(help="The local MESH's port.")] = 8700,
) -> None:
    """Run the main job on this machine: a local MESH, the gateway, three events, and a table of what became of them."""
    from gateway.demo import Demo

    Demo(folder, port, mesh_port).run(once=once)


@events.command("list")
def list_events(
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many of the newest.")] = 20,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """The newest events."""
    from gateway import trace

    trace.print_events(configuration.load(config).store, limit, as_json=as_json)


@events.command("show")
def show_event(
    identity: Annotated[str, typer.Argument(metavar="ID")], as_json: AsJson = False, config: Config = None
) -> None:
    """One event: what came in, which subscriptions matched, each delivery and each attempt."""
    from gateway import trace

    trace.print_event(configuration.load(config).store, identity, as_json=as_json)


@events.command("why")
def why(
    identity: Annotated[str, typer.Argument(metavar="EVENT")],
    subscription: Annotated[str | None, typer.Argument(metavar="[SUBSCRIPTION]")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Why an event is for a subscription, or why not: each condition, and what is lacking to judge it.

    Without a subscription, of all that ask for events of this type and name no patient or this one.
    """
    from gateway.why import print_why

    print_why(configuration.load(config), identity, subscription, as_json=as_json)


@app.command()
def connectivity(as_json: AsJson = False, config: Config = None) -> None:
    """Each subscription to the test signal, and what became of the last signal that was for it."""
    from gateway.connectivity import print_connectivity

    print_connectivity(configuration.load(config), as_json=as_json)


@retention.command("run")
def run_retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be erased.")] = False,
    config: Config = None,
) -> None:
    """Erase what has been kept for its set time; `gateway serve` does so every hour."""
    from gateway import retention

    for line in retention.run(configuration.load(config), dry_run=dry_run):
        typer.echo(line)


def main() -> None:
    """The entry point: what is wrong with the configuration is told in one line."""
    try:
        app()
    except GatewayError as error:
        sys.stderr.write(f"gateway: {error}\n")
        sys.exit(2)
