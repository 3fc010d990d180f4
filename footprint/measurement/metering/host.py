"""All meters of a host, and the curve of their sum."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from footprint.measurement.metering.meter import Limits, MeterIntegral
from footprint.units import J_PER_KWH
from footprint.values import Meter, MeterUsage, Range, Sample

__all__ = ["HostIntegral"]


@dataclass(slots=True)
class HostIntegral:
    """All meters of a host over one segment, and the curve of their sum that windows are read from."""

    meters: Sequence[Meter]
    interval_s: float
    limits: Limits
    utc_offset_s: float
    by_meter: dict[str, MeterIntegral] = field(default_factory=dict)
    curve: list[tuple[float, float]] = field(default_factory=list)  # (seconds, joules so far)
    keeps_curve: bool = False
    _total_j: float = 0.0
    _begun_s: dict[str, float] = field(default_factory=dict)
    _ended_s: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for meter in self.meters:
            self.add(meter)

    def add(self, meter: Meter) -> None:
        """A meter that was not there from the start; one that is there already stays as it is."""
        if meter.id not in self.by_meter:
            self.by_meter[meter.id] = MeterIntegral(meter, self.interval_s, self.limits, self.utc_offset_s)

    def push(self, at_s: float, samples: Sequence[Sample], is_edge: bool = False) -> float:
        """Take one reading of the host; returns the joules since the last one."""
        if is_edge:
            for sample in samples:
                self.by_meter[sample.meter].push_edge(sample)
            return 0.0
        joules = 0.0
        for sample in samples:
            one = self.by_meter[sample.meter]
            since_s = one.last.at_s if one.last is not None else math.inf
            added_j = one.push(sample)
            joules += added_j
            if self.keeps_curve and len(self.curve) > 1 and since_s < self.curve[-2][0]:
                self._spread(added_j, since_s, sample.at_s)
        self._total_j += joules
        if self.keeps_curve and samples:
            self.curve.append((at_s, self._total_j))
        return joules

    def _spread(self, joules: float, since_s: float, until_s: float) -> None:
        """A meter that is read more rarely than others: its straight line lies under the points in between, too."""
        per_s = joules / (until_s - since_s) if until_s > since_s else 0.0
        for place in range(len(self.curve) - 1, -1, -1):
            at_s, total_j = self.curve[place]
            if at_s <= since_s:
                return
            self.curve[place] = (at_s, total_j + per_s * (at_s - since_s))

    def live_j(self) -> float:
        """Joules so far, edges left as they are."""
        return sum(one.live_j() for one in self.by_meter.values())

    def bound(self, meters: Iterable[str], begun_s: float | None = None, ended_s: float | None = None) -> None:
        """Between which moments the training ran: its first reading is a little older, its last one a little younger,
        the more so the busier the host."""
        for meter in meters:
            if begun_s is not None:
                self._begun_s[meter] = begun_s
            if ended_s is not None:
                self._ended_s[meter] = ended_s

    def usages(self, host: str, started_s: float, ended_s: float) -> tuple[MeterUsage, ...]:
        """What each meter's samples add up to, within its bounds."""
        return tuple(self._within(one, one.usage(host, started_s, ended_s)) for one in self.by_meter.values())

    def _within(self, one: MeterIntegral, usage: MeterUsage) -> MeterUsage:
        """Without what was drawn outside the bounds: at the nearest reading's power, at most at the limit."""
        if one.first is None or one.last is None or not usage.mean_w:
            return usage
        meter, energy = one.meter, usage.it_energy_kwh
        early_s = max(self._begun_s.get(meter.id, -math.inf) - one.first.at_s, 0.0)
        late_s = max(one.last.at_s - self._ended_s.get(meter.id, math.inf), 0.0)
        to_kwh = meter.share * meter.true_over_read_ratio.mid / J_PER_KWH
        mean_w = usage.mean_w / meter.share
        first_w, last_w = one.edge_w()
        middle_kwh = min((first_w * early_s + last_w * late_s) * to_kwh, energy.mid)
        most_w = max(meter.max_w or one.peak_w or mean_w, first_w, last_w)
        most_kwh = min(most_w * (early_s + late_s) * to_kwh, energy.low)
        middle = energy.mid - middle_kwh
        within = Range(min(energy.low - most_kwh, middle), middle, energy.high)
        return _scaled(usage, within, middle / energy.mid if energy.mid else 0.0)

    def hourly_j(self) -> Mapping[int, float]:
        """Joules by the hour of UTC in which they were drawn."""
        total: dict[int, float] = {}
        for one in self.by_meter.values():
            for hour, joules in one.hourly_j.items():
                total[hour] = total.get(hour, 0.0) + joules
        return total


def _scaled(usage: MeterUsage, energy: Range, ratio: float) -> MeterUsage:
    """The same with other energy; what is a part of it goes with its mid."""
    attributed, stalled = usage.attributed_it_energy_kwh, usage.stalled_it_energy_kwh
    if attributed is not None:
        attributed = Range(attributed.low * ratio, attributed.mid * ratio, attributed.high * ratio)
    return replace(
        usage,
        it_energy_kwh=energy,
        mean_w=None if usage.mean_w is None else usage.mean_w * ratio,
        attributed_it_energy_kwh=attributed,
        stalled_it_energy_kwh=None if stalled is None else stalled * ratio,
    )
