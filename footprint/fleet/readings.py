"""Series of a device become its readings: scrapes of two servers told apart, instances and jobs' copies joined.

Series of one scrape that are about one device show one counter: MIG instances, and copies by job, by their maximum.
Of several scrapers the one with most readings is taken, and others where it has a gap: their clocks differ, and a
counter that is read by two of them would seem to fall.
"""

from __future__ import annotations

import bisect
import itertools
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from footprint.fleet.devices import Device, Labels, slices
from footprint.fleet.families import INSTANCE, JOB_LABELS, PROFILE, TARGET_LABELS
from footprint.fleet.prometheus import Series
from footprint.units import S_PER_MINUTE

__all__ = [
    "Reading",
    "Scraper",
    "by_device",
    "fullest",
    "goes_on",
    "interval_of",
    "most_of",
    "readings_of",
    "scraper_of",
    "slices_of",
    "thinned",
]

Holder = tuple[tuple[str, str], ...]
Scraper = tuple[str, ...]

_SLICES, _USUAL_SLICES = (("A30", 4), ("RTX PRO 6000", 4), ("RTX PRO 5000", 2), ("RTX PRO 4500", 2)), 7

_SPARSE_S = 10 * S_PER_MINUTE

_GAP_RATIO = 2.5
"""Intervals without a reading before another scraper's is taken; one may be missed, and none comes at its time."""


class Reading(NamedTuple):
    """What a device showed at a moment."""

    at_s: float
    energy_j: float | None
    power_w: float | None
    share: float | None = None  # of the device that was the job's; None: its series bore no mark of the job then
    is_marked: bool = False


@dataclass(slots=True)
class _Moment:
    """What one scraper saw of a device at once."""

    energy: float | None = None
    power: float | None = None
    series: list[int] = field(default_factory=list)  # that told it, by number


@dataclass(slots=True)
class _Holders:
    """Who had which instances of a device, as label sets that were there at once tell."""

    slices_count: dict[str, int] = field(default_factory=dict)  # by instance
    others: dict[str, set[Holder]] = field(default_factory=dict)  # jobs that are not marked as ours, by instance
    marked: set[str] = field(default_factory=set)  # instances whose series bear a mark of the job

    def see(self, labels: Labels, forms: Sequence[Labels]) -> None:
        instance = labels.get(INSTANCE, "")
        self.slices_count[instance] = slices(labels.get(PROFILE, ""))
        others = self.others.setdefault(instance, set())
        for form in forms:
            holder = tuple((name, labels.get(name, "")) for name in form)
            if not all(value for _, value in holder):
                continue
            if holder == tuple(form.items()):
                self.marked.add(instance)
            else:
                others.add(holder)

    def share(self, device: Device) -> float | None:
        """By slices of all that the device has, an instance's evenly among its jobs: as a live run has its part.

        With the slices of no instance parts add up to the whole.
        """
        if device.marks and not self.marked:
            return None
        own = (self.marked if device.marks else set(device.instances)) or set(self.slices_count)
        whole = sum(self.slices_count.values())
        if any(self.slices_count):
            whole = max(whole, slices_of(device.model))
        has_all = not device.marks and not device.instances  # the slices of no instance too
        part = float(whole - sum(self.slices_count.values())) if has_all else 0.0
        for instance in own & set(self.slices_count):
            holders_count = len(self.others[instance]) + (instance in self.marked)
            part += self.slices_count[instance] / max(holders_count, 1)  # unmarked, ours is one of those there
        return part / whole


def readings_of(
    device: Device, counters: Iterable[Series], powers: Iterable[Series], job_id: str = "", first: Scraper | None = None
) -> list[Reading]:
    """A device's readings in order of time, in joules and watts.

    `job_id` is the job's own on schedulers' labels; the scraper `first` goes before fuller ones.
    """
    family = device.family
    forms = device.marks or tuple({label: job_id} for label in JOB_LABELS)
    by_scraper: dict[Scraper, dict[float, _Moment]] = {}
    labels: list[Labels] = []
    for series, is_counter in [(one, True) for one in counters] + [(one, False) for one in powers]:
        moments = by_scraper.setdefault(scraper_of(series.labels), {})
        for at_s, value in series.samples:
            if value < 0:
                continue
            moment = moments.get(at_s)
            if moment is None:
                moment = moments[at_s] = _Moment()
            if is_counter:
                moment.energy = value if moment.energy is None else max(moment.energy, value)
            else:
                moment.power = value if moment.power is None else max(moment.power, value)
            moment.series.append(len(labels))
        labels.append(series.labels)
    shares: dict[tuple[int, ...], tuple[float | None, bool]] = {}  # series come and go seldom

    def share(numbers: tuple[int, ...]) -> tuple[float | None, bool]:
        if numbers not in shares:
            holders = _Holders()
            for number in numbers:
                holders.see(labels[number], forms)
            shares[numbers] = holders.share(device), bool(holders.marked)
        return shares[numbers]

    ordered = sorted(by_scraper.items(), key=lambda pair: (pair[0] != first, -len(pair[1]), pair[0]))
    lists = [
        [
            Reading(
                at_s,
                None if one.energy is None else one.energy / family.per_j,
                None if one.power is None else one.power / family.per_w,
                *share(tuple(one.series)),
            )
            for at_s, one in sorted(moments.items())
        ]
        for _, moments in ordered
    ]
    return _filled(lists)


