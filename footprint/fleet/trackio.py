"""Runs whose system metrics Trackio recorded: a project's SQLite file, or what it exports as Parquet, CSV or JSON.

`gpu/{i}/energy_consumed` is joules by the driver's counter since the process began to record, `gpu/{i}/power` the
driver's power. Places are those that the process sees, unless Trackio was told to read every device.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from footprint.catalog import Catalog
from footprint.errors import DataError, InputError
from footprint.fleet import databases
from footprint.fleet.imported import Asked, Imported, Record, digest, one_line, run_of
from footprint.fleet.row_files import Problems, moment_of, number_of, rows

__all__ = ["EXPECTED", "KEY", "TABLE", "read"]

EXPECTED = (
    "a project's file of Trackio (~/.cache/huggingface/trackio/*.db) or the folder of all, or rows of its system "
    "metrics as Parquet, CSV or JSON, with columns such as gpu/0/power and timestamp"
)
KEY = re.compile(r"^gpu/(\d{1,4})/(power|energy_consumed|power_limit)$")
TABLE = "system_metrics"
_LOGGED = "metrics"
_VISIBLE = "Trackio records the accelerators that its process sees: those of other ranks are in it where it sees them"


def read(path: Path, asked: Asked, catalog: Catalog) -> Imported:
    """The runs of a project.

    Raises
    ------
    DataError
        When it is none of Trackio's; its message names what was expected.
    """
    problems = Problems()
    try:
        records = _of_folder(path, problems) if path.is_dir() else _records(path, problems)
    except DataError as error:
        raise DataError(path, None, None, f"{str(error).partition(': ')[2]}; expected {EXPECTED}") from error
    if not records:
        raise DataError(path, None, None, f"holds no accelerators' power or energy; expected {EXPECTED}")
    runs = []
    for record in records:
        record.notes.append(_VISIBLE)
        try:
            runs.append(run_of(record, asked, catalog))
        except InputError as error:
            problems.add(str(error))
    return Imported(path, tuple(runs), problems.told())


def _of_folder(path: Path, problems: Problems) -> list[Record]:
    """Every project's."""
    found: list[Record] = []
    for file in sorted(path.glob("*.db")):
        try:
            found += _records(file, problems)
        except DataError as error:
            problems.add(str(error))
    return found


def _records(path: Path, problems: Problems) -> list[Record]:
    try:
        with path.open("rb") as file:
            is_database = file.read(len(databases.MAGIC)) == databases.MAGIC
    except OSError as error:
        raise DataError(path, None, None, f"cannot be read ({error.strerror or error})") from error
    records: dict[str, Record] = {}
    zones: set[bool] = set()
    for run_id, name, timestamp, told in _database(path, problems) if is_database else _exported(path, problems):
        at_s, has_zone = moment_of(timestamp)
        found: dict[str, dict[str, float | None]] = {}
        for key, cell in told.items():
            match = KEY.match(str(key))
            if match:
                found.setdefault(match[1], {})[match[2]] = number_of(cell)
        record = records.get(run_id or name)
        if at_s is None or not (found or record):
            continue
        if record is None:
            record = records[run_id or name] = _record(path, run_id, name)
        zones.add(has_zone)
        if not found:  # what was logged tells how long it went on
            record.started_utc_s = min(record.started_utc_s or at_s, at_s)
            record.ended_utc_s = max(record.ended_utc_s or at_s, at_s)
        for place, one in found.items():
            device = record.device("", place)
            device.add(at_s, one.get("power"), one.get("energy_consumed"))
            device.limit_w = one.get("power_limit") or device.limit_w
    if False in zones:
        for record in records.values():
            record.notes.append("its times name no zone: they are read as this machine's")
    return list(records.values())


def _record(path: Path, run_id: str, name: str) -> Record:
    key = run_id or digest(path.stem, name)
    record = Record("trackio", key, f"{path.name}, run {name or run_id}")
    record.counter, record.power = "gpu/{i}/energy_consumed", "gpu/{i}/power"
    record.name, record.project = one_line(name), one_line(path.stem.removesuffix("_system"))
    return record


Told = tuple[str, str, object, Mapping[str, Any]]


def _database(path: Path, problems: Problems) -> Iterator[Told]:
    """System metrics first, so that what was logged finds its run."""
    with databases.opened(path) as connection:
        if "metrics" not in databases.columns(connection, TABLE):
            raise DataError(path, None, None, f"has no table {TABLE} of Trackio")
        for table, wanted in ((TABLE, "metrics"), (_LOGGED, "NULL")):
            if not databases.columns(connection, table):
                continue
            names = ("run_id", "run_name", "timestamp", wanted)
            for run_id, name, timestamp, told in databases.select(connection, table, names, "ORDER BY id"):
                yield str(run_id or ""), str(name or ""), timestamp, _object(told, problems)


def _object(told: object, problems: Problems) -> Mapping[str, Any]:
    if not isinstance(told, (str, bytes)):
        return {}
    try:
        found = json.loads(told)
    except (ValueError, RecursionError):
        problems.add("a row's metrics are no JSON")
        return {}
    return found if isinstance(found, dict) else {}


def _exported(path: Path, problems: Problems) -> Iterator[Told]:
    for row in rows(path, problems):
        nested = row.get("metrics")
        told = nested if isinstance(nested, dict) else row
        yield str(row.get("run_id") or ""), str(row.get("run_name") or ""), row.get("timestamp"), told
