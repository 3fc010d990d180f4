"""What is told of one of many jobs: its devices' energies as one, what of it was drawn idle, and what to know."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from operator import attrgetter

from footprint.catalog import Catalog
from footprint.errors import InputError
from footprint.evidence import evidence
from footprint.fleet.devices import Job
from footprint.fleet.energy import DeviceEnergy, Walk, spanned
from footprint.fleet.gathering import Interval
from footprint.fleet.jobs import MOST_OFF_RATIO, measured_job
from footprint.fleet.many_days import Gauges
from footprint.fleet.many_held import Held, HeldJob
from footprint.fleet.meters import accelerator_of
from footprint.fleet.prometheus import Prometheus
from footprint.fleet.readings import Reading
from footprint.measurement.metering import Limits
from footprint.units import J_PER_KWH, PERCENT_PER_SHARE, S_PER_H
from footprint.values import Meter, MeterUsage, Range

__all__ = ["Drew", "JobEnergy", "alone", "drew", "told", "unknown", "walked"]

_MOST_SHORT_SHARE = 0.001


@dataclass(frozen=True, slots=True)
class JobEnergy:
    """What a job's accelerators drew."""

    job: Job
    accelerator: str  # the catalog's id; "" where it knows none of that name, or there are several kinds
    accelerators_count: int  # devices of which the job had all or a part
    accelerators_held: float  # the same with parts as parts: times the hours, accelerator-hours
    it_energy_kwh: Range | None  # of the accelerators, the job's parts; None: nothing is known, and the notes say why
    stalled_it_energy_kwh: Range | None  # of it, drawn with next to no utilization; None: not known
    utilization: float | None  # mean, 0 to 1
    evidence: str  # "A" to "D"; "" where nothing is known
    coverage: float  # 0 to 1
    largest_gap_s: float  # between readings; of a job that sums alone tell of, an upper bound
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drew:
    """What a device drew for a job."""

    low_kwh: float
    mid_kwh: float
    high_kwh: float
    name: str
    share: float = 1.0
    idle_w: float = 0.0
    edge_j: float = 0.0
    resets_count: int = 0
    largest_gap_s: float = 0.0
    counter_over_power_ratio: float | None = None
    usage: MeterUsage | None = None  # None: a counter that tells of all of the time


def drew(found: DeviceEnergy, ratio: float | None = None) -> Drew:
    """Of a device that was read through."""
    usage, energy = found.usage, found.usage.it_energy_kwh
    return Drew(
        energy.low, energy.mid, energy.high, usage.meter.name, usage.meter.share, usage.meter.idle_w or 0.0,
        found.edge_j, usage.resets_count, found.largest_gap_s,
        usage.counter_over_power_ratio if ratio is None else ratio, usage,
    )  # fmt: skip


def unknown(job: Job, why: str) -> JobEnergy:
    """A job of which nothing is known."""
    return JobEnergy(job, "", 0, 0.0, None, None, None, "", 0.0, 0.0, (why,))


def alone(job: Job, server: Prometheus, catalog: Catalog, model: str | None, skew_s: float | None) -> JobEnergy:
    """A job by itself, as `footprint job` finds it."""
    try:
        found = measured_job(job, server, catalog, words={}, model=model, clock_skew_s=skew_s)
    except InputError as error:
        return unknown(job, str(error))
    meters = [one for one in found.meters if one.meter.component == "accelerator"]
    if not meters:
        return unknown(job, "; ".join(found.notes))
    return JobEnergy(
        job=job,
        accelerator=_kind({one.meter.name for one in meters}, catalog),
        accelerators_count=len(meters),
        accelerators_held=sum(one.meter.share for one in meters),
        it_energy_kwh=_added(one.it_energy_kwh for one in meters),
        stalled_it_energy_kwh=None,
        utilization=None,
        evidence=found.evidence.grade,
        coverage=found.evidence.coverage_share,
        largest_gap_s=_largest(meters),
        notes=found.notes,
    )


def told(one: HeldJob, results: Sequence[Drew], catalog: Catalog, interval_s: float, unseen_s: float) -> JobEnergy:
    """The devices' energies as the job's."""
    usages = [result.usage for result in results if result.usage is not None]
    grade, covered = "A", 1.0
    if usages:
        found = evidence(usages)
        grade = found.grade  # the others' is the best there is
        covered = (found.coverage_share * len(usages) + len(results) - len(usages)) / len(results)
    stalled, utilization = _use(one, results)
    return JobEnergy(
        job=one.job,
        accelerator=_kind({result.name for result in results}, catalog),
        accelerators_count=len(results),
        accelerators_held=sum(result.share for result in results),
        it_energy_kwh=Range(
            sum(result.low_kwh for result in results),
            sum(result.mid_kwh for result in results),
            sum(result.high_kwh for result in results),
        ),
        stalled_it_energy_kwh=stalled,
        utilization=utilization,
        evidence=grade,
        coverage=covered,
        largest_gap_s=max(unseen_s + interval_s, *(result.largest_gap_s for result in results)),
        notes=tuple(_notes(results)),
    )


def _largest(meters: Iterable[MeterUsage]) -> float:
    return max((gap.ended_utc_s - gap.started_utc_s for one in meters for gap in one.gaps), default=0.0)


def _kind(names: Iterable[str], catalog: Catalog) -> str:
    kinds = {_id_of(name, catalog) for name in names}
    return kinds.pop() if len(kinds) == 1 else ""


@lru_cache(256)
def _id_of(name: str, catalog: Catalog) -> str:
    known = accelerator_of(name, catalog)
    return "" if known is None else known.id


