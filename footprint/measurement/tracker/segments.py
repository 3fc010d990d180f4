"""One start of a run on one host: the journals of its processes, joined by device and time, added up."""

from __future__ import annotations

import heapq
import os
import platform
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from footprint.accounting.metered import total
from footprint.errors import JournalError
from footprint.measurement import journal
from footprint.measurement.journal import Header, Journal, Tick
from footprint.measurement.metering import HostIntegral, Limits
from footprint.measurement.tracker.boot import boot_id
from footprint.measurement.tracker.progress import joined, progress_of
from footprint.values import Meter, MeterUsage, Range, Sample, Segment

__all__ = [
    "SegmentSum",
    "added_up",
    "earlier_it_energy_kwh",
    "from_memory",
    "on_one_machine",
    "sorted_into_segments",
    "still_writes",
]

STILL_WRITING_RATIO = 30
"""A journal without a last word is still being written when its last line is at most so many intervals old."""

LEAST_PATIENCE_S = 60.0
_TAIL_BYTES = 65_536

Windows = dict[str, tuple[int, float, float]]
"""Name -> closed ones, seconds inside, joules."""


@dataclass(slots=True)
class SegmentSum:
    """What one start on one host adds up to."""

    header: Header  # of its first process
    started_s: float
    ended_s: float
    status: str
    interval_s: float
    meters: tuple[MeterUsage, ...] = ()
    windows: Windows = field(default_factory=dict)
    hourly_j: Mapping[int, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)  # progress as it was last told
    notes: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Its name."""
        return self.header.host

    @property
    def utc_offset_s(self) -> float:
        """From the host's monotonic clock to UTC."""
        return self.header.started_utc_s - self.header.started_s

    @property
    def metered_kwh(self) -> Range:
        """Of all its meters."""
        return total(m.it_energy_kwh for m in self.meters)

    def record(self, wasted: Range | None) -> Segment:
        """The value that is kept."""
        return Segment(
            host=self.host,
            restart_count=self.header.restart_count,
            started_utc_s=self.started_s + self.utc_offset_s,
            ended_utc_s=self.ended_s + self.utc_offset_s,
            status=self.status,
            progress=progress_of(self.last, {}),
            it_energy_kwh=self.metered_kwh,
            wasted_it_energy_kwh=wasted,
        )


def added_up(journals: Sequence[Journal], limits: Limits) -> SegmentSum:
    """Read every line of a segment's journals once, in the order of time."""
    interval_s = max(j.header.interval_s for j in journals)
    header = journals[0].header
    readers = _Readers(journals)
    meters: dict[str, Meter] = {}
    for meter in (m for j in journals for m in j.header.meters):
        if meter.id not in meters or meters[meter.id].counted_in:  # counted here if any process of the run counts it
            meters[meter.id] = meter
    offset_s = header.started_utc_s - header.started_s
    host = HostIntegral(tuple(meters.values()), interval_s, limits, offset_s, keeps_curve=True)
    started_s = min(j.header.started_s for j in journals)
    found = SegmentSum(header, started_s, started_s, "running", interval_s)
    inside: dict[int, list[tuple[float, Tick]]] = {}
    before_s = {number: j.header.started_s for number, j in enumerate(journals)}
    ends: dict[int, str] = {}
    progress: dict[int, dict[str, float]] = {}
    latest_s = {-1: started_s}
    for number, tick in _merged(journals):
        host.push(tick.at_s, readers.chosen(number, tick), tick.is_edge)
        if not tick.is_edge:
            latest_s[number] = tick.at_s  # the end comes last, and before the reading that it asked for
        if tick.begun_s is not None or tick.end:
            own = (m.id for m in journals[number].header.meters if m.id not in readers.shared)
            host.bound(own, tick.begun_s, tick.at_s if tick.end else None)
        if tick.windows:
            inside.setdefault(number, []).append((before_s[number], tick))
        if not tick.is_edge:
            before_s[number] = tick.at_s
        if tick.progress:
            progress.setdefault(number, {}).update(tick.progress)
        if tick.end:
            ends[number] = tick.end
        found.notes += [*tick.notes, *([f"ended by {tick.error}"] if tick.error else [])]
    found.ended_s = max(latest_s.values())
    found.last = joined(progress.values())
    found.status = _status(journals, ends)
    found.meters = host.usages(found.host, started_s, found.ended_s)
    found.hourly_j = host.hourly_j()
    found.windows = _shared_out(journals, inside, host)
    found.notes += [f"{j.path.name}: {j.torn_count} torn lines were passed over" for j in journals if j.torn_count]
    return found


class _Readers:
    """Of a device that several journals hold, one is listened to at a time: two who read at once are not in order.

    That is so where processes cannot see one another's claims, and where runs are read together.
    """

    def __init__(self, journals: Sequence[Journal]) -> None:
        counts = Counter(m.id for j in journals for m in j.header.meters)
        self.shared = {meter for meter, count in counts.items() if count > 1}
        self._until_s = [_until(j) for j in journals] if self.shared else []
        self._reader: dict[str, int] = {}

    def chosen(self, number: int, tick: Tick) -> Sequence[Sample]:
        """Those of a reading's samples that count."""
        if not self.shared:
            return tick.samples
        at_s, shared = tick.at_s, self.shared
        return [one for one in tick.samples if one.meter not in shared or self._reads(one.meter, number, at_s)]

    def _reads(self, meter: str, number: int, at_s: float) -> bool:
        reader = self._reader.setdefault(meter, number)
        if self._until_s[reader] < at_s:
            reader = self._reader[meter] = number
        return reader == number


