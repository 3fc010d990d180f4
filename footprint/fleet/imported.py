"""What other tools recorded becomes runs: each importer tells readings and facts, one frame adds them up and assesses.

Where nothing was recorded for much longer than the usual interval, the run is taken to have paused: a tool that samples
from inside a training falls silent when the training is not there. Pauses are told and nothing is counted in them.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from footprint.accounting.metered import Measured, assess
from footprint.catalog import Catalog
from footprint.errors import InputError
from footprint.evidence import evidence
from footprint.fleet.devices import Device
from footprint.fleet.energy import DeviceEnergy, Walk
from footprint.fleet.families import Family
from footprint.fleet.gathering import Interval
from footprint.fleet.meters import meter_of
from footprint.fleet.modelled import hosts_rest
from footprint.fleet.readings import Reading, interval_of
from footprint.measurement.limits import limits
from footprint.report.run_wording import duration
from footprint.units import J_PER_KWH, S_PER_MINUTE
from footprint.values import MeterUsage, Progress, Range, Run
from footprint.version import __version__

__all__ = ["Asked", "Imported", "Record", "Recorded", "assessed", "digest", "one_line", "run_of"]

_PAUSE_INTERVALS, _PAUSE_S = 40, 10 * S_PER_MINUTE
"""Without a reading, before a run is taken to have paused: both."""

_FIRST_S, _LAST_S = 946_684_800.0, 4_102_444_800.0
"""The years 2000 to 2100: other moments are slips of the pen."""
_MOST_W, _MOST_J = 1e5, 1e13
"""Of one device: more is a sensor's word for nothing."""
_MOST_OFF_RATIO = 1 / 20
_MOST_TOLD = 6
_LONGEST_NAME = 200
_LONGEST_KEY = 80
_UNNAMED = "GPU"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user adds to a file."""

    model: str | None = None  # of the accelerators, as the catalog calls it
    places: frozenset[str] | None = None  # those of a host's devices that were the run's
    count: int | None = None  # of accelerators, where the file does not say
    started_utc_s: float | None = None  # where the file does not say
    name: str = ""
    project: str = ""
    words: Mapping[str, Any] = field(default_factory=dict)  # of the place, as for a tracked run


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file held: its runs, and what in it cannot be read."""

    path: Path
    runs: tuple[Run, ...]
    problems: tuple[str, ...] = ()


class Recorded:
    """One device's readings, as they come: in any order, with holes."""

    __slots__ = ("_at_s", "_energy_j", "_power_w", "limit_w")

    def __init__(self) -> None:
        self._at_s, self._power_w, self._energy_j = array("d"), array("d"), array("d")
        self.limit_w: float | None = None

    def add(self, at_s: float, power_w: float | None = None, energy_j: float | None = None) -> None:
        """A reading; what cannot be is left out."""
        power_w = power_w if power_w is not None and 0 <= power_w < _MOST_W else math.nan
        energy_j = energy_j if energy_j is not None and 0 <= energy_j < _MOST_J else math.nan
        if _FIRST_S < at_s < _LAST_S and not (math.isnan(power_w) and math.isnan(energy_j)):
            self._at_s.append(at_s)
            self._power_w.append(power_w)
            self._energy_j.append(energy_j)

    def __len__(self) -> int:
        return len(self._at_s)

    def readings(self) -> list[Reading]:
        """In order of time, those of one moment joined."""
        found: list[Reading] = []
        for i in sorted(range(len(self._at_s)), key=self._at_s.__getitem__):
            power_w = None if math.isnan(self._power_w[i]) else self._power_w[i]
            energy_j = None if math.isnan(self._energy_j[i]) else self._energy_j[i]
            one = Reading(self._at_s[i], energy_j, power_w)
            if found and found[-1].at_s == one.at_s:
                last = found.pop()
                one = Reading(
                    one.at_s,
                    last.energy_j if energy_j is None else energy_j,
                    last.power_w if power_w is None else power_w,
                )
            found.append(one)
        return found


@dataclass(slots=True)
class Record:
    """What a file tells of one run."""

    tool: str  # wandb, mlflow, ...
    key: str  # the same whenever the same run is read
    source: str  # the file, and the run in it
    counter: str = ""  # what the readings are called there
    power: str = ""
    name: str = ""
    project: str = ""
    status: str = "finished"
    model: str = ""
    version: str = ""
    started_utc_s: float | None = None
    ended_utc_s: float | None = None
    devices: dict[tuple[str, str], Recorded] = field(default_factory=dict)  # by host and place
    progress: Progress = field(default_factory=Progress)
    notes: list[str] = field(default_factory=list)

    def device(self, host: str, place: str) -> Recorded:
        """A host's device, new where it was not seen before."""
        known = self.devices.get((host, place))
        if known is None:
            known = self.devices[host, place] = Recorded()
        return known


@dataclass(frozen=True, slots=True)
class _Read:
    """A device that tells its energy; its readings are put in order when they are wanted, to be let go again."""

    host: str
    place: str
    device: Recorded
    has_counter: bool
    interval_s: float
    count: int

    def readings(self) -> list[Reading]:
        found = self.device.readings()
        return found if self.has_counter else [one for one in found if one.power_w is not None]


