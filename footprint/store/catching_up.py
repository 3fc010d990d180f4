"""The ledger reads what journals tell: folders that are new, or whose files changed since they were read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sqlalchemy import Engine, select

from footprint.errors import FootprintError, StoreError
from footprint.measurement import journal
from footprint.store import changes
from footprint.store.engines import reading, writing
from footprint.store.entries import RUN, CaughtUp
from footprint.store.schema import JOURNALS, RUNS
from footprint.values import Run

_RUNNING = "running"
"""A run that was alive when it was read may have died since, without a change to its files."""

BROKEN = (FootprintError, OSError, ValueError, TypeError, LookupError, ArithmeticError)
"""What reading a damaged journal may raise: none of it may hide the other runs."""


def catch_up(
    engine: Engine,
    root: Path,
    read: Callable[[Path], Run],
    stamp: str,
    again: bool,
    progress: Callable[[Sequence[Path]], Iterable[Path]],
) -> CaughtUp:
    """See `Ledger.catch_up`. Each run is a transaction of its own: what was read stays when a later one is cut off."""
    query = select(JOURNALS, RUNS.c.status).select_from(JOURNALS.outerjoin(RUNS, RUNS.c.id == JOURNALS.c.run_id))
    with reading(engine) as connection:
        known = {row.folder: row for row in connection.execute(query)}
    found: list[str] = []
    skipped: list[tuple[Path, str]] = []
    signatures: dict[Path, str] = {}
    for folder, signature, problem in _looks(root, stamp):
        row = known.get(str(folder))
        if problem:
            skipped.append((folder, problem))
        elif again or row is None or row.signature != signature or row.status == _RUNNING:
            signatures[folder] = signature
        elif row.problem:
            skipped.append((folder, row.problem))
    for folder in progress(list(signatures)) if signatures else ():
        row = known.get(str(folder))
        try:
            run = read(folder)
            with writing(engine) as connection:
                changes.put_run(connection, run, RUN)
                changes.put_journals(connection, str(folder), run.id, signatures[folder], "")
            found.append(run.id)
        except StoreError:
            raise
        except BROKEN as error:
            skipped.append((folder, _told(error)))
            run_id = row.run_id if row else None
            with writing(engine) as connection:
                changes.put_journals(connection, str(folder), run_id, signatures[folder], _told(error))
    return CaughtUp(tuple(found), tuple(sorted(skipped)))


def _looks(root: Path, stamp: str) -> Iterable[tuple[Path, str, str]]:
    """Every run's folder with what its files look like, or why that cannot be seen."""
    try:
        folders = journal.run_folders(root.absolute())
    except OSError as error:
        yield root.absolute(), "", _told(error)
        return
    for folder in folders:
        try:
            files = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in journal.files_of(folder)]
        except OSError as error:
            yield folder, "", _told(error)
        else:
            yield folder, hashlib.sha256(json.dumps([stamp, files]).encode()).hexdigest(), ""


def _told(error: BaseException) -> str:
    told = str(error.strerror if isinstance(error, OSError) and error.strerror else error)
    return " ".join(told.split()) or type(error).__name__
