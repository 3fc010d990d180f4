"""Runs that Weights & Biases recorded: their own files of offline runs, and exported rows of system metrics.

`gpu.{i}.energyJoules` is the driver's counter, `gpu.{i}.powerWatts` the driver's power; both are of the whole device.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from footprint.catalog import Catalog
from footprint.errors import DataError, InputError
from footprint.fleet import wandb_log
from footprint.fleet.imported import Asked, Imported, Record, digest, run_of
from footprint.fleet.row_files import Problems, moment_of, number_of, rows
from footprint.values import Run

__all__ = ["EXPECTED", "KEY", "read"]

EXPECTED = (
    "a run's folder or its run-*.wandb file, or rows of run.history(stream='system') as CSV, JSON or Parquet, with "
    "columns such as system.gpu.0.powerWatts and _timestamp"
)
KEY = re.compile(
    r"^(?:.{0,200} - )?(?:system[./])?gpu\.(\d{1,4})\.(powerWatts|energyJoules|enforcedPowerLimitWatts)"
    r"(?:/l:(.{1,200}))?$"  # of several machines that write one run, whose
)
_POWER, _COUNTER, _LIMIT = "powerWatts", "energyJoules", "enforcedPowerLimitWatts"
_MOMENTS = ("_timestamp", "timestamp", "Wall Time")
_SINCE_START = ("_runtime", "Relative Time (Process)", "Relative Time (Wall)")
_STATS, _RUN, _EXIT, _HEADER, _ENVIRONMENT = 7, 17, 18, 21, 26
_METADATA = "wandb-metadata.json"
_EVERY_DEVICE = "W&B records every accelerator of its host, also those that others used: --gpus 0-3 takes some alone"
_ONE_HOST = "accelerators of hosts on which no W&B process recorded are not in it"
_THINNED_COUNT = 500
_THINNED = f"W&B thins exports out to {_THINNED_COUNT} rows: run.history(stream='system', samples=100000) gives all"
_SEVERAL = "holds several runs of W&B; name one of them: "


def read(path: Path, asked: Asked, catalog: Catalog) -> Imported:
    """The run of a file, or the runs of a folder.

    Raises
    ------
    DataError
        When it is no such file; its message names what was expected.
    InputError
        When it holds no readings of accelerators.
    """
    if not path.is_dir():
        run, problems = _run(path, asked, catalog)
        return Imported(path, (run,), problems)
    files = _files(path)
    if not files:
        raise DataError(path, None, None, f"holds no run-*.wandb; expected {EXPECTED}")
    if len(files) == 1:
        run, problems = _run(files[0], asked, catalog)
        return Imported(path, (run,), problems)
    runs, told = [], []
    for file in files:
        try:
            run, problems = _run(file, asked, catalog)
        except (DataError, InputError) as error:
            told.append(f"{file.parent.name}: {error}")
        else:
            runs.append(run)
            told += problems
    return Imported(path, tuple(runs), tuple(told))


def _files(folder: Path) -> list[Path]:
    """A run's own, else those of the runs below; `latest-run` is a link to one of them."""
    own = sorted(folder.glob("*.wandb"))
    below = [*folder.glob("*run-*/*.wandb"), *folder.glob("wandb/*run-*/*.wandb")]
    return own or sorted(one for one in below if one.parent.name != "latest-run")


def _run(path: Path, asked: Asked, catalog: Catalog) -> tuple[Run, tuple[str, ...]]:
    try:
        with path.open("rb") as file:
            is_log = file.read(len(wandb_log.MAGIC)) == wandb_log.MAGIC
    except OSError as error:
        raise DataError(path, None, None, f"cannot be read ({error.strerror or error}); expected {EXPECTED}") from error
    problems = Problems()
    record = _of_log(path) if is_log else _of_rows(path, asked, problems)
    record.notes += [_EVERY_DEVICE] if asked.places is None and len(record.devices) > 1 else []
    record.notes.append(_ONE_HOST)
    return run_of(record, asked, catalog), problems.told()


def _record(path: Path) -> Record:
    return Record("wandb", "", path.name, "gpu.{i}.energyJoules", "gpu.{i}.powerWatts")


@lru_cache(maxsize=2**16)
def _key(key: str) -> tuple[str, str, str] | None:
    """Machine, place and quantity; None for another column. The same few come with each row."""
    match = KEY.match(key)
    return (match[3] or "", match[1], match[2]) if match else None


def _take(record: Record, at_s: float, told: Iterable[tuple[str, Any]]) -> None:
    """A moment's readings."""
    found: dict[tuple[str, str], dict[str, float | None]] = {}
    for key, cell in told:
        known = _key(key)
        if known:
            found.setdefault((known[0], known[1]), {})[known[2]] = number_of(cell)
    for (where, place), one in found.items():
        device = record.device(where, place)
        device.add(at_s, one.get(_POWER), one.get(_COUNTER))
        limit_w = one.get(_LIMIT)
        device.limit_w = limit_w if limit_w else device.limit_w


