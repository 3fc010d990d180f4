"""`footprint runs`: what was measured, imported and planned."""

from __future__ import annotations

import shutil
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from footprint.cli import output
from footprint.cli.grants import grants
from footprint.cli.ledger import (
    By,
    Folder,
    Kind,
    Name,
    Project,
    Since,
    StatusOption,
    Store,
    Tag,
    Until,
    caught_up,
    runs_root,
    wanted,
)
from footprint.cli.words import SITE_WORDS, Data, Out, OutFormat, takes_words
from footprint.errors import InputError

if TYPE_CHECKING:
    from footprint.report.tables import Table
    from footprint.store.entries import Entry
    from footprint.store.ledger import Ledger
    from footprint.values import Run

app = typer.Typer(
    name="runs",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The ledger of runs: list, show, export, merge, recover, delete, grants.",
)

WIDE_COLUMNS = 130
_MEASURED = ("run", "imported")


class ExportFormat(StrEnum):
    """How runs leave."""

    json = "json"
    csv = "csv"
    codecarbon = "codecarbon"


OneRun = Annotated[str, typer.Argument(metavar="RUN", help="A name, an id, or either end of an id.")]


@app.callback()
def runs() -> None:
    """The ledger of runs: list, show, export, merge, recover, delete, grants."""


@app.command("list")
def list_runs(
    name: Name = None,
    project: Project = None,
    tag: Tag = None,
    status: StatusOption = None,
    since: Since = None,
    until: Until = None,
    kind: Annotated[Kind | None, typer.Option(help="Measured runs, imported ones, or plans.")] = None,
    by: Annotated[By | None, typer.Option(help="Add them up instead.")] = None,
    store: Store = None,
    folder: Folder = None,
    data: Data = None,
    format: OutFormat = None,
    out: Out = None,
) -> None:
    """List runs, the newest first, or add them up. Failed and interrupted runs count.

    \b
    Examples:
      footprint runs list
      footprint runs list --project llm --since 2026-11
      footprint runs list --status failed --since 30d
      footprint runs list --by month --format csv
    """
    chosen = output.chosen(format, out)
    filtered = wanted(name, project, tag, status, since, until, [kind.value] if kind else ())
    from footprint.report import run_listing

    is_wide = out is None and shutil.get_terminal_size().columns >= WIDE_COLUMNS
    with caught_up(store, folder, data) as (ledger, _):
        whole = ledger.totals(None, filtered)
        if by is not None:
            groups = ledger.totals(by.value, filtered)
            table = run_listing.totals(groups, by.value, is_wide)
            numbers = run_listing.total_numbers(groups, by.value)
            output.notes(run_listing.remarks(whole, by.value))
        else:
            found = ledger.list(filtered)
            table = run_listing.entries(found, ledger.handles(), is_wide)
            numbers = run_listing.entry_numbers(found)
    if chosen == "json":
        from footprint.report import run_formats, tables

        output.write(run_formats.printable(tables.as_json(numbers)), out)
    elif chosen == "csv":
        output.show_table(numbers, chosen, out)
    elif chosen == "text":
        _show(table, run_listing.summary(whole, is_wide), by.value if by else "tags" if is_wide else "name", out)
    else:
        output.show_table(table, chosen, out)
    if not table.rows:
        output.notes(["no such run; one is recorded by: footprint track -- COMMAND"])


def _show(table: Table, summary: str, cut: str, out: Path | None) -> None:
    """The table and the sum of all under it."""
    from footprint.report import run_listing, terminal

    color = out is None and output.is_colored()
    if out is None:
        table = terminal.fitting(table, run_listing.LEAST_COLUMNS, cut, shutil.get_terminal_size().columns)
        cut = cut if cut in table.columns else "name"
    body = terminal.as_text(table, color=color, cut=cut) if table.rows else ""
    if body or out is not None:
        output.write(body + (f"\n{summary}\n" if summary else ""), out)


