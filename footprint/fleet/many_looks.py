"""Whether a site's devices do anything: utilization at some moments of a day, and sums up to each."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from footprint.fleet.families import Family
from footprint.fleet.prometheus import BLANK, Columns

__all__ = ["LOOK_RATIO", "LOOK_S", "Looks", "Seen", "highest", "looks_of"]

LOOK_S = 631.0
"""Between the moments at which it is looked whether devices do anything. A prime is not enough: it must not lie close
to a simple part of the minutes and hours in which trainings repeat themselves, so that all of their phases are seen."""

LOOK_RATIO = 1.1


@dataclass(slots=True)
class Seen:
    """What a device did in readings, or at looks, of a span."""

    count: int = 0
    idle_count: float = 0  # of them, in which it did next to nothing
    used: float = 0.0  # utilization, summed
    idle_w: float = 0.0  # summed, of those idle ones
    watts_count: float = 0  # of which power is known

    def add(self, other: Seen) -> None:
        self.count += other.count
        self.idle_count += other.idle_count
        self.used += other.used
        self.idle_w += other.idle_w
        self.watts_count += other.watts_count


@dataclass(slots=True)
class Looks:
    """Utilization at moments of a day; sums up to each."""

    at_s: array[float]
    idle: array[float]
    used: array[float]
    idle_w: array[float]
    watts: array[float]
    per_share: float = 1.0

    def seen(self, begun_s: float, ended_s: float) -> Seen:
        """After a moment, up to another."""
        first, last = bisect_right(self.at_s, begun_s), bisect_right(self.at_s, ended_s)
        if last <= first:
            return Seen()
        return Seen(
            last - first, self.idle[last] - self.idle[first], (self.used[last] - self.used[first]) / self.per_share,
            self.idle_w[last] - self.idle_w[first], self.watts[last] - self.watts[first],
        )  # fmt: skip


def highest(found: Iterable[Columns], by: str) -> dict[str, dict[float, float]]:
    """By device and moment, in order of time; of several series at once the highest."""
    rows: dict[str, dict[float, float]] = {}
    several: set[str] = set()
    for labels, times, values in found:
        if not _are_readings(values):
            times = array("d", (at_s for at_s, value in zip(times, values, strict=True) if 0 <= value < BLANK))
            values = array("d", (value for value in values if 0 <= value < BLANK))
        uuid = labels.get(by, "")
        own = rows.setdefault(uuid, {})
        if not own:
            own.update(zip(times, values, strict=True))
            continue
        several.add(uuid)
        for at_s, value in zip(times, values, strict=True):
            if own.get(at_s, -math.inf) < value:
                own[at_s] = value
    for uuid in several:
        rows[uuid] = {at_s: rows[uuid][at_s] for at_s in sorted(rows[uuid])}
    return rows


def _are_readings(values: Sequence[float]) -> bool:
    return min(values) >= 0 and max(values) < BLANK and not math.isnan(sum(values))


def looks_of(uses: Mapping[float, float], watts: Mapping[float, float], least: float, family: Family) -> Looks:
    values, none = list(uses.values()), array("d", [0.0]) * (len(uses) + 1)
    looks = Looks(array("d", uses), none, array("d", accumulate(values, initial=0.0)), none, none)
    looks.per_share = family.per_share
    if values and min(values) < least:
        looks.idle = array("d", accumulate((value < least for value in values), initial=0.0))
    if watts:
        drawn = [watts.get(at_s) if value < least else None for at_s, value in uses.items()]
        looks.idle_w = array("d", accumulate(((one or 0.0) / family.per_w for one in drawn), initial=0.0))
        looks.watts = array("d", accumulate((one is not None for one in drawn), initial=0.0))
    return looks
