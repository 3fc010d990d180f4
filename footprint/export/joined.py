"""A run's journals as they grow, joined by host, start and device: counters, progress and signs of life."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from footprint.errors import JournalError
from footprint.measurement import journal
from footprint.measurement.following import GrowingJournal
from footprint.measurement.journal import Header, Tick
from footprint.measurement.metering import HostIntegral, Limits, MeterIntegral
from footprint.measurement.sampler import FULL_INTERVALS, FULL_S
from footprint.measurement.tracker.progress import joined
from footprint.measurement.tracker.segments import SegmentSum, on_one_machine, still_writes
from footprint.units import J_PER_KWH
from footprint.values import MeterUsage, Range, Sample

__all__ = ["File", "Joined", "Start"]

_PIECE_BYTES = 4_194_304
"""Of a journal that are read at once."""

_LATE_RATIO = 3.5
"""A meter without a reading for so many times what is usual is lost."""

_POINTS_COUNT = 6
"""Of a counter that power is told from: a mean over five intervals."""


@dataclass(slots=True, eq=False)
class File:
    """One process's journal."""

    growing: GrowingJournal
    last_s: float
    end: str = ""
    progress: dict[str, float] = field(default_factory=dict)
    counted: frozenset[str] = frozenset()  # the meters that no other run counts

    @property
    def header(self) -> Header:
        return self.growing.journal.header

    @property
    def is_written(self) -> bool:
        """Whether further lines may come."""
        try:
            return not self.end and still_writes(self.growing.journal)
        except OSError:
            return False  # it is gone


class Start:
    """One start of a run on one host: its processes' journals, a device in several of them counted once."""

    def __init__(self, first: File, limits: Limits) -> None:
        header = first.header
        offset_s = header.started_utc_s - header.started_s
        self.host = HostIntegral((), header.interval_s, limits, offset_s)
        self.files: list[File] = []
        self._readers: dict[str, File] = {}
        self._points: dict[str, deque[tuple[float, float]]] = {}
        self._busy: dict[str, tuple[float, float]] = {}
        self.add(first)

    @property
    def header(self) -> Header:
        """Of its first process."""
        return self.files[0].header

    def takes(self, header: Header) -> bool:
        """Whether another process's journal is of this start: the same machine, at the same time."""
        first = self.header
        return (
            first.restart_count == header.restart_count
            and on_one_machine([file.growing.journal for file in self.files], header)
            and header.started_s <= self.ended_s + self._patience_s()
        )

    def _patience_s(self) -> float:
        """How long after its last line it may still have been there: one that goes on may be late."""
        if all(file.end for file in self.files):
            return 0.0
        return self.host.interval_s * (_LATE_RATIO if self.is_written else 1.0)

    def add(self, file: File) -> None:
        """A further process."""
        self.files.append(file)
        for meter in file.header.meters:
            if meter.id in file.counted:
                self.host.add(meter)

    @property
    def is_written(self) -> bool:
        """Whether any of its processes may still write."""
        return any(file.is_written for file in self.files)

    @property
    def started_s(self) -> float:
        """On the host's monotonic clock, as all that follows."""
        return min(file.header.started_s for file in self.files)

    @property
    def ended_s(self) -> float:
        """The last sign of life so far."""
        return max(file.last_s for file in self.files)

    @property
    def reading_utc_s(self) -> float:
        """The same by the wall's clock."""
        return self.ended_s + self.host.utc_offset_s

    def take(self, file: File, tick: Tick) -> None:
        """One line of one of its journals."""
        samples = [one for one in tick.samples if one.meter in file.counted and self._reads(file, one, tick.at_s)]
        self.host.push(tick.at_s, samples, tick.is_edge)
        if not tick.is_edge:
            file.last_s = max(file.last_s, tick.at_s)
            for one in samples:
                self._show(one)
        file.progress.update(tick.progress)
        file.end = tick.end or file.end

    def _reads(self, file: File, sample: Sample, at_s: float) -> bool:
        """Of a device in several journals one is listened to at a time, another when that one is silent."""
        reader = self._readers.setdefault(sample.meter, file)
        if reader is not file and (reader.end or reader.last_s + reader.header.interval_s < at_s):
            reader = self._readers[sample.meter] = file
        return reader is file

    def _show(self, sample: Sample) -> None:
        if sample.utilization is not None:
            self._busy[sample.meter] = (sample.at_s, sample.utilization)
        points = self._points.setdefault(sample.meter, deque(maxlen=_POINTS_COUNT))
        if not points or sample.at_s > points[-1][0]:
            points.append((sample.at_s, self.host.by_meter[sample.meter].live_j()))

    def power_w(self, one: MeterIntegral) -> float | None:
        """What a device draws now, my share of it: by its counter, else as it says; None where it answers no more."""
        meter, last = one.meter, one.last
        if last is None or self._is_late(last.at_s, meter.has_counter):
            return None
        points = self._points.get(meter.id)
        if meter.has_counter and points is not None and len(points) > 1:
            (begun_s, begun_j), (ended_s, ended_j) = points[0], points[-1]
            return (ended_j - begun_j) / (ended_s - begun_s)
        return None if last.power_w is None else last.power_w * meter.share * meter.true_over_read_ratio.mid

    def utilization(self, one: MeterIntegral) -> float | None:
        """How busy it was when it was asked last."""
        at_s, share = self._busy.get(one.meter.id, (-math.inf, 0.0))
        return None if self._is_late(at_s, False) else share

    def _is_late(self, at_s: float, is_each: bool) -> bool:
        interval_s = self.host.interval_s
        usual_s = interval_s if is_each else max(interval_s, min(FULL_S, FULL_INTERVALS * interval_s))
        return self.ended_s - at_s > _LATE_RATIO * usual_s

    def summed(self) -> SegmentSum:
        """So far; energies are the counters' alone, which never fall, without a guess of what lies at the edges."""
        header = self.header
        meters = tuple(self._usage(one) for one in self.host.by_meter.values())
        found = SegmentSum(header, self.started_s, self.ended_s, "running", header.interval_s, meters)
        found.last = joined(file.progress for file in self.files)
        found.hourly_j = self.host.hourly_j()
        return found

    def _usage(self, one: MeterIntegral) -> MeterUsage:
        usage = one.usage(self.header.host, self.started_s, self.ended_s)
        return replace(usage, it_energy_kwh=Range.exactly(one.live_j() / J_PER_KWH))


