"""codecarbon's emissions.csv, read by its header: every version's columns, each row checked and told with its line.

The rows of one run are stands of one meter: each `flush` appends a row with the totals since the start. The last
stand is the run; the earlier ones are told, not added.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from footprint.accounting.words import bounds
from footprint.errors import DataError

EXPECTED = "expected codecarbon's emissions.csv, whose header names timestamp, duration, emissions and energy_consumed"
MUST_HAVE = ("timestamp", "duration", "emissions")
TOTAL, PARTS = "energy_consumed", ("cpu_energy", "gpu_energy", "ram_energy")
TASKS = "task_name"

_BALANCE_RATIO = 1e-3
"""Rows add up to the last digits; cells that have shifted by a column do not."""
_BALANCE_KWH = 1e-9
_FORMULA_START = re.compile(r"^'(?=\s*[=+\-@])")


@dataclass(frozen=True, slots=True)
class Emissions:
    """One run as codecarbon states it: energies as written, PUE included, and as many parts as it tells apart."""

    line: int
    run_id: str
    ended_utc_s: float
    duration_s: float
    project: str
    kg: float
    total_kwh: float
    parts_kwh: Mapping[str, float]  # cpu, gpu, ram: those that have a cell
    pue: float | None  # None where the file has no such column
    country: str = ""
    region: str = ""
    provider: str = ""
    cloud_region: str = ""
    cpu_model: str = ""
    gpu_model: str = ""
    gpu_count: int = 0
    tracking_mode: str = ""
    version: str = ""

    @property
    def started_utc_s(self) -> float:
        """When it began to measure."""
        return self.ended_utc_s - self.duration_s


@dataclass(frozen=True, slots=True)
class Table:
    """A file: its runs, the rows that cannot be read, and the earlier stands of runs."""

    path: Path
    runs: tuple[Emissions, ...]
    bad: tuple[tuple[int, str], ...]  # line, what is wrong with it
    earlier: tuple[tuple[int, int], ...]  # line of an earlier stand, line of the last one


def read(path: Path) -> Table:
    """The runs of an emissions.csv.

    Raises
    ------
    DataError
        When the file cannot be read or is none of codecarbon's.
    """
    rows: list[Emissions] = []
    bad: list[tuple[int, str]] = []
    for line, cells in _lines(path):
        if isinstance(cells, str):
            bad.append((line, cells))
            continue
        try:
            rows.append(emissions(line, cells))
        except ValueError as error:
            bad.append((line, str(error)))
    runs, earlier = _last_stands(rows)
    return Table(path, tuple(runs), tuple(bad), tuple(earlier))


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    """Each row's line with its cells by column, or with what is wrong with it."""
    text = _text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    header: tuple[str, ...] | None = None
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if header is None or _is_header(row):  # files that were joined have a header in the middle
                header = _header(row, path, reader.line_num)
            elif len(row) != len(header):
                yield reader.line_num, f"has {len(row)} cells, its header {len(header)}"
            else:
                yield reader.line_num, dict(zip(header, (_told(cell) for cell in row), strict=True))
    except csv.Error as error:
        if header is None:
            raise DataError(path, reader.line_num or 1, None, f"is not CSV ({error}); {EXPECTED}") from error
        yield reader.line_num, f"and what follows it is not CSV ({error})"
    if header is None:
        raise DataError(path, 1, None, f"is empty; {EXPECTED}")


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(path, None, None, f"is not text in UTF-8; {EXPECTED}") from error
    except OSError as error:
        raise DataError(path, None, None, f"cannot be read ({error.strerror or error}); {EXPECTED}") from error


def _delimiter(text: str) -> str:
    """A spreadsheet may have saved it with semicolons or tabs."""
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _is_header(row: Sequence[str]) -> bool:
    return "timestamp" in row and "duration" in row


def _header(row: Sequence[str], path: Path, line: int) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in row)
    if TASKS in names:
        problem = "is codecarbon's table of one run's tasks; import the emissions.csv that holds their sum"
        raise DataError(path, line, TASKS, problem)
    missing = [name for name in MUST_HAVE if name not in names]
    if missing or not (TOTAL in names or set(PARTS) <= set(names)):
        missing = missing or [TOTAL]
        raise DataError(path, line, None, f"has no column {', '.join(missing)}; {EXPECTED}")
    return names


