"""Journals of one run brought into its folder, and thrown away: files alone, no database."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from footprint.errors import JournalError, StoreError
from footprint.measurement import journal

_Key = tuple[str, str, int, float]


def folder_of(root: Path, run_id: str) -> Path:
    """Where the journals of a run lie. An id from a foreign file cannot lead out of the root."""
    return root / (re.sub(r"[^A-Za-z0-9._-]", "_", run_id).lstrip(".") or "run")


def gather(files: Iterable[Path], folder: Path) -> int:
    """Copy journals into a run's folder; of one that is there already the longer stays. Returns how many were copied.

    Raises
    ------
    StoreError
        When the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = {key: file for file in journal.files_of(folder) if (key := _key(file)) is not None}
        count = 0
        for file in files:
            key = _key(file)
            if key is None:
                continue
            known = there.get(key)
            if known is None:
                there[key] = _copy(file, _free(folder, journal.read(file).header.file_name))
                count += 1
            elif file.stat().st_size > known.stat().st_size:
                _copy(file, known)
                count += 1
        return count
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written ({error.strerror or error}); give --folder a place that can"
        ) from error


def discard(folder: Path, kept_in: Path | None = None) -> str:
    """Delete a run's journals, and their folder where nothing else is in it. Says what was left.

    With `kept_in`, only journals that stand there too.

    Raises
    ------
    StoreError
        When a journal cannot be deleted.
    """
    try:
        kept = None if kept_in is None else {_key(file) for file in journal.files_of(kept_in)} - {None}
        for file in journal.files_of(folder):
            if kept is None or _key(file) in kept:
                file.unlink()
        left = sorted(one.name for one in folder.iterdir())
        if left or folder.is_symlink():
            return f"{folder} stays: it holds {', '.join(left) or 'a link'}"
        folder.rmdir()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise StoreError(f"{folder} cannot be deleted ({error.strerror or error}); delete it by hand") from error
    return ""


def _key(file: Path) -> _Key | None:
    """Who wrote a journal, and when it began; None for a file that is none."""
    try:
        header = journal.read(file).header
    except JournalError:
        return None
    return header.host, header.boot, header.pid, header.started_s


def _free(folder: Path, name: str) -> Path:
    """The name, or one beside it where another process's journal has it."""
    stem, suffix = os.path.splitext(name)
    place, number = folder / name, 2
    while place.exists():
        place, number = folder / f"{stem}-{number}{suffix}", number + 1
    return place


def _copy(source: Path, target: Path) -> Path:
    """Whole or not at all, with the time of its last change: that tells whether anybody still writes."""
    partial = target.with_suffix(".part")
    shutil.copy2(source, partial)
    os.replace(partial, target)
    return target