class Joined:
    """All journals in a run's folder.

    Parameters
    ----------
    folder : of the run, or one journal
    limits : as for metering
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self._limits = folder, limits
        self.starts: list[Start] = []
        self._files: dict[Path, tuple[File, Start]] = {}

    def refresh(self) -> None:
        """Read what is new."""
        for file, start in self._files.values():
            _read(file, start)
        new = [path for path in journal.files_of(self.folder) if path not in self._files]
        opened = [one for path in new if (one := _opened(path)) is not None]
        for file in sorted(opened, key=lambda f: (f.header.started_utc_s, f.header.rank, f.header.pid)):
            start = self._start_for(file)
            self._files[file.growing.journal.path] = (file, start)
            _read(file, start)

    def _start_for(self, file: File) -> Start:
        for start in self.starts:
            if start.takes(file.header):
                start.add(file)
                return start
        self.starts.append(Start(file, self._limits))
        return self.starts[-1]

    def files(self) -> Iterator[File]:
        """Every journal that was opened, the oldest first."""
        return (file for file, _ in self._files.values())


def _opened(path: Path) -> File | None:
    """None for a file that is no journal, or not yet."""
    try:
        opened = journal.read(path)
    except JournalError:
        return None
    header = opened.header
    counted = frozenset(meter.id for meter in header.meters if not meter.counted_in)
    return File(GrowingJournal(opened), header.started_s, counted=counted)


def _read(file: File, start: Start) -> None:
    while True:
        for tick in file.growing.gained(_PIECE_BYTES):
            start.take(file, tick)
        if not file.growing.has_more:
            return
