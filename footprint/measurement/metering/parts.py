"""What a meter's energy is divided into, and what it is held against. Counters are read alone between readings in full:
what they count meanwhile is kept until one tells more, and goes by the nearer one."""

from __future__ import annotations

from collections.abc import Iterator

from footprint.units import S_PER_H
from footprint.values import Meter, Sample

__all__ = ["Audit", "Parts"]

MOST_BETWEEN = 20
"""Readings of counters alone between two of power, which then still tell of the same time."""


class Audit:
    """Counted energy held against integrated power, from one reading of power to the next."""

    def __init__(self) -> None:
        self._from: Sample | None = None
        self._since_j, self._between = 0.0, 0
        self._counted_j = self._power_j = 0.0

    def begin(self, sample: Sample) -> None:
        """From here on: nothing before it is sure."""
        self._from = sample if sample.power_w is not None else None
        self._since_j, self._between = 0.0, 0

    def add(self, counted_j: float, sample: Sample) -> None:
        """What was counted up to the next sample."""
        self._since_j += counted_j
        self._between += 1
        if sample.power_w is None:
            return
        begin = self._from
        if begin is not None and begin.power_w is not None and self._between <= MOST_BETWEEN:
            self._counted_j += self._since_j
            self._power_j += (begin.power_w + sample.power_w) / 2 * (sample.at_s - begin.at_s)
        self.begin(sample)

    def since_w(self, sample: Sample) -> float | None:
        """Mean power by the counter since the last reading of it."""
        if self._from is None or sample.at_s <= self._from.at_s:
            return None
        return self._since_j / (sample.at_s - self._from.at_s)

    @property
    def ratio(self) -> float | None:
        """Counted over integrated energy."""
        return self._counted_j / self._power_j if self._power_j else None


class Parts:
    """Stalled and attributed joules, the whole device's, and joules by the hour, my share of it."""

    def __init__(self, meter: Meter, stalled_utilization: float, utc_offset_s: float) -> None:
        self._meter, self._stalled_utilization, self._utc_offset_s = meter, stalled_utilization, utc_offset_s
        self.hourly_j: dict[int, float] = {}
        self._sorted_j: tuple[float | None, float | None] = (None, None)  # stalled and attributed
        self._unsorted_j = 0.0
        self._told: Sample | None = None  # the last one that told more than energy

    def add(self, joules: float, last: Sample, sample: Sample) -> None:
        """Joules between two samples."""
        if (sample.power_w, sample.utilization, sample.attributed_share) == (None, None, None):
            self._unsorted_j += joules
        else:
            half_j = self._unsorted_j / 2
            sooner = self._with(self._sorted_j, half_j, self._told or sample)
            self._sorted_j = self._with(sooner, half_j + joules, sample)
            self._unsorted_j, self._told = 0.0, sample
        joules *= self._meter.share
        started_s, ended_s = last.at_s + self._utc_offset_s, sample.at_s + self._utc_offset_s
        within_s = ended_s // S_PER_H * S_PER_H
        for hour, share in ((int(within_s), 1.0),) if within_s <= started_s else _hours(started_s, ended_s):
            self.hourly_j[hour] = self.hourly_j.get(hour, 0.0) + joules * share

    @property
    def stalled_j(self) -> float | None:
        """Drawn while next to nothing ran; None where nobody tells."""
        return self._so_far[0]

    @property
    def attributed_j(self) -> float | None:
        """My processes' part of what was drawn while others ran beside them; None where none did."""
        return self._so_far[1]

    @property
    def _so_far(self) -> tuple[float | None, float | None]:
        """With what no reading has told of yet: it goes by the last one."""
        if self._told is None or not self._unsorted_j:
            return self._sorted_j
        return self._with(self._sorted_j, self._unsorted_j, self._told)

    def _with(
        self, sums: tuple[float | None, float | None], joules: float, sample: Sample
    ) -> tuple[float | None, float | None]:
        stalled_j, attributed_j = sums
        if sample.utilization is not None and self._meter.component == "accelerator":
            is_stalled = sample.utilization < self._stalled_utilization
            stalled_j = (stalled_j or 0.0) + (joules if is_stalled else 0.0)
        if sample.attributed_share is not None and 0 <= sample.attributed_share <= 1:
            attributed_j = (attributed_j or 0.0) + joules * sample.attributed_share
        return stalled_j, attributed_j


def _hours(started_s: float, ended_s: float) -> Iterator[tuple[int, float]]:
    """The UTC hours that an interval touches, each with its part of it."""
    hour, last = int(started_s // S_PER_H), int(ended_s // S_PER_H)
    length_s = ended_s - started_s
    while hour <= last:
        inside_s = min(ended_s, (hour + 1) * S_PER_H) - max(started_s, hour * S_PER_H)
        if inside_s > 0 and length_s > 0:
            yield int(hour * S_PER_H), inside_s / length_s
        hour += 1
