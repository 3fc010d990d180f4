"""The ledger of runs as many clients look at it at once: caught up by one of them at a time, and not too often."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from footprint.app.settings import Settings
from footprint.catalog import open_catalog
from footprint.errors import FootprintError
from footprint.measurement import journal
from footprint.measurement.following import Follower, Shown
from footprint.measurement.tracker import reading
from footprint.report import run_listing
from footprint.store import open_ledger_for_reading
from footprint.store.entries import Entry, Filter, Total
from footprint.store.ledger import Ledger
from footprint.values import Footprint, Run
from footprint.version import __version__

LEAST_S = 2.0
"""So long the journals are not looked at again."""

READING_SHARE = 1 / 10
"""Of the time at most, for reading journals."""

_MOST_FOLLOWED = 64


class Books:
    """One ledger for all clients. Every method may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = journal.runs_folder(settings.environment, settings.folder)
        self._lock = threading.Lock()  # the ledger: one of its kinds, a copy in memory, has one connection for all
        self._catching = threading.Lock()
        self._following = threading.Lock()
        self._followers: OrderedDict[Path, Follower] = OrderedDict()
        self._ledger: Ledger | None = None
        self._problem, self._broken = "", ()
        self._due_s = 0.0

    def look(self) -> tuple[str, ...]:
        """Read what is new among the journals, if nobody does and it was not done just now; what cannot be read.

        Raises
        ------
        StoreError
            Where there can be no ledger at all.
        """
        if self._catching.acquire(blocking=self._ledger is None):
            try:
                if time.monotonic() >= self._due_s:
                    begun_s = time.monotonic()
                    self._catch_up()
                    cost_s = time.monotonic() - begun_s
                    self._due_s = time.monotonic() + max(LEAST_S, cost_s / READING_SHARE)
            finally:
                self._catching.release()
        return tuple(filter(None, (self._problem, *self._broken)))

    def _catch_up(self) -> None:
        if self._ledger is None:
            opened, self._problem = open_ledger_for_reading(self._settings.store, self._settings.environment)
            self._ledger = opened
        data = self._settings.data
        stamp = f"{__version__} {open_catalog(data).digest()}"
        found = self._ledger.catch_up(self._root, lambda run: reading.read_run(run, data=data), stamp=stamp)
        self._broken = tuple(run_listing.broken(found.skipped))

    def list(self, wanted: Filter) -> tuple[Entry, ...]:
        """The runs that are meant, the newest first."""
        with self._lock:
            return self._opened().list(wanted)

    def totals(self, by: str | None, wanted: Filter) -> tuple[Total, ...]:
        """They added up."""
        with self._lock:
            return self._opened().totals(by, wanted)

    def handles(self) -> dict[str, str]:
        """What to call each run by."""
        with self._lock:
            return self._opened().handles()

    def get(self, word: str) -> tuple[Entry, Run | Footprint, tuple[Path, ...]]:
        """A run or plan by its id, with the folders of its journals.

        Raises
        ------
        UnknownName, InputError
            As `Ledger.find`.
        """
        with self._lock:
            ledger = self._opened()
            entry = ledger.find(word)
            return entry, ledger.get(entry.id), tuple(p for p in ledger.folders_of(entry.id) if p.is_dir())

    def follow(self, entry: Entry) -> Sequence[Shown]:
        """What the meters of a run show now: the new lines of its journals alone are read."""
        with self._lock:
            folders = self._opened().folders_of(entry.id)
        found: list[Shown] = []
        with self._following:
            for folder in folders:
                follower = self._followers.pop(folder, None) or Follower(folder)
                self._followers[folder] = follower
                try:
                    found += follower.refresh()
                except (FootprintError, OSError):
                    continue  # gone, or a mount that is away for a while: its totals stand in the ledger
            while len(self._followers) > _MOST_FOLLOWED:
                self._followers.popitem(last=False)
            return [Shown(s.host, s.meter, s.power_w, s.utilization) for s in found]

    def _opened(self) -> Ledger:
        if self._ledger is None:
            self.look()
        assert self._ledger is not None
        return self._ledger

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            if self._ledger is not None:
                self._ledger.close()
