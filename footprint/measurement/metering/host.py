"""All meters of a host, and the curve of their sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from footprint.measurement.metering.meter import Limits, MeterIntegral
from footprint.values import Meter, MeterUsage, Sample

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
            joules += self.by_meter[sample.meter].push(sample)
        self._total_j += joules
        if self.keeps_curve and samples:
            self.curve.append((at_s, self._total_j))
        return joules

    def live_j(self) -> float:
        """Joules so far, edges left as they are."""
        return sum(one.live_j() for one in self.by_meter.values())

    def usages(self, host: str, started_s: float, ended_s: float) -> tuple[MeterUsage, ...]:
        """What each meter's samples add up to."""
        return tuple(one.usage(host, started_s, ended_s) for one in self.by_meter.values())

    def hourly_j(self) -> Mapping[int, float]:
        """Joules by the hour of UTC in which they were drawn."""
        total: dict[int, float] = {}
        for one in self.by_meter.values():
            for hour, joules in one.hourly_j.items():
                total[hour] = total.get(hour, 0.0) + joules
        return total