# its own file


def _of_log(path: Path) -> Record:
    record, host, run_id = _record(path), "", ""
    exit_code: int | bytes | None = None
    first_s = last_s = None
    for data in wandb_log.records(path):
        for number, value in wandb_log.fields(data):
            if not isinstance(value, bytes):
                continue
            if number == _STATS:
                at_s = wandb_log.seconds(wandb_log.first(value, 2))
                if at_s is not None:
                    first_s, last_s = at_s if first_s is None else first_s, at_s
                    _take(record, at_s, _items(value))
            elif number == _RUN:
                run_id = wandb_log.text(value, 1) or run_id
                record.project, record.name = wandb_log.text(value, 3), wandb_log.text(value, 8)
                host = wandb_log.text(value, 13) or host
                record.started_utc_s = wandb_log.seconds(wandb_log.first(value, 17))
            elif number == _ENVIRONMENT:
                host = wandb_log.text(value, 12) or host
                nvidia = wandb_log.text(wandb_log.first(value, 24), 1)
                record.model = nvidia or wandb_log.text(value, 18) or record.model
            elif number == _HEADER:
                record.version = wandb_log.text(wandb_log.first(value, 1), 1).split("+")[0]
            elif number == _EXIT:
                exit_code = next((one for field, one in wandb_log.fields(value) if field == 1), 0)
    record.devices = {(where or host, place): one for (where, place), one in record.devices.items()}
    record.status = "interrupted" if exit_code is None else "failed" if exit_code else "finished"
    # each start of a run has a file of its own, and keeps the run's id
    record.key = f"{int(first_s or 0)}-{run_id or digest(path.name)}"
    record.name = record.name or run_id or path.stem
    record.model = record.model or _model_beside(path)
    record.ended_utc_s = last_s
    return record


def _model_beside(path: Path) -> str:
    """What older versions say of the accelerators in a file of their own."""
    try:
        told = json.loads((path.parent / "files" / _METADATA).read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return ""
    name = told.get("gpu") if isinstance(told, dict) else None
    return name if isinstance(name, str) else ""


def _items(stats: bytes) -> list[tuple[str, str]]:
    """A record's measurements of accelerators, as JSON tells each."""
    found = []
    for number, item in wandb_log.fields(stats):
        if number == 3 and isinstance(item, bytes):
            key = wandb_log.text(item, 1)
            if _key(key):
                found.append((key, wandb_log.text(item, 16)))
    return found


# exported rows


def _of_rows(path: Path, asked: Asked, problems: Problems) -> Record:
    record = _record(path)
    record.name = path.stem
    begun: tuple[object, ...] = ()
    is_seen = lacks_moment = lacks_zone = False
    count = 0
    owners: dict[str, None] = {}
    try:
        for row in rows(path, problems):
            own = {str(key): cell for key, cell in row.items() if _key(str(key))}
            if not own:
                continue
            is_seen = True
            for key in own:
                if " - " in key:
                    owners.setdefault(key.rpartition(" - ")[0])
            at_s, has_zone = _moment(row, asked.started_utc_s)
            lacks_zone = lacks_zone or not has_zone
            if at_s is None:
                lacks_moment = lacks_moment or any(name in row for name in _SINCE_START)
                continue
            _take(record, at_s, own.items())
            count += 1
            begun = begun or (at_s, *sorted((key, str(cell)) for key, cell in own.items()))
    except DataError as error:
        raise DataError(path, None, None, f"{_bare(error)}; expected {EXPECTED}") from error
    if not is_seen:
        raise DataError(path, None, None, f"has no column of an accelerator's power or energy; expected {EXPECTED}")
    if len(owners) > 1:
        raise DataError(path, None, None, f"{_SEVERAL}{', '.join(list(owners)[:3])}; export each run by itself")
    if not begun and lacks_moment:
        bound = "is missing: the file tells seconds since the start alone"
        raise InputError("from", None, bound, "give --from 2026-11-01T08:00, when the run began")
    record.key = digest(*begun)
    record.name = next(iter(owners), record.name)
    if count == _THINNED_COUNT:
        record.notes.append(_THINNED)
    if lacks_zone:
        record.notes.append("its times name no zone: they are read as this machine's")
    return record


def _moment(row: Mapping[str, Any], started_s: float | None) -> tuple[float | None, bool]:
    for name in _MOMENTS:
        if name in row:
            return moment_of(row[name])
    for name in _SINCE_START:
        since_s = number_of(row.get(name))
        if since_s is not None and started_s is not None:
            return started_s + since_s, True
    return None, True


def _bare(error: DataError) -> str:
    """What is wrong, without the file's name before it."""
    return str(error).partition(": ")[2] or str(error)