@app.command()
@takes_words(SITE_WORDS)
def show(
    words: dict[str, Any],
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A name, an id, or either end of one; the newest by default.")
    ] = None,
    store: Store = None,
    folder: Folder = None,
    data: Data = None,
    format: OutFormat = None,
    out: Out = None,
) -> None:
    """Show a run or a plan: what it cost, where the energy went, what is not known of it.

    Joules were measured; place, PUE and prices are applied when a run is shown, and may be
    others than it was recorded with.

    \b
    Examples:
      footprint runs show
      footprint runs show sft-7b --out report.html
      footprint runs show 3f9c2a --region gcp/europe-north1 --set pue=1.1
    """
    chosen = output.chosen(format, out)
    with caught_up(store, folder, data) as (ledger, _):
        entry = ledger.find(run) if run is not None else newest(ledger)
        folders = [place for place in ledger.folders_of(entry.id) if place.is_dir()]
        found = ledger.get(entry.id)
    from footprint.values import Footprint

    if isinstance(found, Footprint):
        if words:
            raise InputError("run", entry.name, "is a plan, for one place", "estimate it again with other words")
        output.show(found, chosen, out)
        return
    if words:
        found = assessed_again(entry, folders, words, data)
    _show_run(found, chosen, out)


def newest(ledger: Ledger) -> Entry:
    """The run that began last."""
    from footprint.store.entries import Filter

    found = ledger.list(Filter(kinds=_MEASURED))
    if not found:
        raise InputError("run", None, "is missing, and no run is known", "record one: footprint track -- COMMAND")
    return found[0]


def assessed_again(entry: Entry, folders: list[Path], words: dict[str, Any], data: Path | None) -> Run:
    """A run for other words of place, from its journals."""
    if not folders:
        fix = "assess it where its journals are, or merge them in: footprint runs merge FOLDER"
        raise InputError("run", entry.id, "has no journals here, to be assessed with other words", fix)
    from footprint.measurement.tracker import reading

    return reading.read_run(folders, data=data, words=words)


def _show_run(found: Run, name: str, out: Path | None) -> None:
    if name == output.Format.text.value and out is None:
        from footprint.report import run_text

        output.write(run_text.text(found, color=output.is_colored()), None)
        return
    from footprint.report import run_formats

    output.write(run_formats.named(name)(found), out)


@app.command()
def export(
    chosen: Annotated[list[str], typer.Argument(metavar="RUN...|all", help="Which ones; all, as far as they match.")],
    name: Name = None,
    project: Project = None,
    tag: Tag = None,
    status: StatusOption = None,
    since: Since = None,
    until: Until = None,
    store: Store = None,
    folder: Folder = None,
    data: Data = None,
    format: Annotated[
        ExportFormat | None,
        typer.Option("--format", "-f", help="json: everything; csv: a row a run; codecarbon: its emissions.csv."),
    ] = None,
    out: Out = None,
) -> None:
    """Write runs for other programs. To an emissions.csv that is there, the runs that it lacks are added.

    \b
    Examples:
      footprint runs export sft-7b --out sft-7b.json
      footprint runs export all --project llm --out runs.csv
      footprint runs export all --format codecarbon --out emissions.csv
    """
    kind = _export_format(format, out)
    with caught_up(store, folder, data) as (ledger, _):
        if chosen == ["all"]:
            entries = list(ledger.list(wanted(name, project, tag, status, since, until, _MEASURED)))
        else:
            entries = list({entry.id: entry for word in chosen if (entry := ledger.find(word, _MEASURED))}.values())
        found = [ledger.get(entry.id) for entry in entries] if kind != ExportFormat.csv else []
    if kind == ExportFormat.csv:
        from footprint.report import run_listing

        output.show_table(run_listing.entry_numbers(entries), "csv", out)
    elif kind == ExportFormat.codecarbon and out is not None and out.exists():
        from footprint.report import emissions_csv

        count = emissions_csv.append(found, out)  # type: ignore[arg-type] # no plan is among them
        known = len(found) - count
        told = f", {known} stood there already" if known else ""
        output.notes([f"{count} run{'' if count == 1 else 's'} added to {out}{told}"])
        return
    else:
        output.write(_exported(kind, found, is_one=chosen != ["all"] and len(found) == 1), out)
    if out is not None:
        output.notes([f"{len(entries)} run{'' if len(entries) == 1 else 's'} written to {out}"])


def _export_format(format: ExportFormat | None, out: Path | None) -> ExportFormat:
    if format is not None:
        return format
    return ExportFormat.csv if out is not None and out.suffix.lower() == ".csv" else ExportFormat.json


def _exported(kind: ExportFormat, found: list[Any], is_one: bool) -> str:
    if kind == ExportFormat.codecarbon:
        from footprint.report import emissions_csv

        return emissions_csv.text(found)
    from footprint.report import run_formats

    return run_formats.json(found[0]) if is_one else run_formats.json_of_many(found)


