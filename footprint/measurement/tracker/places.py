"""Which id a run has, and the folder where its journals lie."""

from __future__ import annotations

import os
import platform
import re
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from footprint.errors import InputError
from footprint.measurement import journal
from footprint.measurement.launcher import Launch

__all__ = ["follows_another", "move_journal", "run_id_of", "safe", "writable_folder"]

_LONGEST_ID = 150
_SILENT_RATIO = 3  # intervals without a line


def safe(run_id: str) -> str:
    """As the name of a folder on any file system."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", run_id)[:_LONGEST_ID].lstrip(".") or "run"


def run_id_of(name: str, given: str | None, launch: Launch) -> str:
    """As given; as the launcher's processes share it, under the run's name; else made of name, time and chance."""
    if given:
        return safe(given)
    if launch.job and launch.is_named_by_user:
        return safe(launch.job)
    if launch.job:
        return safe(f"{name}-{launch.job}")
    if launch.shares_parent:
        return safe(f"{name}-{platform.node()}-{os.getppid()}-{_started(os.getppid())}")
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return safe(f"{name}-{moment}-{secrets.token_hex(3)}")


def _started(pid: int) -> str:
    """When a process began, in the kernel's ticks: tells apart two with one number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "0"


def writable_folder(
    environment: Mapping[str, str], folder: Path | None, run_id: str
) -> tuple[Path | None, tuple[str, ...]]:
    """The folder of runs, and what there is to know of it; the usual one gives way to a temporary one.

    Raises
    ------
    InputError
        When one that was named cannot be written.
    """
    named = folder or environment.get("FOOTPRINT_FOLDER")
    root = journal.runs_folder(environment, named)
    try:
        _try(root / run_id)
        return root, ()
    except OSError as error:
        if named:
            told = f"cannot be written ({error.strerror or error})"
            raise InputError("folder", str(root), told, "name a folder that you may write in") from error
    own = Path(tempfile.gettempdir()) / f"footprint-{os.getuid() if hasattr(os, 'getuid') else 'runs'}"
    other = own / "runs"
    try:
        _try(other / run_id)
        if hasattr(os, "getuid") and own.stat().st_uid != os.getuid():
            raise PermissionError(1, "it is another user's")
    except OSError as error:
        return None, (f"no journal: {root} and {other} cannot be written ({error.strerror or error})",)
    return other, (f"{root} cannot be written: the journal is in {other}; name a folder with FOOTPRINT_FOLDER",)


def _try(folder: Path) -> None:
    """Make it and write in it; leave nothing behind where that cannot be."""
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    probe = folder / f".{os.getpid()}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError:
        with suppress(OSError):
            for one in made:
                one.rmdir()
        raise


def follows_another(own: Path, interval_s: float) -> bool:
    """Whether an earlier start of the run has left a journal beside mine: one that is written no more."""
    late_s = _SILENT_RATIO * interval_s
    try:
        now_s = own.stat().st_mtime  # by the clock of the folder's host
        return any(now_s - file.stat().st_mtime > late_s for file in journal.files_of(own.parent))
    except OSError:
        return False


def move_journal(path: Path, folder: Path) -> Path:
    """Into another run's folder, under a name that is free there; its own goes where nothing else is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    new, number = folder / path.name, 1
    while new.exists():
        number += 1
        new = folder / f"{path.stem}-{number}{path.suffix}"
    os.rename(path, new)
    with suppress(OSError):
        path.parent.rmdir()
    return new
