"""The kinds of files that become runs, by name and by what is in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from footprint.catalog import Catalog
from footprint.errors import DataError, FootprintError, UnknownName
from footprint.fleet import databases, emissions, iterations, megatron, mlflow, trackio, trainer_state, wandb, wandb_log
from footprint.fleet.imported import Asked, Imported
from footprint.fleet.row_files import Problems, rows

__all__ = ["CODECARBON", "KINDS", "Kind", "kind_of", "read"]

CODECARBON = "codecarbon"
_MOST_LINES = 20_000
_HEAD_BYTES = 2**16

Read = Callable[[Path, Asked, Catalog], Imported]


@dataclass(frozen=True, slots=True)
class Kind:
    """One tool's files."""

    title: str
    expected: str
    read: Read | None  # None: it has a door of its own


KINDS: dict[str, Kind] = {
    CODECARBON: Kind("codecarbon's table", emissions.EXPECTED, None),
    "wandb": Kind("a run of Weights & Biases", wandb.EXPECTED, wandb.read),
    "mlflow": Kind("runs of MLflow", mlflow.EXPECTED, mlflow.read),
    "trackio": Kind("a project of Trackio", trackio.EXPECTED, trackio.read),
    "megatron": Kind("a log of Megatron-LM and its kin", megatron.EXPECTED, megatron.read),
    "trainer-state": Kind("Hugging Face's trainer_state.json", trainer_state.EXPECTED, trainer_state.read),
}


def read(
    kind: str, path: Path, asked: Asked, catalog: Catalog, hours_of: trainer_state.Hours | None = None
) -> Imported:
    """The runs of a file of this kind.

    Raises
    ------
    UnknownName
        For a kind that there is not.
    DataError
        When it is of another kind; its message names what was expected and, where that can be told, which kind it is.
    InputError
        When something is missing that the file does not tell.
    """
    if kind not in KINDS or KINDS[kind].read is None:
        raise UnknownName(
            "kind", kind, [name for name, one in KINDS.items() if one.read], "see: footprint import --help"
        )
    try:
        if kind == "trainer-state":
            return trainer_state.read(path, asked, catalog, hours_of)
        reading = KINDS[kind].read
        assert reading is not None
        return reading(path, asked, catalog)
    except DataError as error:
        raise redirected(error, kind, path) from error


def redirected(error: DataError, kind: str, path: Path) -> DataError:
    """The same error, with the command for what the file really is, where that can be told."""
    other = kind_of(path)
    if other is None or other == kind:
        return error
    problem = str(error).removeprefix(f"{path}").lstrip(":, ")
    return DataError(path, None, None, f"{problem}. This is {KINDS[other].title}: footprint import {other} {path}")


def kind_of(path: Path) -> str | None:
    """What a file or folder is, by what is in it; None where nothing is sure. Raises nothing for what can be read."""
    try:
        return _folder_kind(path) if path.is_dir() else _file_kind(path)
    except (OSError, FootprintError):
        return None


def _folder_kind(path: Path) -> str | None:
    if any(True for pattern in ("*.wandb", "*run-*/*.wandb", "wandb/*run-*/*.wandb") for _ in path.glob(pattern)):
        return "wandb"
    if (path / trainer_state.FILE).is_file() or any(True for _ in path.glob(f"checkpoint-*/{trainer_state.FILE}")):
        return "trainer-state"
    if any(True for pattern in ("meta.yaml", "*/meta.yaml", "mlruns/*/meta.yaml") for _ in path.glob(pattern)):
        return "mlflow"
    if any(_file_kind(file) == "trackio" for file in path.glob("*.db")):
        return "trackio"
    return None


def _file_kind(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(wandb_log.MAGIC):
        return "wandb"
    if head.startswith(databases.MAGIC):
        return _database_kind(path)
    if head.lstrip()[:1] == b"{" and _is_trainer_state(path):
        return "trainer-state"
    return _table_kind(path) or _log_kind(path)


def _database_kind(path: Path) -> str | None:
    with databases.opened(path) as connection:
        if all(databases.columns(connection, table) for table in mlflow.TABLES):
            return "mlflow"
        return "trackio" if "run_name" in databases.columns(connection, trackio.TABLE) else None


def _is_trainer_state(path: Path) -> bool:
    if path.stat().st_size > trainer_state.MOST_BYTES:
        return False
    told = path.read_bytes()
    try:
        state = json.loads(told) if b'"log_history"' in told else None
    except (ValueError, RecursionError):
        return False
    return isinstance(state, dict) and "global_step" in state


def _table_kind(path: Path) -> str | None:
    """By the names of its columns."""
    for row in islice(rows(path, Problems()), 1):
        names = {str(name) for name in row} | ({str(one) for one in row["metrics"]} if _has_nested(row) else set())
        if {"timestamp", "duration", "emissions"} <= names:
            return CODECARBON
        if any(wandb.KEY.match(name) for name in names):
            return "wandb"
        if any(trackio.KEY.match(name) for name in names):
            return "trackio"
    return None


def _has_nested(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("metrics"), dict)


def _log_kind(path: Path) -> str | None:
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = iterations.lines_of(islice(megatron.short_lines(file), _MOST_LINES))
        return "megatron" if any(iterations.iteration_of(line) for line in lines) else None