def _added(parts: Iterable[Range]) -> Range:
    rows = [(one.low, one.mid, one.high) for one in parts]
    return Range(*(sum(column) for column in zip(*rows, strict=True)))


def _use(one: HeldJob, results: Sequence[Drew]) -> tuple[Range | None, float | None]:
    """What was drawn with next to no utilization, and the mean of utilization.

    The share of time and the watts meanwhile come from looks; of a short job, from all of its readings. Looks are a
    sample: two of its deviations are in the range.
    """
    seen = [one.short_seen.get(held.device.uuid, held.seen) if one.is_short else held.seen for held in one.held]
    watts_count = sum(part.watts_count for part in seen)
    idle_w = sum(part.idle_w for part in seen) / watts_count if watts_count else None
    low_kwh = mid_kwh = high_kwh = used = 0.0
    for part, result in zip(seen, results, strict=True):
        if not part.count:
            return None, None
        used += part.used / part.count
        share = part.idle_count / part.count
        off = 0.0 if one.is_short else 2 * math.sqrt(share * (1 - share) / part.count)
        low, mid, high = _stalled(result, share, off, idle_w, one.interval.duration_s)
        low_kwh, mid_kwh, high_kwh = low_kwh + low, mid_kwh + mid, high_kwh + high
    return Range(low_kwh, mid_kwh, high_kwh), used / len(seen)


def _stalled(
    result: Drew, share: float, off: float, idle_w: float | None, duration_s: float
) -> tuple[float, float, float]:
    """Of one device's energy, at most all of it."""
    if share in (0.0, 1.0):
        return result.low_kwh * share, result.mid_kwh * share, result.high_kwh * share
    mean_w = result.mid_kwh * J_PER_KWH / duration_s
    least_w = min(result.idle_w * result.share, mean_w)
    own_w = min(idle_w * result.share if idle_w is not None else (least_w + mean_w) / 2, mean_w / share)
    low_w, high_w = (own_w, own_w) if idle_w is not None else (least_w, mean_w)
    hours = duration_s / J_PER_KWH
    mid = min(share * own_w * hours, result.mid_kwh)
    low = min(max(share - off, 0.0) * low_w * hours, mid)
    return low, mid, max(min((share + off) * high_w * hours, result.high_kwh), mid)


def _notes(results: Sequence[Drew]) -> Iterator[str]:
    joules = sum(one.mid_kwh for one in results) * J_PER_KWH
    edge_j = sum(one.edge_j for one in results)
    if joules and edge_j / joules > _MOST_SHORT_SHARE:
        share, wh = edge_j / joules * PERCENT_PER_SHARE, edge_j / S_PER_H
        yield f"edges lie between readings: {wh:.3g} Wh, {share:.2g} %, are by power on both sides, not by the counter"
    if resets := sum(one.resets_count for one in results):
        yield f"{resets} counter resets"
    parts = sum(one.share < 1 for one in results)
    if parts:
        yield f"{parts} of {len(results)} devices are shared, by slices and evenly among jobs"
    off = sum(
        ratio is not None and abs(ratio - 1) > MOST_OFF_RATIO
        for ratio in (one.counter_over_power_ratio for one in results)
    )
    if off:
        yield f"counter and power differ by more than {MOST_OFF_RATIO:.0%} on {off} of {len(results)} devices"


# one device


def walked(held: Held, interval: Interval, gauges: Gauges, meter: Meter, limits: Limits) -> Drew | None:
    """A device's energy from the readings about its job's edges; None where they do not tell it."""
    start, end = held.start, held.end
    if start.after is None or end.before is None:
        return None
    if (start.many or end.many) and not held.device.instances:  # which show one counter
        return None
    rows = [reading for reading in (start.before, start.after, end.before, end.after) if reading is not None]
    far_s = limits.gap_ratio * gauges.interval_s
    for before, after in ((start.before, start.after), (end.before, end.after)):
        if before is not None and after is not None and after.at_s - before.at_s > far_s:
            return None
    if any(
        earlier.at_s < later.at_s and not _rises(earlier, later)
        for earlier, later in pairwise(sorted(rows, key=attrgetter("at_s")))
    ):
        return None
    share = held.share
    ratio = held.counted_j / held.powered_j if held.powered_j and share == 1 else None
    begun_s, ended_s = interval.started_s, interval.ended_s
    if start.before is None or end.after is None or start.after.at_s >= ended_s or start.after.at_s > end.before.at_s:
        walk = Walk(meter, begun_s, ended_s, gauges.interval_s, limits, share)
        walk.take(one for one in (start.before, start.after) if one is not None)
        is_jump = end.before.at_s > start.after.at_s
        walk.take((one for one in (end.before, end.after) if one is not None), is_jump=is_jump)
        return drew(walk.result(held.device.host), ratio)
    most_w = math.inf if meter.max_w is None else meter.max_w * limits.overshoot_ratio
    edges = (start.before, start.after, end.before, end.after)
    joules, less_j, more_j = spanned(edges, begun_s, ended_s, most_w)
    low, mid, high = (
        own_j * band * share / J_PER_KWH
        for own_j, band in zip(
            (max(joules - less_j, 0.0), joules, joules + more_j), _ends(meter.true_over_read_ratio), strict=True
        )
    )
    return Drew(
        low, mid, high, meter.name, share, meter.idle_w or 0.0, max(less_j, more_j) * share,
        counter_over_power_ratio=ratio,
    )  # fmt: skip


def _ends(value: Range) -> tuple[float, float, float]:
    return value.low, value.mid, value.high


def _rises(before: Reading, after: Reading) -> bool:
    return before.energy_j is not None and after.energy_j is not None and before.energy_j <= after.energy_j
