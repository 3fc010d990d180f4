"""The user's folder: rows of the rule that own runs changed, written beside what stands there."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from footprint.catalog import TABLES, Catalog, Row, forget_catalogs
from footprint.catalog.files import File
from footprint.errors import InputError
from footprint.throughput.own_runs import is_own
from footprint.throughput.rule import TABLE


def write_rule(rows: Sequence[Row], folder: Path, catalog: Catalog, runs: Any) -> tuple[str, list[str]]:
    """Write the rows into a folder that `--data` takes; the file, and what happened to rows that stood there.

    Rows of an earlier calibration are replaced, all of them; any other row stays.

    Raises
    ------
    InputError
        When the folder cannot be one of data, or holds such rows by another hand.
    DataError
        When what stands in the folder is wrong.
    """
    folder = folder.expanduser()
    if isinstance(runs, (str, Path)) and Path(runs).resolve().parent == folder.resolve():
        raise InputError("write", str(folder), "holds the runs themselves, which are no table of data", "name another")
    columns = tuple(catalog.rows(TABLE)[0])
    path = folder / f"{TABLE}.csv"
    stood = _standing(path, folder, columns, catalog)
    kept = [row for row in stood if not is_own(row)]
    changed = [str(row["id"]) for row in rows]
    if theirs := [str(row["id"]) for row in kept if row["id"] in changed]:
        problem = f"holds rows that no calibration wrote: {', '.join(theirs)}"
        raise InputError("write", str(path), problem, "take them out, or write to another folder")
    _write(path, columns, [*kept, *rows])
    forget_catalogs()
    notes = [f"wrote {len(rows)} rows to {path}: {', '.join(changed)}"]
    if replaced := [str(row["id"]) for row in stood if is_own(row)]:
        notes.append(f"{path}: replaced the rows of an earlier calibration ({', '.join(replaced)})")
    if kept:
        notes.append(f"{path}: kept {len(kept)} other row{'s' * (len(kept) > 1)}")
    return str(path), notes


def _standing(path: Path, folder: Path, columns: tuple[str, ...], catalog: Catalog) -> list[Row]:
    """The rows that stand in the file; refuses a folder that data could not be read from afterwards."""
    if folder.exists() and not folder.is_dir():
        raise InputError("write", str(folder), "is not a folder", "name a folder, new or with your own tables")
    if folder.is_dir() and any(folder.glob("*.csv")):
        Catalog(catalog.shipped, folder)  # refuses files that are no tables
    return list(File(path, TABLES[TABLE], columns).rows.values()) if path.is_file() else []


def _write(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in rows)
    draft = path.with_suffix(".csv.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text.getvalue(), encoding="utf-8", newline="")
        os.replace(draft, path)
    except OSError as error:
        fix = "name a folder that can be written"
        raise InputError("write", str(path), f"cannot be written ({error.strerror})", fix) from error


def _cell(cell: Any) -> str:
    if cell is None:
        return ""
    return f"{cell:g}" if isinstance(cell, float) and float(f"{cell:g}") == cell else str(cell)
