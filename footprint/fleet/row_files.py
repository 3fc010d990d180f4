"""Exported tables as rows, whatever they were written as: CSV, JSON, JSON lines or Parquet; a row at a time."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from footprint.errors import DataError, MissingExtra
from footprint.units import MILLISECONDS_PER_S

__all__ = ["PARQUET", "Problems", "moment_of", "number_of", "rows"]

PARQUET = b"PAR1"
_MOST_JSON_BYTES = 2**29
"""Of one JSON document, which is read whole; lines and CSV may be of any length."""
_LONGEST_ROW = 2**20
"""Of rows a line, in characters: a longer line is a document."""
_MOST_TOLD = 20
_FIRST_MILLISECONDS = 1e11
"""No moment in seconds is so late, none in milliseconds so early."""

Row = Mapping[str, Any]


class Problems:
    """What cannot be read of a file: the first ones, and how many there are."""

    def __init__(self) -> None:
        self.first: list[str] = []
        self.count = 0

    def add(self, told: str) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < _MOST_TOLD:
            self.first.append(told)

    def told(self) -> tuple[str, ...]:
        """All that is to say."""
        rest = self.count - len(self.first)
        return (*self.first, *([f"and {rest} more that cannot be read"] if rest else []))


def rows(path: Path, problems: Problems) -> Iterator[Row]:
    """Each row by the names of its columns, in the file's order.

    Raises
    ------
    DataError
        When the file cannot be read, or is no table.
    MissingExtra
        For Parquet without pyarrow.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise DataError(path, None, None, f"cannot be read ({error.strerror or error})") from error
    if head.startswith(PARQUET):
        yield from _parquet(path)
    elif head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        yield from _json(path, problems)
    elif head.strip():
        yield from _csv(path, problems)
    else:
        raise DataError(path, None, None, "is empty")


def _parquet(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "parquet", f"{path.name} is Parquet, and reading it") from error
    try:
        for batch in parquet.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
    except (ArrowException, OSError, ValueError) as error:
        raise DataError(path, None, None, "is no Parquet that can be read") from error


def _json(path: Path, problems: Problems) -> Iterator[Row]:
    """A document that is a list of rows or a table of columns, or a row a line."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = _object(file.readline(_LONGEST_ROW))
        if isinstance(first, dict) and not any(isinstance(cell, (dict, list)) for cell in first.values()):
            file.seek(0)
            for line, text in enumerate(file, start=1):
                row = _object(text)
                if isinstance(row, dict):
                    yield row
                elif text.strip():
                    problems.add(f"line {line}: is no JSON object")
            return
    if path.stat().st_size > _MOST_JSON_BYTES:
        raise DataError(path, None, None, "is too large for one JSON document; write it as CSV, or a row a line")
    whole = _object(path.read_text(encoding="utf-8-sig", errors="replace"))
    if isinstance(whole, list):
        yield from (one for one in whole if isinstance(one, dict))
    elif isinstance(whole, dict) and isinstance(whole.get("columns"), list) and isinstance(whole.get("data"), list):
        for cells in whole["data"]:
            if isinstance(cells, list):
                yield dict(zip(map(str, whole["columns"]), cells, strict=False))
    elif isinstance(whole, dict):
        yield from _columns(whole)
    else:
        raise DataError(path, None, None, "is no JSON that can be read")


def _columns(whole: Mapping[str, Any]) -> Iterator[Row]:
    """A table by columns, as pandas writes it: {"power": {"0": 512.0, ...}}, or {"power": [512.0, ...]}."""
    columns: dict[str, Mapping[Any, Any]] = {}
    for name, cells in whole.items():
        if isinstance(cells, dict):
            columns[name] = cells
        elif isinstance(cells, list):
            columns[name] = dict(enumerate(cells))
    keys = dict.fromkeys(key for cells in columns.values() for key in cells)
    for key in keys:
        yield {name: cells[key] for name, cells in columns.items() if key in cells}


def _object(text: str) -> Any:
    """What a text is in JSON; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _csv(path: Path, problems: Problems) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        start = file.readline()
        file.seek(0)
        reader = csv.reader(file, delimiter=max(",;\t", key=start.count))
        header: Sequence[str] | None = None
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                problems.add(f"line {reader.line_num}: is not CSV ({error})")
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
            elif cells:
                yield dict(zip(header, cells, strict=False))


def number_of(cell: Any) -> float | None:
    """A finite number; None for whatever is none."""
    if cell is None or isinstance(cell, (bool, dict, list)):
        return None
    try:
        value = float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def moment_of(cell: Any) -> tuple[float | None, bool]:
    """Seconds in UTC, and whether it names its zone; a date without one is taken as this machine's."""
    value = number_of(cell)
    if value is not None:
        return (value / MILLISECONDS_PER_S if value > _FIRST_MILLISECONDS else value), True
    try:
        moment = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell).strip())
        return moment.timestamp(), moment.tzinfo is not None
    except (ValueError, OverflowError, OSError):
        return None, True
