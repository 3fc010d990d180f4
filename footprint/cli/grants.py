"""`footprint runs grants`."""

from __future__ import annotations

from typing import Annotated

import typer

from footprint.cli import output
from footprint.errors import InputError


def grants(
    reader: Annotated[list[str] | None, typer.Option(metavar="ROLE", help="May read; may be repeated.")] = None,
    writer: Annotated[list[str] | None, typer.Option(metavar="ROLE", help="May read and write; may be repeated.")] = (
        None
    ),
    schema: Annotated[str, typer.Option(metavar="NAME", help="Where the tables are.")] = "public",
) -> None:
    """Print the SQL by which the owner of a team's ledger lets others in.

    The owner is the role that opened it first: it makes the tables, and brings them up to date
    when it opens it with a newer footprint; print and run the grants again then. Readers list,
    show, export and use the app; they write nothing, not even what is temporary.

    \b
    Examples:
      footprint runs grants --reader dashboard --writer trainers
      footprint runs grants --reader dashboard | psql -U owner team
    """
    if not reader and not writer:
        raise InputError("role", None, "is missing", "name one: footprint runs grants --reader ROLE or --writer ROLE")
    from footprint.store import grants as made

    output.write(made(reader or (), writer or (), schema), None)
