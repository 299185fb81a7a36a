"""The command line for the gateway as a subscriber of other FHIR servers: `gateway r4`."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway import settings as configuration
from gateway.errors import ConfigurationError
from gateway.options import AsJson, Config

app = typer.Typer(
    no_args_is_help=True, help="Subscribe at other FHIR servers; what they send becomes events of the gateway."
)


@app.command()
def subscribe(
    at: Annotated[
        str,
        typer.Argument(metavar="AT", help="Whose server: an application's id or, in open mode, the server's base URL."),
    ],
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="The canonical URL of the topic.")],
    content: Annotated[str, typer.Option(help="id-only or full-resource.")] = "id-only",
    criteria: Annotated[list[str] | None, typer.Option("--filter", help="A filter of the topic's; may repeat.")] = None,
    heartbeat: Annotated[int, typer.Option(min=0, help="Seconds between heartbeats; 0 for none.")] = 0,
    config: Config = None,
) -> None:
    """Make a subscription that notifies this gateway, which must be running, and print its URL."""
    from gateway.applications import LOCAL
    from gateway.clock import now_ms
    from gateway.store.chosen import ask, tell
    from gateway.upstream import r4

    settings = configuration.load(config)
    if content not in {"id-only", "full-resource"}:
        raise ConfigurationError("--content must be id-only or full-resource: an empty notification names no event")
    url, token, key = _upstream(settings, at)
    # What is made at the other server stays there: a store that is not there, or of another release, is told of before.
    ask(settings.store, lambda store: store.upstreams(0))
    wanted = r4.Wanted(topic, criteria or (), content, heartbeat)
    reference = r4.subscribe(url, token, wanted, f"{settings.http.base_url}/R4/$process-notification", key)
    typer.echo(reference)
    application = LOCAL.id if settings.security.mode == "open" else at
    # The server may have notified the gateway already.
    tell(settings.store, lambda store: store.expect(reference, application, topic, now_ms()))


@app.command("list")
def list_upstreams(as_json: AsJson = False, config: Config = None) -> None:
    """The subscriptions that other servers have notified this gateway of, and what is missing of them."""
    from gateway import trace
    from gateway.clock import instant
    from gateway.store.chosen import ask

    found = ask(configuration.load(config).store, lambda store: store.upstreams(1000))
    if as_json:
        trace.print_json([{name: getattr(one, name) for name in one.__slots__} for one in found])
        return
    table = trace.plain_table("subscription", "application", "state", "last", "heard", "events", "missing")
    for one in found:
        heard = instant(one.heard_ms)
        table.add_row(
            one.reference, one.application, one.state, one.kind, heard, str(one.events), str(len(one.missing))
        )
    trace.plain_console().print(table if found else "no subscriptions yet")


def _upstream(settings: configuration.Settings, at: str) -> tuple[str, str, str]:
    """The server's base URL, the token that it wants, and the key to send."""
    from pathlib import Path

    from gateway import applications as parties
    from gateway.catalogue import layered

    if settings.security.mode == "open":
        if not at.startswith(("http://", "https://")):
            raise ConfigurationError(f"{at}: in open mode the server's base URL is needed")
        return at, "", ""
    declared = parties.load(Path(settings.applications), layered(settings.event_types)).with_id(at)
    if declared is None or declared.upstream is None:
        raise ConfigurationError(f"application {at!r}: is not declared with an upstream")
    return declared.upstream.server, declared.upstream.token, declared.upstream.key
