"""The command line of reference data: `gateway reference load` and `list`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from gateway import settings as configuration
from gateway.clock import instant, now_ms
from gateway.options import AsJson, Config
from gateway.reference.version import Dataset, ReferenceVersion

app = typer.Typer(
    no_args_is_help=True,
    help="Practices, postcodes and suppliers, which the criteria of subscriptions look up.",
)


@app.command()
def load(
    dataset: Annotated[
        Dataset,
        typer.Argument(
            help="`practices`: epraccur of ODS. `postcodes`: ONSPD, NSPL or NHSPD. `suppliers`: organisation, supplier."
        ),
    ],
    file: Annotated[Path, typer.Argument(help="The CSV, or the zip file it is published in.")],
    config: Config = None,
) -> None:
    """Load a file into the store, in place of the one before. Gateways that run take it up within
    `reference.reload_seconds`.
    """
    from gateway.reference import packing, postcodes, practices, suppliers
    from gateway.store.chosen import ask

    began = time.monotonic()
    if dataset == "practices":
        found = practices.read(file)
        rows, body = len(found), packing.pack_practices(found)
    elif dataset == "suppliers":
        listed = suppliers.read(file)
        rows, body = len(listed), packing.pack_suppliers(listed)
    else:
        directory = postcodes.read(file, lambda count: typer.echo(f"{count} rows", err=True))
        rows, body = len(directory), packing.pack_postcodes(directory)
    version = ReferenceVersion(dataset, now_ms(), file.name, rows)
    ask(configuration.load(config).store, lambda store: store.keep_reference(version, body))
    typer.echo(f"loaded {rows} {dataset} from {file.name} in {time.monotonic() - began:.1f} s")


@app.command("list")
def list_versions(as_json: AsJson = False, config: Config = None) -> None:
    """What is loaded."""
    from gateway.store.chosen import ask
    from gateway.trace import plain_console, plain_table, print_json

    found = ask(configuration.load(config).store, lambda store: store.reference_versions())
    if as_json:
        print_json(
            [
                {"dataset": one.dataset, "file": one.source, "rows": one.rows, "loaded": instant(one.version)}
                for one in found
            ]
        )
        return
    table = plain_table("dataset", "version", "source", "rows")
    for one in found:
        table.add_row(one.dataset, instant(one.version), one.source, str(one.rows))
    plain_console().print(table if found else "no reference data; see `gateway reference load --help`")
