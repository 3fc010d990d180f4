"""Follows a run's journals as they grow, reading nothing twice: their new lines, and what each meter shows now."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from footprint.errors import JournalError
from footprint.measurement import journal
from footprint.measurement.journal import Journal, Tick
from footprint.values import Meter, Sample

__all__ = ["Follower", "GrowingJournal", "Shown"]

KEPT = 240
"""Readings of a meter that are kept: what a screen can show."""

_TAIL_BYTES = 262_144
"""A journal that is opened in mid-run is read from so far before its end."""

_UPDATES = 25
"""Of a counter: power is told over so many, since one more or less may lie in between."""

_LATE_RATIO = 3.5
"""A meter without a reading for so many intervals is lost."""


_SILENT_RATIO, _SILENT_S = 30, 60.0
"""A journal without a line for so many intervals, and seconds, has ended without a word."""


class GrowingJournal:
    """A journal that is still being written: what it has gained since the last look, nothing read twice.

    A file that was begun anew, because the old one was gone, is read from its start.

    Parameters
    ----------
    journal : the one that is opened
    offset : bytes from its start at which the first line to be read begins; the one after the header unless given
    """

    def __init__(self, journal: Journal, offset: int | None = None) -> None:
        self.journal = journal
        self.has_more = False
        self._offset = offset
        self._file: tuple[int, int] | None = None

    def gained(self, most_bytes: int = -1) -> list[Tick]:
        """The whole lines that are new; none where the file cannot be reached for a while.

        Parameters
        ----------
        most_bytes : to be read at once; `has_more` says whether there are further ones
        """
        try:
            with self.journal.path.open("rb") as file:
                self._go_to(file)
                new = file.read(most_bytes)
        except OSError:
            self.has_more = False
            return []
        is_cut = most_bytes >= 0 and len(new) == most_bytes
        whole = new[: new.rfind(b"\n") + 1] or (new if is_cut else b"")  # no line of ours is so long: passed over
        self.has_more = is_cut
        self._offset = (self._offset or 0) + len(whole)
        return [tick for line in whole.splitlines() if (tick := self.journal.tick_of(line)) is not None]

    def _go_to(self, file: BinaryIO) -> None:
        found = os.fstat(file.fileno())
        own = (found.st_dev, found.st_ino)
        if self._offset is None or (self._file or own) != own or found.st_size < self._offset:
            file.readline()
            self._offset = file.tell()
        self._file = own
        file.seek(self._offset)


@dataclass(slots=True)
class Shown:
    """A meter's last readings; watts are my share of the device."""

    host: str
    meter: Meter
    power_w: float | None = None
    utilization: float | None = None
    trace_w: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    last: Sample | None = None
    counted: deque[Sample] = field(default_factory=lambda: deque(maxlen=KEPT))


@dataclass(slots=True)
class _File:
    growing: GrowingJournal
    at_s: float
    ended: bool = False

    @property
    def journal(self) -> Journal:
        return self.growing.journal


class Follower:
    """Reads what a run's journals gained since the last look.

    Parameters
    ----------
    run : the folder of a run, or a journal
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self._files: dict[Path, _File] = {}
        self._shown: dict[tuple[str, str], Shown] = {}

    def refresh(self) -> list[Shown]:
        """The meters that this run counts, those of ended processes left out where others still write."""
        for path in journal.files_of(self.run):
            if path not in self._files and (opened := _open(path)) is not None:
                self._files[path] = opened
        for file in self._files.values():
            self._read(file)
        live = [file for file in self._files.values() if not file.ended] or list(self._files.values())
        keys = dict.fromkeys(key for file in live for key in _keys(file))
        return [self._shown[key] for key in keys if key in self._shown and self._shown[key].trace_w]

    @property
    def has_ended(self) -> bool:
        """Whether every journal has its last word, or has had no line for long."""
        if not self._files:
            self.refresh()
        return not any(_goes_on(file) for file in self._files.values())

    @property
    def words(self) -> dict[str, object]:
        """What the user said of place, model and budget."""
        said: dict[str, object] = {}
        for file in self._files.values():
            said = {**file.journal.header.words, **said}
        return said

    def _read(self, file: _File) -> None:
        for tick in file.growing.gained():
            file.ended = file.ended or bool(tick.end)
            if not tick.is_edge and tick.samples:
                file.at_s = max(file.at_s, tick.at_s)
                for sample in tick.samples:
                    self._show(file, sample)
        for key in _keys(file):
            shown = self._shown.get(key)
            if shown is None or shown.last is None:
                continue
            late_s = _LATE_RATIO * max(file.journal.header.interval_s, shown.meter.period_s or 0.0)
            if file.at_s - shown.last.at_s > late_s:
                shown.power_w = shown.utilization = None

    def _show(self, file: _File, sample: Sample) -> None:
        header = file.journal.header
        meter = next((m for m in header.meters if m.id == sample.meter), None)
        if meter is None or meter.counted_in:
            return
        shown = self._shown.setdefault((header.host, meter.id), Shown(header.host, meter))
        counted, enough_s = shown.counted, _UPDATES * (meter.period_s or 0.0)
        while len(counted) > 1 and sample.at_s - counted[1].at_s >= enough_s:
            counted.popleft()
        watts = _watts(counted[0] if counted else None, sample)
        if sample.energy_j is not None:
            counted.append(sample)
        shown.meter, shown.last = meter, sample
        if sample.power_w is not None or sample.utilization is not None or not meter.has_counter:
            shown.utilization = sample.utilization  # counters alone tell nothing of it
        if watts is not None:
            shown.power_w = watts * meter.share
            shown.trace_w.append(shown.power_w)


def _open(path: Path) -> _File | None:
    """From its last lines on; None for a file that is no journal, or not yet."""
    try:
        opened = journal.read(path)
        with path.open("rb") as lines:
            lines.readline()
            begin, end = lines.tell(), os.fstat(lines.fileno()).st_size
            if end - begin > _TAIL_BYTES:
                lines.seek(end - _TAIL_BYTES)
                lines.readline()
                begin = lines.tell()
    except (JournalError, OSError):
        return None
    return _File(GrowingJournal(opened, begin), opened.header.started_s)


def _goes_on(file: _File) -> bool:
    try:
        age_s = time.time() - file.journal.path.stat().st_mtime
    except OSError:
        return False
    return not file.ended and age_s < max(_SILENT_RATIO * file.journal.header.interval_s, _SILENT_S)


def _keys(file: _File) -> list[tuple[str, str]]:
    header = file.journal.header
    return [(header.host, meter.id) for meter in header.meters if not meter.counted_in]


def _watts(last: Sample | None, sample: Sample) -> float | None:
    """What the sensor says, else the mean since the reading before."""
    if sample.power_w is not None:
        return sample.power_w
    if last is None or sample.energy_j is None or last.energy_j is None or sample.at_s <= last.at_s:
        return None
    moved_j = sample.energy_j - last.energy_j
    return moved_j / (sample.at_s - last.at_s) if moved_j >= 0 else None