@app.command()
def merge(
    places: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Folders of one run, or journals, of several nodes.")
    ],
    store: Store = None,
    folder: Folder = None,
    data: Data = None,
    format: OutFormat = None,
    out: Out = None,
) -> None:
    """Join what the nodes of one run wrote apart, and keep it as one run.

    Devices are told apart by their UUID and moments by their time: merging a file twice adds
    nothing. Journals are copied into the run's folder; a run that lay beside it is joined to it.

    \b
    Examples:
      footprint runs merge node1/sft-7b-4242 node2/sft-7b-4242
      footprint runs merge /backup/*.jsonl
    """
    chosen = output.chosen(format, out)
    from footprint.measurement import journal
    from footprint.measurement.tracker import reading
    from footprint.store import gathering

    joined = reading.read_run([str(place) for place in places], data=data)
    root = runs_root(folder)
    home = gathering.folder_of(root, joined.id)
    inside = _joined_folders(places, root, home)
    if inside and joined.status == "running":
        raise InputError("run", joined.id, "is still running", "merge its folders when it has ended")
    count = gathering.gather([file for place in places for file in journal.files_of(place)], home)
    with caught_up(store, folder, data, writes=True) as (ledger, _):
        for place in inside:
            for other in ledger.ids_of(place):
                if other != joined.id:
                    ledger.delete(other)
            output.notes([told] if (told := gathering.discard(place, home)) else [])
        found = ledger.get(joined.id)
    _show_run(found, chosen, out)  # type: ignore[arg-type]
    output.notes([f"{count} journal{'' if count == 1 else 's'} added to {home}" if count else "nothing new in them"])


def _joined_folders(places: list[Path], root: Path, home: Path) -> list[Path]:
    """Folders of other runs that lie where runs are kept: what they hold would count twice."""
    folders = dict.fromkeys((place if place.is_dir() else place.parent).resolve() for place in places)
    return [one for one in folders if one.parent == root.resolve() and one != home.resolve()]


@app.command()
def recover(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="All that were cut off, unless named.")] = None,
    store: Store = None,
    folder: Folder = None,
    data: Data = None,
) -> None:
    """Say what is known of runs that ended without a word: killed, out of memory, out of power.

    Every journal is read again. At most the last interval before the end is lost; nothing has
    to be recovered for a run to be listed, shown and counted.

    \b
    Examples:
      footprint runs recover
      footprint runs recover sft-7b
    """
    from footprint.report import run_listing
    from footprint.store.entries import Filter

    with caught_up(store, folder, data, again=True) as (ledger, found):
        if run is None:
            entries = list(ledger.list(Filter(status="interrupted", kinds=("run",))))
        else:
            entry = ledger.find(run, ("run",))
            entries = [entry] if entry.status == "interrupted" else []
        handles = ledger.handles()
    if entries:
        output.show_table(run_listing.recovered(entries, handles), "text", None, cut="name")
        return
    if run is not None:
        output.notes([f"{run_listing.called(entry)} is {entry.status}: nothing to recover"])
    elif found.skipped:
        output.notes(["no run was cut off, beside the folders that cannot be read"])
    else:
        output.notes(["no run was cut off"])


@app.command()
def delete(
    run: OneRun,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: Store = None,
    folder: Folder = None,
    data: Data = None,
) -> None:
    """Delete a run or a plan: its line in the ledger and its journals.

    \b
    Examples:
      footprint runs delete 3f9c2a
      footprint runs delete sft-7b --yes
    """
    from footprint.measurement import journal
    from footprint.report import run_listing
    from footprint.report.wording import plain
    from footprint.store import gathering

    with caught_up(store, folder, data, writes=True) as (ledger, _):
        entry = ledger.find(run)
        if entry.status == "running":
            raise InputError("run", entry.id, "is still running", "stop it first")
        folders = [place for place in ledger.folders_of(entry.id) if place.is_dir()]
        count = sum(len(journal.files_of(place)) for place in folders)
        if not yes:
            typer.confirm(f"Delete {run_listing.called(entry)}, with {count} journals?", abort=True, err=True)
        left = [told for place in folders if (told := gathering.discard(place))]
        left += [
            f"{place} is not deleted: the run comes back when that is read" for place in ledger.elsewhere(entry.id)
        ]
        ledger.delete(entry.id)
    output.notes(plain(told) for told in left)
    output.notes([f"{run_listing.called(entry)} is deleted"])


app.command()(grants)