def _told(cell: str) -> str:
    """A cell's text, without the mark that keeps a spreadsheet from computing it."""
    return _FORMULA_START.sub("", cell).strip()


def emissions(line: int, cells: Mapping[str, str]) -> Emissions:
    """One row, checked.

    Raises
    ------
    ValueError
        Telling column, value and bound.
    """
    version = cells.get("codecarbon_version", "")
    if version.startswith("footprint"):
        raise ValueError(f"run_id = {cells.get('run_id', '')}: is a run of footprint's own, which its journals tell")
    moment = _moment(cells.get("timestamp", ""))
    duration_s = _number(cells, "duration")
    if duration_s <= 0:
        raise ValueError(f"duration = {cells['duration']}: must be above 0")
    parts = {name.removesuffix("_energy"): _number(cells, name) for name in PARTS if cells.get(name)}
    total_kwh = _number(cells, TOTAL) if cells.get(TOTAL) else sum(parts.values())
    if total_kwh <= 0:
        raise ValueError(f"{TOTAL} = {cells.get(TOTAL) or 'nothing'}: no energy was measured")
    if len(parts) == len(PARTS) and abs(sum(parts.values()) - total_kwh) > total_kwh * _BALANCE_RATIO + _BALANCE_KWH:
        told = f"{TOTAL} = {total_kwh:g}: is not the sum of its parts, {sum(parts.values()):g}"
        raise ValueError(f"{told}; have its cells shifted?")
    pue = _number(cells, "pue") if cells.get("pue") else None
    least, most = bounds("pue")
    if pue is not None and not least <= pue <= most:
        raise ValueError(f"pue = {cells['pue']}: must be from {least:g} to {most:g}")
    return Emissions(
        line=line,
        run_id=_run_id(cells),
        ended_utc_s=moment.timestamp(),
        duration_s=duration_s,
        project=cells.get("project_name", ""),
        kg=_number(cells, "emissions"),
        total_kwh=total_kwh,
        parts_kwh=parts,
        pue=pue,
        country=cells.get("country_iso_code", ""),
        region=cells.get("region", ""),
        provider=cells.get("cloud_provider", "") if cells.get("on_cloud") != "N" else "",
        cloud_region=cells.get("cloud_region", ""),
        cpu_model=cells.get("cpu_model", ""),
        gpu_model=cells.get("gpu_model", ""),
        gpu_count=int(_number(cells, "gpu_count")) if cells.get("gpu_count") else 0,
        tracking_mode=cells.get("tracking_mode", ""),
        version=version,
    )


def _moment(text: str) -> datetime:
    """Local time of the machine that wrote it, which is taken as this one's unless it names a zone."""
    try:
        moment = datetime.fromisoformat(text)
        moment.timestamp()  # years that no clock here can tell
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"timestamp = {text[:40]!r}: is no date such as 2025-06-30T17:00:00") from error
    return moment


def _number(cells: Mapping[str, str], column: str) -> float:
    text = cells.get(column, "")
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{column} = {text[:40]!r}: is not a number") from None
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{column} = {text[:40]}: must be finite and 0 or above")
    return value


def _run_id(cells: Mapping[str, str]) -> str:
    """codecarbon's own, which is a UUID for each tracker; else a digest that the same row has again."""
    named = cells.get("run_id", "") if "run_id" in cells else cells.get("experiment_id", "")
    try:
        return str(uuid.UUID(named))
    except ValueError:
        said = [cells.get(name, "") for name in ("timestamp", "project_name", "duration", TOTAL)]
        return hashlib.sha256("\n".join([named, *said]).encode()).hexdigest()[:32]


def _last_stands(rows: Sequence[Emissions]) -> tuple[list[Emissions], list[tuple[int, int]]]:
    """The last row of each run, in the order of the file, and the earlier ones with the line of the last."""
    last: dict[str, Emissions] = {}
    for row in rows:
        known = last.get(row.run_id)
        if known is None or (row.total_kwh, row.ended_utc_s) >= (known.total_kwh, known.ended_utc_s):
            last[row.run_id] = row
    earlier = [(row.line, last[row.run_id].line) for row in rows if last[row.run_id] is not row]
    return sorted(last.values(), key=lambda row: row.line), earlier
