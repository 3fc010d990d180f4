"""`footprint import`: what other tools measured, put into the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from footprint.cli import output
from footprint.cli.words import Data

if TYPE_CHECKING:
    from footprint.fleet.codecarbon import Imported
    from footprint.store.ledger import Ledger
    from footprint.values import Run

app = typer.Typer(
    name="import",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Put what other tools measured into the ledger of runs.",
)

_MOST_TOLD = 20


@app.callback()
def imports() -> None:
    """Put what other tools measured into the ledger of runs."""


@app.command()
def codecarbon(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="codecarbon's emissions.csv, of any version.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be added, and add nothing.")] = False,
    data: Data = None,
) -> None:
    """Import runs that codecarbon measured, assessed with footprint's own grid, water and prices.

    Its energy is taken, with the PUE taken out again; its carbon is kept in a note. A run is
    known by codecarbon's id: importing a file twice adds nothing. A row that cannot be read is
    listed with its line.

    \b
    Examples:
      footprint import codecarbon emissions.csv
      footprint import codecarbon --dry-run old/*.csv
      footprint runs list --tag codecarbon
    """
    from footprint.fleet import codecarbon as importer

    found = [importer.read(path, data) for path in files]
    if dry_run:
        for one in found:
            output.write(_told(one, f"{len(one.runs)} to add"), None)
    else:
        from footprint.store import open_ledger

        with open_ledger() as ledger:
            for one in found:
                output.write(_told(one, _saved(one.runs, ledger)), None)
    for one in found:
        output.notes(_problems(one))
    if not any(one.runs for one in found):
        raise typer.Exit(1)


def _saved(runs: tuple[Run, ...], ledger: Ledger) -> str:
    """Put the new ones in, and those that have grown in the place of what they were."""
    from footprint.store.entries import IMPORTED

    known = {entry.id: entry for entry in ledger.list()}
    added = changed = 0
    for run in runs:
        entry = known.get(run.id)
        if entry is not None and (entry.kind != IMPORTED or entry.ended_utc_s >= run.ended_utc_s):
            continue
        ledger.save(run, IMPORTED)
        added, changed = added + (entry is None), changed + (entry is not None)
    told = [f"{added} added"]
    told += [f"{changed} grown since"] if changed else []
    told += [f"{len(runs) - added - changed} known already"] if len(runs) > added + changed else []
    return ", ".join(told)


def _told(found: Imported, what: str) -> str:
    rest = []
    if found.earlier:
        rest.append(f"{len(found.earlier)} rows are earlier stands of the same runs")
    if found.bad:
        rest.append(f"{len(found.bad)} rows cannot be read")
    return f"{found.path}: " + ", ".join([what, *rest])


def _problems(found: Imported) -> list[str]:
    """Each bad row with its line; where there are very many, the first ones and the lines of the others."""
    told = [f"{found.path}, line {line}: {problem}" for line, problem in found.bad[:_MOST_TOLD]]
    others = ", ".join(str(line) for line, _ in found.bad[_MOST_TOLD:])
    return [*told, *([f"{found.path}: nor can lines {others} be read"] if others else [])]
