"""What the commands on the ledger of runs share: their options, and a ledger that knows the latest journals."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from footprint.cli import output
from footprint.moments import moment

if TYPE_CHECKING:
    from footprint.store.entries import CaughtUp, Filter
    from footprint.store.ledger import Ledger
    from footprint.values import Run


class Status(StrEnum):
    """How runs end, and what a plan has instead."""

    running = "running"
    finished = "finished"
    failed = "failed"
    stopped = "stopped"
    interrupted = "interrupted"
    planned = "planned"


class By(StrEnum):
    """The names of `footprint.store.entries.GROUPS`, known without importing it."""

    name = "name"
    project = "project"
    tag = "tag"
    month = "month"
    status = "status"


class Kind(StrEnum):
    """The names of `footprint.store.entries.KINDS`."""

    run = "run"
    imported = "imported"
    plan = "plan"


Store = Annotated[
    str | None, typer.Option(metavar="FILE|URL", help="The ledger; FOOTPRINT_STORE, or ledger.sqlite at home.")
]
Folder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where journals are kept; FOOTPRINT_FOLDER, or runs at home.")
]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="Runs of this name; * and ? stand for any letters.")]
Project = Annotated[str | None, typer.Option(metavar="NAME", help="Runs of this project.")]
Tag = Annotated[list[str] | None, typer.Option(metavar="TAG", help="Runs with this tag; may be repeated.")]
StatusOption = Annotated[Status | None, typer.Option("--status", help="Runs that ended so.")]
Since = Annotated[
    str | None, typer.Option(metavar="WHEN", help="Begun then or later: 2026-11, 2026-11-03T08:00 (UTC), or 7d ago.")
]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="Begun by then: the end of 2026-11 is meant.")]

_MANY = 20


def wanted(
    name: str | None = None,
    project: str | None = None,
    tag: Sequence[str] | None = None,
    status: Status | None = None,
    since: str | None = None,
    until: str | None = None,
    kinds: Iterable[str] = (),
) -> Filter:
    """The options as a filter."""
    from footprint.store.entries import Filter

    return Filter(
        name=name,
        project=project,
        tags=tuple(tag or ()),
        status=None if status is None else status.value,
        kinds=tuple(kinds),
        since=None if since is None else moment("since", since),
        until=None if until is None else moment("until", until, is_end=True),
    )


def runs_root(folder: Path | None) -> Path:
    """Where journals are kept."""
    from footprint.measurement import journal

    return journal.runs_folder(os.environ, folder)


@contextmanager
def caught_up(
    store: str | None, folder: Path | None, data: Path | None, *, writes: bool = False, again: bool = False
) -> Iterator[tuple[Ledger, CaughtUp]]:
    """The ledger with what the journals tell now; what cannot be read or kept is told on stderr.

    Where it cannot be written it is shown all the same, unless the command `writes`: that then changes nothing.
    """
    from footprint import catalog
    from footprint.measurement.tracker import reading
    from footprint.report import run_listing
    from footprint.report.wording import plain
    from footprint.store import open_ledger, open_ledger_for_reading
    from footprint.version import __version__

    def read(run: Path) -> Run:
        return reading.read_run(run, data=data)

    stamp = f"{__version__} {catalog.open_catalog(data).digest()}"
    output.notes(_begun(store))
    ledger, problem = (open_ledger(store), "") if writes else open_ledger_for_reading(store)
    with ledger:
        if writes:
            ledger.check_writable()
        found = ledger.catch_up(runs_root(folder), read, stamp=stamp, again=again, progress=_progress)
        output.notes([problem] if problem else [])
        output.notes(run_listing.broken(found.skipped))
        output.notes(plain(note) for note in found.notes)
        yield ledger, found


def _begun(store: str | None) -> Iterator[str]:
    """That a file which is named, and may be mistyped, was no ledger until now."""
    named = store or os.environ.get("FOOTPRINT_STORE")
    if named and "://" not in named and not Path(named).expanduser().exists():
        yield f"there was no ledger at {named}: a new one is begun"


def _progress(folders: Sequence[Path]) -> Iterable[Path]:
    """A bar on a terminal where there is much to read."""
    if len(folders) < _MANY or not sys.stderr.isatty():
        yield from folders
        return
    with typer.progressbar(folders, label="reading journals", file=sys.stderr) as bar:
        yield from bar