def run_of(record: Record, asked: Asked, catalog: Catalog) -> Run:
    """The run of a record whose devices have readings.

    Raises
    ------
    InputError
        When nothing that it holds tells energy, telling what is missing.
    """
    devices = list(_read(record, asked))
    spans, pauses = _spans(record, devices)
    model = asked.model or record.model or _UNNAMED
    results = [(one, _energy(one, record, model, spans, catalog)) for one in devices]
    meters = [usage for _, usage, _ in (joined for _, joined in results)]
    hourly: dict[int, float] = {}
    for _, (_, _, by_hour) in results:
        for hour, joules in by_hour.items():
            hourly[hour] = hourly.get(hour, 0.0) + joules
    notes = [*record.notes, *_told([walked for _, (walked, _, _) in results], devices), *pauses]
    return assessed(
        replace_notes(record, notes), spans, meters, asked, catalog,
        tuple((hour, joules / J_PER_KWH) for hour, joules in sorted(hourly.items())),
    )  # fmt: skip


def replace_notes(record: Record, notes: Iterable[str]) -> Record:
    """The same record with other notes."""
    return replace(record, notes=list(notes))


def assessed(
    record: Record,
    spans: Sequence[Interval],
    meters: Sequence[MeterUsage],
    asked: Asked,
    catalog: Catalog,
    hourly: tuple[tuple[int, float], ...] = (),
) -> Run:
    """A run of what its devices used while it ran, with processors and memory beside them, where it ran."""
    duration_s = sum(span.duration_s for span in spans)
    whole = Interval(spans[0].started_s, spans[0].started_s + duration_s)
    grade = evidence(meters)
    meters = (*meters, *hosts_rest(meters, whole, catalog))
    name = asked.name or one_line(record.name) or record.tool
    measured = Measured(name, tuple(meters), record.progress, duration_s, hourly)
    usage, footprint, measured = assess(measured, asked.words, catalog)
    by = f"{record.tool} {record.version}".rstrip()
    unnamed = meters[0].meter.name == _UNNAMED
    notes = (
        f"imported from {one_line(record.source)}, as {by} recorded it",
        *(["it does not name its accelerators: give --accelerator"] if unnamed else []),
        *record.notes,
        *footprint.notes,
    )
    return Run(
        id=f"{record.tool}-{_key(record.key)}",
        name=name,
        status=record.status,
        started_utc_s=spans[0].started_s,
        ended_utc_s=spans[-1].ended_s,
        usage=usage,
        footprint=footprint,
        project=asked.project or one_line(record.project),
        tags=(record.tool,),
        hosts=tuple(dict.fromkeys(one.host for one in meters if one.host)),
        evidence=grade.grade,
        meters=measured.meters,
        progress=record.progress,
        mfu=next((line.mfu.mid for line in usage.lines if line.mfu is not None), None),
        hourly_it_energy_kwh=hourly,
        notes=tuple(dict.fromkeys(notes)),
        catalog_digest=catalog.digest(),
        version=__version__,
    )


def digest(*told: object) -> str:
    """A key for what has no name: the same for the same."""
    return hashlib.sha256("\n".join(str(one) for one in told).encode("utf-8", "replace")).hexdigest()[:16]


