"""Runs whose system metrics MLflow recorded: its folder `mlruns`, or its SQLite store.

`system/gpu_{i}_power_usage_watts` is the driver's power, the mean of as many readings as MLflow was told to take before
it writes one; where a node has a name it stands before the metric's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from footprint.catalog import Catalog
from footprint.errors import DataError, InputError
from footprint.fleet import databases
from footprint.fleet.imported import Asked, Imported, Record, one_line, run_of
from footprint.fleet.row_files import Problems, number_of
from footprint.units import MILLISECONDS_PER_S, PERCENT_PER_SHARE

__all__ = ["EXPECTED", "KEY", "TABLES", "read"]

EXPECTED = "a folder mlruns, an experiment's or a run's folder in it, or the SQLite file of an MLflow store (mlflow.db)"
KEY = re.compile(r"^system/(?:([^/]{1,200})/)?gpu_(\d{1,4})_power_usage_(watts|percentage)$")
TABLES = ("alembic_version", "experiments", "metrics", "runs")
_LIKE = "system/%gpu!_%!_power!_usage!_%"
_STATUSES = {"FINISHED": "finished", "FAILED": "failed", "KILLED": "stopped", "RUNNING": "running"}
_BY_NUMBER = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}
_EXPERIMENT = ("experiment_id", "name")
_META = "meta.yaml"
_DELETED = "deleted"
_EVERY_DEVICE = (
    "MLflow records every accelerator of its host, also those that others used: --gpus 0-3 takes some alone; where "
    "several processes of a host record runs of their own, each holds them all"
)


def read(path: Path, asked: Asked, catalog: Catalog) -> Imported:
    """The runs of a folder or of a store.

    Raises
    ------
    DataError
        When it is none of MLflow's; its message names what was expected.
    """
    problems = Problems()
    try:
        records = list(_of_folder(path, problems) if path.is_dir() else _of_store(path))
    except DataError as error:
        raise DataError(path, None, None, f"{str(error).partition(': ')[2]}; expected {EXPECTED}") from error
    if not records:
        raise DataError(path, None, None, f"holds no runs of MLflow; expected {EXPECTED}")
    runs = []
    for record in records:
        _limit(record)
        record.notes += [_EVERY_DEVICE] if asked.places is None else []
        try:
            runs.append(run_of(record, asked, catalog))
        except InputError as error:
            problems.add(str(error))
    return Imported(path, tuple(runs), problems.told())


def _record(path: Path, run_id: str, name: str, project: str, status: str) -> Record:
    record = Record("mlflow", run_id, f"{path.name}, run {name or run_id}", "", "system/gpu_{i}_power_usage_watts")
    record.name, record.project = one_line(name) or run_id, project
    record.status = _STATUSES.get(status, "interrupted")
    return record


def _take(record: Record, key: str, milliseconds: object, value: object) -> None:
    match, at_ms, number = KEY.match(key), number_of(milliseconds), number_of(value)
    if match and at_ms is not None and number is not None:
        device = record.device(match[1] or "", match[2] if match[3] == "watts" else f"{match[2]} %")
        device.add(at_ms / MILLISECONDS_PER_S, number)


def _limit(record: Record) -> None:
    """Shares of the power limit tell the limit, where power is told at the same moment."""
    for host, place in [key for key in record.devices if key[1].endswith(" %")]:
        shares = record.devices.pop((host, place))
        power = record.devices.get((host, place.removesuffix(" %")))
        if power is None:
            continue
        known = {one.at_s: one.power_w for one in power.readings()}
        pairs = ((known.get(one.at_s), one.power_w) for one in shares.readings())
        share, watts = max(((share, watts) for watts, share in pairs if watts and share), default=(0.0, 0.0))
        power.limit_w = round(watts / share * PERCENT_PER_SHARE) if share else None


# a folder


def _of_folder(path: Path, problems: Problems) -> Iterator[Record]:
    for folder in _run_folders(path):
        told = _meta(folder / _META)
        if told.get("lifecycle_stage") == _DELETED:
            problems.add(f"run {one_line(told.get('run_name') or folder.name)}: is deleted")
            continue
        status = _BY_NUMBER.get(told.get("status", ""), told.get("status", ""))
        project = _meta(folder.parent / _META).get("name", "")
        record = _record(path, told.get("run_id") or folder.name, told.get("run_name", ""), project, status)
        record.started_utc_s, record.ended_utc_s = _moment(told.get("start_time")), _moment(told.get("end_time"))
        for file in sorted((folder / "metrics").glob("system/**/gpu_*_power_usage_*")):
            _take_file(record, file.relative_to(folder / "metrics").as_posix(), file, problems)
        yield record


def _run_folders(path: Path) -> list[Path]:
    """The folder itself, or those in it, or those in the experiments in it."""
    for pattern in (".", "*", "*/*", "mlruns/*/*"):
        found = [path] if pattern == "." else sorted(path.glob(pattern))
        runs = [one for one in found if (one / _META).is_file() and (one / "metrics").is_dir()]
        if runs:
            return runs
    return []


def _meta(path: Path) -> dict[str, str]:
    """A flat file of `name: value` lines."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines if line[:1].strip())
    told = {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}
    return {name: value for name, value in told.items() if value != "null"}


def _take_file(record: Record, key: str, file: Path, problems: Problems) -> None:
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                cells = line.split()
                if len(cells) >= 2:
                    _take(record, key, cells[0], cells[1])
                elif cells:
                    problems.add(f"{file.name}, line {number}: is not 'milliseconds watts step'")
    except OSError as error:
        problems.add(f"{file.name}: cannot be read ({error.strerror or error})")


def _moment(milliseconds: object) -> float | None:
    value = number_of(milliseconds)
    return value / MILLISECONDS_PER_S if value else None


# a store


def _of_store(path: Path) -> Iterator[Record]:
    with databases.opened(path) as connection:
        if not all(databases.columns(connection, table) for table in TABLES):
            raise DataError(path, None, None, "is no store of MLflow")
        projects = {key: str(name or "") for key, name in databases.select(connection, "experiments", _EXPERIMENT)}
        wanted = ("run_uuid", "name", "experiment_id", "status", "start_time", "end_time", "lifecycle_stage")
        found = list(databases.select(connection, "runs", wanted, "ORDER BY start_time"))
        for run_id, name, experiment, status, started_ms, ended_ms, stage in found:
            if stage == _DELETED:
                continue
            record = _record(path, str(run_id), str(name or ""), projects.get(experiment, ""), str(status))
            record.started_utc_s, record.ended_utc_s = _moment(started_ms), _moment(ended_ms)
            rest = "WHERE run_uuid = ? AND key LIKE ? ESCAPE '!'"
            told = databases.select(connection, "metrics", ("key", "timestamp", "value"), rest, (run_id, _LIKE))
            for key, at_ms, value in told:
                _take(record, str(key), at_ms, value)
            yield record