def earlier_it_energy_kwh(own: Path, limits: Limits) -> float:
    """What the starts of a run that ended before this one began have drawn, by the journals beside its own."""
    journals: list[Journal] = []
    for path in journal.files_of(own.parent):
        with suppress(JournalError):
            journals.append(journal.read(path))
    begun_utc_s = next(j.header.started_utc_s for j in journals if j.path == own)
    journals.sort(key=lambda j: (j.header.started_utc_s, j.header.rank, j.header.pid))
    drawn_kwh = 0.0
    for group in sorted_into_segments(journals):
        if all(j.path != own and j.header.started_utc_s < begun_utc_s for j in group):
            segment = added_up(group, limits)
            is_earlier = segment.ended_s + segment.utc_offset_s <= begun_utc_s
            drawn_kwh += segment.metered_kwh.mid if is_earlier else 0.0
    return drawn_kwh


def from_memory(
    header: Header, host: HostIntegral, ended_s: float, status: str, windows: Windows, progress: Mapping[str, float]
) -> SegmentSum:
    """The same of a process that could keep no journal, from what it added up itself."""
    return SegmentSum(
        header, header.started_s, ended_s, status, header.interval_s,
        meters=host.usages(header.host, header.started_s, ended_s), windows=dict(windows),
        hourly_j=host.hourly_j(), last=dict(progress),
    )  # fmt: skip


def sorted_into_segments(journals: Sequence[Journal]) -> list[list[Journal]]:
    """Journals of one host and start: those whose times meet; in the order of their start."""
    groups: list[tuple[list[Journal], float]] = []
    for one in journals:
        header = one.header
        end_s = _until(one)
        for place, (group, until_s) in enumerate(groups):
            same = group[0].header.restart_count == header.restart_count and on_one_machine(group, header)
            if same and header.started_s <= until_s:
                group.append(one)
                groups[place] = (group, max(until_s, end_s))
                break
        else:
            groups.append(([one], end_s))
    return [group for group, _ in groups]


def on_one_machine(group: Sequence[Journal], header: Header) -> bool:
    """By its name and start; or by its start alone, where containers of different names read the same device."""
    first = group[0].header
    if first.boot != header.boot:
        return False
    if first.host == header.host:
        return True
    read = {m.id for j in group for m in j.header.meters if m.component == "accelerator"}
    return bool(header.boot) and any(m.id in read for m in header.meters if m.component == "accelerator")


def _until(one: Journal) -> float:
    """When a process was there at the latest, by the monotonic clock: at its last word, else up to an interval on."""
    with one.path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _TAIL_BYTES, 0))
        lines = file.read().splitlines()
    ticks = (one.tick_of(line) for line in reversed(lines))
    last = next((tick for tick in ticks if tick is not None), None)
    at_s = one.header.started_s if last is None else last.at_s
    return at_s if last is not None and last.end else at_s + one.header.interval_s


def _merged(journals: Sequence[Journal]) -> Iterator[tuple[int, Tick]]:
    """The readings of several journals in the order of time."""
    streams = [_numbered(number, one) for number, one in enumerate(journals)]
    for _, number, _, tick in heapq.merge(*streams, key=lambda entry: entry[:3]):
        yield number, tick


def _numbered(number: int, one: Journal) -> Iterator[tuple[float, int, int, Tick]]:
    latest = float("-inf")
    for place, tick in enumerate(one.ticks()):
        latest = max(latest, tick.at_s)  # a merge needs rising keys
        yield latest, number, place, tick


def _status(journals: Sequence[Journal], ends: Mapping[int, str]) -> str:
    """Failed where any process did; running while any may still write; else as the processes said."""
    said = set(ends.values())
    silent = [j for number, j in enumerate(journals) if number not in ends]
    if any(still_writes(j) for j in silent):
        return "running"
    if "failed" in said:
        return "failed"
    return "interrupted" if silent else next((s for s in ("stopped",) if s in said), "finished")


def still_writes(one: Journal) -> bool:
    """Whether the process of a journal without a last word may write further lines."""
    header = one.header
    if header.host == platform.node() and header.boot == boot_id():
        try:
            os.kill(header.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            pass  # another user's: its file tells
    patience_s = max(STILL_WRITING_RATIO * header.interval_s, LEAST_PATIENCE_S)
    return time.time() - one.path.stat().st_mtime < patience_s


def _shared_out(
    journals: Sequence[Journal], inside: Mapping[int, Sequence[tuple[float, Tick]]], host: HostIntegral
) -> Windows:
    """The host's energy inside windows, those of its first rank: every rank is inside the same ones.

    Seconds inside are those since the reading before, whether that one had windows or not.
    """
    if not inside:
        return {}
    number = min(inside, key=lambda n: (journals[n].header.rank, n))
    windows: Windows = {}
    for before_s, tick in inside[number]:
        joules = _at(host.curve, tick.at_s) - _at(host.curve, before_s)
        elapsed_s = tick.at_s - before_s
        for name, (count, seconds) in tick.windows.items():
            had = windows.get(name, (0, 0.0, 0.0))
            part = min(seconds / elapsed_s, 1.0) if elapsed_s > 0 else 0.0
            windows[name] = (had[0] + count, had[1] + seconds, had[2] + joules * part)
    return windows


def _at(curve: Sequence[tuple[float, float]], moment_s: float) -> float:
    """Joules at a moment, on the straight line between readings."""
    place = bisect_right(curve, (moment_s, float("inf")))
    if place == 0 or not curve:
        return 0.0
    if place == len(curve):
        return curve[-1][1]
    (before_s, before_j), (after_s, after_j) = curve[place - 1], curve[place]
    return before_j + (after_j - before_j) * ((moment_s - before_s) / (after_s - before_s))
