"""The ledger of runs as many clients look at it at once: caught up by one of them at a time, and not too often."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from footprint.app.settings import Settings
from footprint.catalog import open_catalog
from footprint.errors import FootprintError, InputError
from footprint.measurement import journal
from footprint.measurement.following import Follower, Shown
from footprint.measurement.tracker import reading, series
from footprint.measurement.tracker.outlook import Outlook
from footprint.report import run_listing
from footprint.report.wording import plain
from footprint.store import open_ledger_for_reading
from footprint.store.entries import Entry, Filter, Total
from footprint.store.ledger import Ledger
from footprint.studies import History, ProjectMonth, RunSeries
from footprint.values import Footprint, Forecast, Run
from footprint.version import __version__

PATIENCE_S = 0.3
"""So long a client waits for what is being read."""

READING_SHARE = 1 / 10
"""Of the time at most, for reading journals."""

_MOST_FOLLOWED = 64
_MOST_SERIES = 8


@dataclass(frozen=True, slots=True)
class _Read:
    """A run's series, the sizes of its journals when it was read, and when it may be read again."""

    sizes: tuple[int, ...]
    series: RunSeries
    due_s: float


class Books:
    """One ledger for all clients. Every method may be called from any thread.

    Journals are read by one thread at a time, in the background: who looks sees what is known so far.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.refresh_s = settings.refresh_s
        self._root = journal.runs_folder(settings.environment, settings.folder)
        self._starting = threading.Lock()
        self._using: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
        self._idle = threading.Event()
        self._idle.set()
        self._following = threading.Lock()
        self._followers: OrderedDict[Path, Follower] = OrderedDict()
        self._drawing = threading.Lock()
        self._series: OrderedDict[str, _Read] = OrderedDict()
        self._outlooks: OrderedDict[str, tuple[float, Outlook, Forecast | None]] = OrderedDict()
        self._ledger: Ledger | None = None
        self._problem, self._left = "", ""
        self._broken: tuple[str, ...] = ()
        self._due_s = 0.0

    def look(self) -> tuple[str, ...]:
        """Have what is new among the journals read, if that was not done just now; what there is to know of it.

        Raises
        ------
        StoreError
            Where there can be no ledger at all.
        """
        ledger = self._opened()
        with self._starting:
            if self._idle.is_set() and time.monotonic() >= self._due_s:
                self._idle.clear()
                threading.Thread(target=self._catch_up, args=(ledger,), name="footprint-books", daemon=True).start()
        self._idle.wait(PATIENCE_S)
        return tuple(filter(None, (self._problem, self._left, *self._broken)))

    def settle(self, wait_s: float = 60.0) -> None:
        """Look, and wait until all is read."""
        with contextlib.suppress(FootprintError):
            self.look()
            self._idle.wait(wait_s)

    def _opened(self) -> Ledger:
        with self._starting:
            if self._ledger is None:
                opened, self._problem = open_ledger_for_reading(self._settings.store, self._settings.environment)
                if opened.place == "memory":  # it has one connection for all threads
                    self._using = threading.RLock()
                self._ledger = opened
            return self._ledger

    def _catch_up(self, ledger: Ledger) -> None:
        begun_s = time.monotonic()
        try:
            data = self._settings.data
            stamp = f"{__version__} {open_catalog(data).digest()}"
            with self._using:
                found = ledger.catch_up(
                    self._root, lambda run: reading.read_run(run, data=data), stamp=stamp, progress=self._progress
                )
            self._broken = (*run_listing.broken(found.skipped), *map(plain, found.notes))
        except (FootprintError, OSError) as error:
            self._broken = (str(error),)
        finally:
            self._left = ""
            cost_s = time.monotonic() - begun_s
            self._due_s = time.monotonic() + max(self.refresh_s, cost_s / READING_SHARE)
            self._idle.set()

    def _progress(self, folders: Sequence[Path]) -> Iterator[Path]:
        for i, folder in enumerate(folders):
            self._left = f"reading journals: {i} of {len(folders)} are read"
            yield folder

    def list(self, wanted: Filter) -> tuple[Entry, ...]:
        """The runs that are meant, the newest first."""
        ledger = self._opened()
        with self._using:
            return ledger.list(wanted)

    def totals(self, by: str | None, wanted: Filter) -> tuple[Total, ...]:
        """They added up."""
        ledger = self._opened()
        with self._using:
            return ledger.totals(by, wanted)

    def history(self, wanted: Filter) -> History:
        """They added up by month and project."""
        ledger = self._opened()
        with self._using:
            found = ledger.list(wanted)
            months = tuple(
                ProjectMonth(
                    total.key, project, total.run_count, total.facility_energy_kwh, total.operational_location_kgco2e,
                    total.total_location_kgco2e, total.electricity_usd,
                )
                for project, totals in ledger.months_by_project(wanted).items()
                for total in totals
            )  # fmt: skip
        return History(months, len(found), open_catalog(self._settings.data).digest(), __version__)

    def series(self, run: Run) -> RunSeries:
        """Its power over time, thinned out; read again when there is more of it, but not all the time.

        Raises
        ------
        InputError, JournalError
            Where its journals are elsewhere, or cannot be read.
        """
        paths = [Path(path) for path in run.journals]
        try:
            sizes = tuple(path.stat().st_size for path in paths)
        except OSError:
            sizes = ()
        if not sizes:
            raise InputError("run", run.id, "has no journals here", "look at it where its journals are")
        with self._drawing:
            known = self._series.pop(run.id, None)
            if known is None or (known.sizes != sizes and time.monotonic() >= known.due_s):
                begun_s = time.monotonic()
                read = series.read_series(list(paths), said=run.progress)
                ended_s = time.monotonic()
                known = _Read(sizes, read, ended_s + (ended_s - begun_s) / READING_SHARE)
            self._series[run.id] = known
            while len(self._series) > _MOST_SERIES:
                self._series.popitem(last=False)
            return known.series

    def handles(self) -> dict[str, str]:
        """What to call each run by."""
        ledger = self._opened()
        with self._using:
            return ledger.handles()

    def get(self, word: str) -> tuple[Entry, Run | Footprint, tuple[Path, ...]]:
        """A run or plan by its id, with the folders of its journals.

        Raises
        ------
        UnknownName, InputError
            As `Ledger.find`.
        """
        ledger = self._opened()
        with self._using:
            entry = ledger.find(word)
            return entry, ledger.get(entry.id), tuple(p for p in ledger.folders_of(entry.id) if p.is_dir())

    def follow(self, entry: Entry) -> Sequence[Shown]:
        """What the meters of a run show now: the new lines of its journals alone are read."""
        ledger = self._opened()
        with self._using:
            folders = ledger.folders_of(entry.id)
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

    def forecast(self, entry: Entry) -> Forecast | None:
        """What a run that goes on will have cost: worked out when more of it was read, not at each look."""
        ledger = self._opened()
        with self._following:
            read_utc_s, outlook, found = self._outlooks.pop(entry.id, (None, Outlook(), None))
            if read_utc_s != entry.ended_utc_s:
                with self._using:
                    run = ledger.get(entry.id)
                found = outlook.look(run, time.time()) if isinstance(run, Run) else None
            self._outlooks[entry.id] = (entry.ended_utc_s, outlook, found)
            while len(self._outlooks) > _MOST_FOLLOWED:
                self._outlooks.popitem(last=False)
            return found

    def close(self) -> None:
        """Let go of the database."""
        with self._starting:
            if self._ledger is not None:
                self._ledger.close()
