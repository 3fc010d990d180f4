"""`footprint catalog`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from footprint.cli import output
from footprint.cli.words import Data, Out, OutFormat


def catalog(
    table: Annotated[
        str | None, typer.Argument(help="accelerators, zones, regions, models, prices, facilities, ...")
    ] = None,
    search: Annotated[
        list[str] | None, typer.Argument(metavar="[SEARCH]...", help="Words that a row must hold.")
    ] = None,
    data: Data = None,
    format: OutFormat = None,
    out: Out = None,
) -> None:
    """List what the data files hold; without a table, the tables.

    A terminal gets the main columns, a pipe gets all of them separated by tabs.

    \b
    Examples:
      footprint catalog accelerators hopper
      footprint catalog zones france
      footprint catalog prices h100 aws --format csv
    """
    name = output.chosen(format, out)
    from footprint import catalog as door
    from footprint.report import listing, tables

    opened = door.open_catalog(data)
    if table is None:
        output.show_table(listing.names(door.TABLES), name, out)
        return
    rows = [row for part in listing.sources(table) for row in opened.find(part, " ".join(search or ()))]
    if name == "text" and out is None and not sys.stdout.isatty() and format is None:
        output.write(tables.as_tsv(listing.full(rows)), out)
    elif name in ("json", "csv"):
        output.show_table(listing.full(rows), name, out)
    else:
        output.show_table(listing.brief(table, rows), name, out)
    if not rows:
        output.notes([f"no row of {table} holds {' '.join(search or ())}"])