def one_line(text: str) -> str:
    """Text in one line, without what a name must not hold."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:_LONGEST_NAME].strip()


def _key(text: str) -> str:
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in text)
    return safe if len(safe) <= _LONGEST_KEY else f"{safe[:_LONGEST_KEY]}-{digest(text)}"


# readings


def _read(record: Record, asked: Asked) -> Iterator[_Read]:
    """The devices that tell their energy."""
    known = [(host, place) for (host, place), one in record.devices.items() if len(one)]
    chosen = [(host, place) for host, place in known if asked.places is None or place in asked.places]
    if known and not chosen:
        places = ", ".join(sorted({place for _, place in known}))
        told = ", ".join(sorted(asked.places or ()))
        raise InputError("gpus", told, f"are no devices of {record.source}", f"it has {places}")
    count = 0
    for host, place in sorted(chosen, key=lambda one: (one[0], len(one[1]), one[1])):
        device = record.devices[host, place]
        readings = device.readings()
        counted = [one for one in readings if one.energy_j is not None]
        has_counter = len(counted) > 1 and 2 * len(counted) > len(readings)
        if has_counter and len({one.energy_j for one in counted}) == 1 and any(one.power_w for one in readings):
            has_counter = False  # it stands still while power is drawn
        useful = counted if has_counter else [one for one in readings if one.power_w is not None]
        if len(useful) > 1:
            count += 1
            yield _Read(host, place, device, has_counter, interval_of(useful), len(useful))
    if not count:
        bound = f"has no two readings of accelerators' energy or power; {record.power} and the like were looked for"
        raise InputError("run", one_line(record.name or record.key), bound, "was the tool told to record them?")


def _spans(record: Record, devices: Sequence[_Read]) -> tuple[list[Interval], list[str]]:
    """When it ran, and notes of when it did not."""
    fullest: dict[str, _Read] = {}  # of each host, whose devices are read together
    for one in devices:
        if one.host not in fullest or one.count > fullest[one.host].count:
            fullest[one.host] = one
    times = sorted(reading.at_s for one in fullest.values() for reading in one.readings())
    usual_s = max(one.interval_s for one in devices)
    longest_s = max(_PAUSE_INTERVALS * usual_s, _PAUSE_S)
    started_s = times[0] if record.started_utc_s is None else min(record.started_utc_s, times[0])
    ended_s = times[-1] if record.ended_utc_s is None else max(record.ended_utc_s, times[-1])
    pauses: list[tuple[float, float]] = []
    spans: list[Interval] = []
    begun_s = started_s
    for before_s, after_s in itertools.pairwise((started_s, *times, ended_s)):
        if after_s - before_s > longest_s:
            if before_s > begun_s:
                spans.append(Interval(begun_s, before_s))
            pauses.append((before_s, after_s))
            begun_s = after_s
    if ended_s > begun_s:
        spans.append(Interval(begun_s, ended_s))
    if not spans:
        raise InputError(
            "run", one_line(record.name or record.key), "has lone readings alone", "one cannot add them up"
        )
    if not pauses:
        return spans, []
    told_s = sum(after - before for before, after in pauses)
    return spans, [f"{len(pauses)} pauses without a reading, {told_s:.4g} s in all, in which nothing is counted"]


def _energy(
    one: _Read, record: Record, model: str, spans: Sequence[Interval], catalog: Catalog
) -> tuple[list[DeviceEnergy], MeterUsage, dict[int, float]]:
    """A device's walks, a span each, their sum, and joules by the hour."""
    family = Family(record.tool, "", "", "", record.counter, 1.0, (record.power,))
    meter = meter_of(
        Device(f"gpu-{one.place}", family, one.host, one.place, model), one.has_counter, record.power, catalog
    )
    limit_w = one.device.limit_w or meter.max_w
    readings = one.readings()
    meter = replace(meter, sensor=record.tool, max_w=limit_w)
    times = [reading.at_s for reading in readings]
    walked: list[DeviceEnergy] = []
    for span in spans:
        ended_s = math.nextafter(span.ended_s, math.inf)  # a reading at the end tells of the time before it
        walk = Walk(meter, span.started_s, ended_s, one.interval_s, limits(catalog))
        first, after = bisect.bisect_left(times, span.started_s), bisect.bisect_right(times, span.ended_s)
        walk.take(readings[first:after])
        walked.append(walk.result(one.host))
    hourly: dict[int, float] = {}
    for found in walked:
        for hour, joules in found.hourly_j.items():
            hourly[hour] = hourly.get(hour, 0.0) + joules
    return walked, _joined([found.usage for found in walked]), hourly


def _joined(usages: Sequence[MeterUsage]) -> MeterUsage:
    """The sum of one meter's usages, one after another."""
    if len(usages) == 1:
        return usages[0]
    duration_s = sum(one.duration_s for one in usages)
    ends = (sum(getattr(one.it_energy_kwh, end) for one in usages) for end in ("low", "mid", "high"))
    energy = Range(*ends)
    return replace(
        usages[0],
        it_energy_kwh=energy,
        duration_s=duration_s,
        coverage_share=sum(one.coverage_share * one.duration_s for one in usages) / duration_s,
        mean_w=energy.mid * J_PER_KWH / duration_s,
        peak_w=max((one.peak_w for one in usages if one.peak_w is not None), default=None),
        stalled_it_energy_kwh=None,
        resets_count=sum(one.resets_count for one in usages),
        gaps=tuple(itertools.chain.from_iterable(one.gaps for one in usages)),
    )


def _told(results: Sequence[Sequence[DeviceEnergy]], devices: Sequence[_Read]) -> Iterator[str]:
    """How well it was read."""
    walked = list(itertools.chain.from_iterable(results))
    duration_s = sum(one.usage.duration_s for one in walked)
    covered = sum(one.usage.coverage_share * one.usage.duration_s for one in walked) / duration_s
    resets = sum(one.usage.resets_count for one in walked)
    interval_s = max(one.interval_s for one in devices)
    counters = sum(one.has_counter for one in devices)
    what = "energy counters" if counters == len(devices) else "power" if not counters else "energy counters and power"
    gap_s = max(one.largest_gap_s for one in walked)
    reset = f", {resets} counter resets" if counters else ""
    yield f"{what} read every {interval_s:.3g} s, coverage {covered:.1%}, largest gap {duration(gap_s)}{reset}"
    off = [
        f"{devices[i].host} {devices[i].place}".strip() + f" {ratio - 1:+.1%}"
        for i, own in enumerate(results)
        for one in own
        if (ratio := one.usage.counter_over_power_ratio) is not None and abs(ratio - 1) > _MOST_OFF_RATIO
    ]
    if off:
        rest = f"; and {len(off) - _MOST_TOLD} more" if len(off) > _MOST_TOLD else ""
        yield f"counter and power differ by more than {_MOST_OFF_RATIO:.0%}: {'; '.join(off[:_MOST_TOLD])}{rest}"
