"""The live runs of a folder: found, followed, and let go some minutes after their end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from footprint.errors import JournalError
from footprint.export.following import Followed
from footprint.export.snapshot import RunNow
from footprint.measurement import journal
from footprint.measurement.tracker.segments import still_writes

__all__ = ["LiveRuns", "OneRun", "Shown"]

SCAN_S = 2.0
_SCAN_SHARE = 1 / 20
"""Of the time at most, for looking round in a folder of many runs."""

_REFRESH_S = 10.0
"""Journals are read so often even where nobody asks: what is left to be read when somebody does stays little."""

LONG_BYTES = 16_000_000
"""Journals of so much take seconds to be read for the first time: beside everything else."""

_MOST_TOLD = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """What the exporter tells of itself, and the runs."""

    runs: tuple[RunNow, ...]
    looked_utc_s: float  # when the folder was looked through last; 0 where that has not been done yet
    left_out_count: int  # runs that go on, and whose journals cannot be read


@dataclass(slots=True)
class _One:
    followed: Followed
    changed_utc_s: float


class LiveRuns:
    """Follows every run of a folder that goes on; finished ones are told apart once, by name and date of their files.

    Parameters
    ----------
    root : the folder of runs
    wanted : only runs of this id, name or folder
    keep_s : seconds for which a run stays after its end, so that its last values are seen
    tell : takes remarks, each once
    data : a folder of the user's own tables
    clock : seconds since 1970, by which files are dated
    long_bytes : runs from so much on are read for the first time on a thread of their own
    """

    def __init__(
        self,
        root: Path,
        *,
        wanted: str | None = None,
        keep_s: float = 300.0,
        tell: Callable[[str], object] = lambda line: None,
        data: Path | None = None,
        clock: Callable[[], float] = time.time,
        long_bytes: int = LONG_BYTES,
    ) -> None:
        self.root, self._wanted, self._keep_s, self._long_bytes = root, wanted, keep_s, long_bytes
        self._tell, self._data, self._clock = tell, data, clock
        self._followed: dict[Path, _One] = {}
        self._beginning: dict[Path, threading.Thread] = {}  # long ones that are read for the first time
        self._over: dict[Path, float] = {}  # finished, and when they were last written
        self._said: set[str] = set()
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._looked_utc_s = self._refreshed_utc_s = 0.0
        self._thread: threading.Thread | None = None

    @property
    def has_looked(self) -> bool:
        """Whether the folder has been looked through."""
        return self._looked_utc_s > 0

    def start(self) -> None:
        """Look round now and then, on a thread of its own."""
        self._thread = threading.Thread(target=self._look_on, name="footprint-export-runs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a long journal that is being read is left."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def _look_on(self) -> None:
        pause_s = 0.0
        while not self._stopping.wait(pause_s):
            begun_s = time.monotonic()
            self.look()
            pause_s = max(SCAN_S, (time.monotonic() - begun_s) / _SCAN_SHARE)

    def look(self, *, is_patient: bool = False) -> None:
        """Find the runs that go on, and let go those that ended; a new one is told of when it is read up to now.

        Parameters
        ----------
        is_patient : wait for the long ones, too
        """
        found = _folders(self.root)
        if found is not None:
            with self._lock:
                gone = [folder for folder in self._followed if folder not in found]
                for folder in gone:
                    del self._followed[folder]
            self._over = {folder: changed for folder, changed in self._over.items() if folder in found}
            for folder, (changed_utc_s, size) in found.items():
                self._look_at(folder, changed_utc_s, size)
        self._beginning = {folder: thread for folder, thread in self._beginning.items() if thread.is_alive()}
        for thread in self._beginning.values() if is_patient else ():
            thread.join()
        if not (self._looked_utc_s or self._followed or self._beginning):
            which = "" if self._wanted is None else f" that is called {self._wanted}"
            self._say(f"no run{which} goes on in {self.root}: runs are exported when they begin")
        now = self._clock()
        if now - self._refreshed_utc_s >= _REFRESH_S:
            self.now()
        self._looked_utc_s = now

    def _look_at(self, folder: Path, changed_utc_s: float, size: int) -> None:
        one = self._followed.get(folder)
        is_recent = self._clock() - changed_utc_s <= self._keep_s
        if one is not None:
            one.changed_utc_s = changed_utc_s
            if not is_recent and not one.followed.is_live:
                with self._lock:
                    del self._followed[folder]
                self._over[folder] = changed_utc_s
            return
        if self._over.get(folder) == changed_utc_s or folder in self._beginning:
            return
        if not is_recent and not _is_written(folder):
            self._over[folder] = changed_utc_s
            return
        if self._wanted is not None and not _is_called(folder, self._wanted):
            return
        if size < self._long_bytes:
            self._begin(folder, changed_utc_s)
        elif folder not in self._beginning:
            begin = threading.Thread(target=self._begin, args=(folder, changed_utc_s), daemon=True)
            self._beginning[folder] = begin
            begin.start()

    def _begin(self, folder: Path, changed_utc_s: float) -> None:
        followed = Followed(folder, self._data)
        followed.refresh()
        if followed.has_started and not self._stopping.is_set():
            with self._lock:
                self._followed[folder] = _One(followed, changed_utc_s)

    def now(self) -> Shown:
        """Each run as its journals tell it at this moment."""
        with self._lock:
            now = self._clock()
            for one in self._followed.values():
                one.followed.refresh()
            told = [(one.followed, one.followed.now(now)) for one in self._followed.values()]
            self._refreshed_utc_s = now
        for followed, _ in told:
            if followed.problem:
                self._say(f"{followed.folder.name}: {followed.problem}")
        runs = {run.id: run for _, run in told if run is not None}  # one of a name: series must not be told twice
        return Shown(tuple(runs.values()), self._looked_utc_s, len(told) - len(runs))

    def _say(self, line: str) -> None:
        if line not in self._said and len(self._said) < _MOST_TOLD:
            self._said.add(line)
            self._tell(line)


class OneRun:
    """A run whose folder is known, for whoever tracks it: nothing is looked for, and read when somebody asks alone.

    Parameters
    ----------
    folder : where its journals lie, once that is known; it may move
    """

    def __init__(self, folder: Callable[[], Path | None]) -> None:
        self._folder = folder
        self._followed: Followed | None = None
        self._lock = threading.Lock()

    def now(self) -> Shown:
        """The run as its journals tell it at this moment."""
        with self._lock:
            folder = self._folder()
            if folder is not None and (self._followed is None or self._followed.folder != folder):
                self._followed = Followed(folder)
            if self._followed is None:
                return Shown((), time.time(), 0)
            self._followed.refresh()
            run = self._followed.now()
        return Shown((), time.time(), 1) if run is None else Shown((run,), time.time(), 0)


def _folders(root: Path) -> dict[Path, tuple[float, int]] | None:
    """Folders of runs, when a journal in them was last written, and bytes; None where the root cannot be read."""
    found: dict[Path, tuple[float, int]] = {}
    try:
        with os.scandir(root) as entries:
            folders = [entry.path for entry in entries if entry.is_dir()]
    except OSError:
        return None
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            told = [entry.stat() for entry in entries if entry.name.endswith(journal.SUFFIX)]
            if told:
                found[Path(folder)] = (max(one.st_mtime for one in told), sum(one.st_size for one in told))
    return found


def _is_written(folder: Path) -> bool:
    """Whether a process may still write there, by the first lines of its journals."""
    for path in journal.files_of(folder):
        with suppress(JournalError, OSError):
            if still_writes(journal.read(path)):
                return True
    return False


def _is_called(folder: Path, wanted: str) -> bool:
    """Whether a run has this id, name or folder."""
    if folder.name == wanted:
        return True
    with suppress(OSError):
        if os.sep in wanted and Path(wanted).samefile(folder):
            return True
    for path in journal.files_of(folder):
        with suppress(JournalError):
            header = journal.read(path).header
            return wanted in (header.run, header.name)
    return False