def thinned(readings: Sequence[Reading]) -> Iterator[tuple[Reading, bool]]:
    """Without those between which nothing happens: the counter rises and the share stays; each with whether some
    before it were passed over. Energy between two readings of one counter is their difference, however many lie in
    between; some are kept, so that it is known when."""
    usual_s = _GAP_RATIO * interval_of(readings)
    kept: Reading | None = None
    before: Reading | None = None
    for one, after in itertools.zip_longest(readings, readings[1:]):
        is_plain = (
            kept is not None and one.at_s - kept.at_s < _SPARSE_S and _goes_on(before, one, usual_s)
            and _goes_on(one, after, usual_s)
        )  # fmt: skip
        if not is_plain:
            yield one, before is not kept
            kept = one
        before = one


def goes_on(readings: Sequence[Reading]) -> bool:
    """Whether the counter only rises, without a gap."""
    usual_s = _GAP_RATIO * interval_of(readings)
    return len(readings) > 1 and all(_rises(before, after, usual_s) for before, after in itertools.pairwise(readings))


def _goes_on(before: Reading | None, after: Reading | None, usual_s: float) -> bool:
    if before is None or after is None or (before.share, before.is_marked) != (after.share, after.is_marked):
        return False
    return _rises(before, after, usual_s)


def _rises(before: Reading, after: Reading, usual_s: float) -> bool:
    if before.energy_j is None or after.energy_j is None:
        return False
    return before.energy_j < after.energy_j and after.at_s - before.at_s <= usual_s


def slices_of(model: str) -> int:
    """All slices of a device in MIG mode, whether or not an instance has them (NVIDIA's MIG user guide)."""
    name = model.upper()
    return next((count for word, count in _SLICES if word in name), _USUAL_SLICES)


def scraper_of(labels: Labels) -> Scraper:
    """Who scraped a series, and where."""
    return tuple(labels.get(name, "") for name in TARGET_LABELS)


def fullest(series: Iterable[Series]) -> Scraper | None:
    """The scraper with most readings."""
    counts: dict[Scraper, int] = {}
    for one in series:
        scraper = scraper_of(one.labels)
        counts[scraper] = counts.get(scraper, 0) + len(one.samples)
    return most_of(counts)


def most_of(counts: Mapping[Scraper, int]) -> Scraper | None:
    """The scraper that counts for most; of equal ones always the same."""
    return min(counts, key=lambda scraper: (-counts[scraper], scraper), default=None)


def _filled(lists: Sequence[Sequence[Reading]]) -> list[Reading]:
    """The fullest scraper's readings; where they have a gap, the others'."""
    if not lists:
        return []
    kept = list(lists[0])
    for other in lists[1:]:
        interval_s = interval_of(kept)
        times = [one.at_s for one in kept]
        added = [one for one in other if _is_in_gap(times, one.at_s, interval_s)]
        if added:
            kept = _rising(sorted((*kept, *added)), {one.at_s for one in added})
    return kept


def _is_in_gap(times: Sequence[float], at_s: float, interval_s: float) -> bool:
    place = bisect.bisect(times, at_s)
    before = times[place - 1] if place else float("-inf")
    after = times[place] if place < len(times) else float("inf")
    is_far = at_s - before > interval_s / 2 and after - at_s > interval_s / 2
    return is_far and after - before > _GAP_RATIO * interval_s


def _rising(readings: Sequence[Reading], added: set[float]) -> list[Reading]:
    """Without another scraper's readings that fall a little behind: its clock differs. A reset falls far."""
    kept: list[Reading] = []
    for one in readings:
        last_j = kept[-1].energy_j if kept else None
        if last_j is not None and one.energy_j is not None and last_j / 2 < one.energy_j < last_j:
            if one.at_s in added:
                continue
            while kept and kept[-1].at_s in added and (kept[-1].energy_j or 0.0) > one.energy_j:
                kept.pop()
        kept.append(one)
    return kept


def interval_of(readings: Sequence[Reading]) -> float:
    """Usual seconds between two readings; 0 where there are not two."""
    gaps = [after.at_s - before.at_s for before, after in itertools.pairwise(readings)]
    return statistics.median(gaps) if gaps else 0.0


def by_device(series: Iterable[Series], devices: Sequence[Device]) -> dict[str, list[Series]]:
    """Series by the device that they are about."""
    found: dict[str, list[Series]] = {device.uuid: [] for device in devices}
    for one in series:
        uuid = one.labels.get(devices[0].family.uuid, "") if devices else ""
        if uuid in found:
            found[uuid].append(one)
    return found
