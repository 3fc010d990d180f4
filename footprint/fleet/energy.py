"""What a device drew over a job, from readings that know nothing of where the job began and ended.

Between the two readings about an edge the counter tells the sum and power the proportion: the part before the edge
went at the power of the reading before it, the part after it at that of the reading after. Inside, the arithmetic is
that of a tracked run: resets and stuck counters are bridged with power.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from footprint.fleet.readings import Reading
from footprint.measurement.metering import Limits, MeterIntegral
from footprint.units import J_PER_KWH
from footprint.values import Gap, Meter, MeterUsage, Range, Sample

__all__ = ["DeviceEnergy", "Walk", "spanned"]


@dataclass(frozen=True, slots=True)
class DeviceEnergy:
    """What the readings of one device add up to."""

    usage: MeterUsage
    hourly_j: dict[int, float]
    largest_gap_s: float  # between two readings, whether or not the counter went on
    edge_j: float  # by which the two edges can be off
    readings_count: int


class Walk:
    """One device's readings, one by one; bounded memory however many there are.

    Parameters
    ----------
    meter : with its limits; `has_counter` says whether energy or power is read
    started_s, ended_s : the job, on the clock of the readings
    interval_s : usual time between readings
    share : of the device, where readings do not tell
    """

    def __init__(
        self, meter: Meter, started_s: float, ended_s: float, interval_s: float, limits: Limits, share: float = 1.0
    ) -> None:
        self.meter, self.limits = meter, limits
        self.started_s, self.ended_s, self.interval_s = started_s, ended_s, interval_s
        self.integral = MeterIntegral(replace(meter, period_s=interval_s), interval_s, limits, 0.0)
        self._share = share
        self._last: Reading | None = None
        self._has_begun = self._has_ended = False
        self._largest_gap_s = 0.0
        self._edge_low_j = self._edge_high_j = 0.0
        self._count = 0
        self._powers = _Powers(meter)
        self._inside_j: Range | None = None

    def take(self, readings: Iterable[Reading], *, is_jump: bool = False) -> None:
        """The next readings; after a jump the counter is taken to have gone on, and power says nothing of between."""
        for one in readings:
            if (one.energy_j if self.meter.has_counter else one.power_w) is None:
                continue
            last = self._last
            if self._has_ended or (last is not None and one.at_s <= last.at_s):
                continue
            if one.at_s > self.started_s and not self._has_begun:
                self._begin(last, one)
            if self._has_begun and not self._has_ended:
                self._go_on(last, one, is_jump)
            self._last = one
            is_jump = False

    def _go_on(self, last: Reading | None, one: Reading, is_jump: bool) -> None:
        if last is not None and not is_jump:
            inside_s = min(one.at_s, self.ended_s) - max(last.at_s, self.started_s)
            self._largest_gap_s = max(self._largest_gap_s, inside_s)
        if one.at_s >= self.ended_s:
            self._end(last, one)
        else:
            self._push(replace_power(one) if is_jump else one)

    def _push(self, one: Reading, stale_s: float = 0.0) -> None:
        self._share = self._share if one.share is None else one.share
        self._count += 1
        if not self.meter.has_counter:
            self._powers.push(one, self._usual_s())
        sample = Sample(
            self.meter.id, one.at_s, one.energy_j, one.power_w, attributed_share=self._share, stale_s=stale_s
        )
        self.integral.push(sample)

    def _usual_s(self) -> float:
        return self.limits.gap_ratio * self.interval_s

    # edges

    def _begin(self, before: Reading | None, after: Reading) -> None:
        """The reading that there would have been at the start."""
        self._has_begun = True
        if before is not None and after.at_s >= self.ended_s:
            self._within(before, after)
            return
        if before is not None and before.at_s == self.started_s:
            self._push(before._replace(share=None))
            return
        power_w = after.power_w
        if before is None or before.at_s < self.started_s - self._longest_s():
            if after.at_s - self.started_s > self._usual_s() or power_w is None:
                return  # silence is told, and filled in at the end
            energy_j = None if after.energy_j is None else after.energy_j - power_w * (after.at_s - self.started_s)
            self._bound(power_w, after.at_s - self.started_s)
        elif self.meter.has_counter:
            energy_j = self._between(before, after, self.started_s)
        else:
            energy_j = None
        if energy_j is not None:
            energy_j = max(energy_j, 0.0)
        self._push(Reading(self.started_s, energy_j, power_w))

    def _end(self, before: Reading | None, after: Reading | None) -> None:
        """The reading that there would have been at the end."""
        self._has_ended = True
        if before is None or self._inside_j is not None or before.at_s >= self.ended_s:
            return
        if after is not None and after.at_s == self.ended_s:
            self._push(after._replace(share=None, power_w=after.power_w if self.meter.has_counter else before.power_w))
            return
        power_w = before.power_w
        if after is None or after.at_s > self.ended_s + self._longest_s():
            if self.ended_s - before.at_s > self._usual_s() or power_w is None:
                return
            energy_j = None if before.energy_j is None else before.energy_j + power_w * (self.ended_s - before.at_s)
            self._bound(power_w, self.ended_s - before.at_s)
        else:
            energy_j = self._between(before, after, self.ended_s) if self.meter.has_counter else None
        self._push(Reading(self.ended_s, energy_j, power_w))

    def _longest_s(self) -> float:
        """So far apart two readings may be to tell of an edge between them."""
        return max(self._usual_s(), self.ended_s - self.started_s)

    def _between(self, before: Reading, after: Reading, at_s: float) -> float:
        """The counter at a moment between two readings."""
        assert before.energy_j is not None
        assert after.energy_j is not None
        if after.energy_j < before.energy_j:  # a reset, somewhere between: shown as one, it is bridged with power
            return before.energy_j if at_s == self.started_s else 0.0
        part_j, down_j, up_j = _parted(before, after, at_s, self._most_w())
        if at_s == self.started_s:
            up_j, down_j = down_j, up_j
        self._edge_high_j += up_j
        self._edge_low_j += down_j
        return before.energy_j + part_j

    def _within(self, before: Reading, after: Reading) -> None:
        """A job between two readings: what the counter moved, without what was drawn about it."""
        self._has_ended = True
        left_s, inside_s = self.started_s - before.at_s, self.ended_s - self.started_s
        right_s = after.at_s - self.ended_s
        whole_s = left_s + inside_s + right_s
        left_w, right_w = before.power_w, after.power_w
        self._largest_gap_s = inside_s
        self._share = after.share if after.share is not None else (before.share or self._share)
        if not self.meter.has_counter:
            most_j = self._most_w() * inside_s
            middle_j = ((left_w or 0.0) + (right_w or 0.0)) / 2 * inside_s
            self._inside_j = Range(0.0, middle_j, max(most_j if math.isfinite(most_j) else middle_j, middle_j))
            return
        assert before.energy_j is not None
        assert after.energy_j is not None
        moved_j = max(after.energy_j - before.energy_j, 0.0)
        most_j = min(moved_j, self._most_w() * inside_s)
        if left_w is None or right_w is None:
            middle_j = moved_j * inside_s / whole_s
        else:
            middle_j = moved_j - left_w * left_s - right_w * right_s
        middle_j = min(max(middle_j, 0.0), most_j)
        self._edge_low_j, self._edge_high_j = middle_j, most_j - middle_j
        self._inside_j = Range(0.0, middle_j, most_j)

    def _bound(self, power_w: float, seconds: float) -> None:
        """An edge that no reading beyond it bounds."""
        self._edge_low_j += power_w * seconds if math.isfinite(power_w) else 0.0
        rest_w = self._most_w() - power_w
        self._edge_high_j += max(rest_w, 0.0) * seconds if math.isfinite(rest_w) else 0.0

    def _most_w(self) -> float:
        return math.inf if self.meter.max_w is None else self.meter.max_w * self.limits.overshoot_ratio

    # the sum

    def result(self, host: str, audit_ratio: float | None = None) -> DeviceEnergy:
        """Everything that the readings say."""
        if not self._has_ended:
            self._end(self._last if self._has_begun else None, None)
        usage = self.integral.usage(host, self.started_s, self.ended_s)
        duration_s = self.ended_s - self.started_s
        if self._inside_j is not None:
            inside = self._inside_j
            meter = replace(self.meter, share=self._share)
            usage = replace(usage, coverage_share=1.0, gaps=(), mean_w=inside.mid * self._share / duration_s)
            energy = scaled(inside, self._share)
        else:
            whole = usage.it_energy_kwh
            own = usage.attributed_it_energy_kwh
            part = own.mid / whole.mid if own is not None and whole.mid else self._share
            meter = replace(self.meter, share=part)
            energy = self._energy(usage, part)
            usage = replace(usage, mean_w=energy.mid / duration_s)
        band = self.meter.true_over_read_ratio
        kwh = Range(
            energy.low * band.low / J_PER_KWH, energy.mid * band.mid / J_PER_KWH, energy.high * band.high / J_PER_KWH
        )
        ratio = usage.counter_over_power_ratio if audit_ratio is None else audit_ratio
        usage = replace(
            usage, meter=meter, it_energy_kwh=kwh, attributed_it_energy_kwh=None, counter_over_power_ratio=ratio
        )
        hourly = {hour: joules * meter.share for hour, joules in self.integral.hourly_j.items()}
        edge_j = max(self._edge_low_j, self._edge_high_j) * meter.share
        return DeviceEnergy(usage, hourly, self._largest_gap_s, edge_j, self._count)

    def _energy(self, usage: MeterUsage, part: float) -> Range:
        """Joules of the job's part, with what silence and edges leave open."""
        if self.meter.has_counter:
            read = self.integral.joules(self.started_s, self.ended_s)
            band = self.meter.true_over_read_ratio
            mid_j = read.mid / band.mid
            found = Range(min(read.low / band.low, mid_j), mid_j, max(read.high / band.high, mid_j))
        else:
            found = self._powers.joules()
        silent_s = sum(g.ended_utc_s - g.started_utc_s for g in usage.gaps if _is_silence(g))
        told_s = max(self.ended_s - self.started_s - silent_s, 0.0)
        mean_w = found.mid / told_s if told_s else 0.0
        idle_w = min(self.meter.idle_w or 0.0, mean_w)
        most_w = max(self.meter.max_w or mean_w, mean_w)
        low = found.low + idle_w * silent_s - self._edge_low_j
        mid = found.mid + mean_w * silent_s
        high = found.high + most_w * silent_s + self._edge_high_j
        return scaled(Range(min(max(low, 0.0), mid), mid, max(high, mid)), part)


def _parted(before: Reading, after: Reading, at_s: float, most_w: float) -> tuple[float, float, float]:
    """What a counter moved from a reading to a moment before the next, and by how much less or more it can be."""
    left_s, right_s = at_s - before.at_s, after.at_s - at_s
    moved_j = (after.energy_j or 0.0) - (before.energy_j or 0.0)
    least_j = max(0.0, moved_j - most_w * right_s)
    most_j = min(moved_j, most_w * left_s)
    left_w, right_w = before.power_w, after.power_w
    if left_w is None or right_w is None or left_w * left_s + right_w * right_s <= 0:
        part_j = moved_j * left_s / (left_s + right_s)
    else:
        part_j = moved_j * left_w * left_s / (left_w * left_s + right_w * right_s)
    part_j = min(max(part_j, least_j), max(most_j, least_j))
    return part_j, part_j - least_j, max(most_j - part_j, 0.0)


def spanned(
    edges: tuple[Reading, Reading, Reading, Reading], started_s: float, ended_s: float, most_w: float
) -> tuple[float, float, float]:
    """Joules between two moments, and by how much less or more: of a counter that only rose, from the readings
    before and after both, as `Walk` has them. The moments must lie in two intervals."""
    found: list[tuple[float, float, float]] = []
    for before, after, at_s in ((*edges[:2], started_s), (*edges[2:], ended_s)):
        part = (0.0, 0.0, 0.0) if before.at_s == at_s else _parted(before, after, at_s, most_w)
        found.append(((before.energy_j or 0.0) + part[0], part[1], part[2]))
    (first_j, first_down_j, first_up_j), (last_j, last_down_j, last_up_j) = found
    return last_j - first_j, first_up_j + last_down_j, first_down_j + last_up_j


class _Powers:
    """Watts over time: trapezoids, and where a gap is, between idle and the limit."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._last: Reading | None = None
        self._low_j = self._mid_j = self._high_j = 0.0
        self._count, self._square_sum = 0, 0.0

    def push(self, one: Reading, usual_s: float) -> None:
        last, self._last = self._last, one
        if last is None or last.power_w is None or one.power_w is None:
            return
        elapsed_s = one.at_s - last.at_s
        drawn_j = (last.power_w + one.power_w) / 2 * elapsed_s
        self._mid_j += drawn_j
        if elapsed_s <= usual_s:
            self._low_j += drawn_j
            self._high_j += drawn_j
            self._count += 1
            self._square_sum += ((one.power_w - last.power_w) / 2 * elapsed_s) ** 2
            return
        self._low_j += min(drawn_j, (self._meter.idle_w or 0.0) * elapsed_s)
        self._high_j += max(drawn_j, (self._meter.max_w or 0.0) * elapsed_s)

    def joules(self) -> Range:
        """Between readings power is not seen: each interval is off by half its change or so, and such errors add
        like a random walk; two of their deviations."""
        unseen_j = 2 * math.sqrt(self._square_sum)
        return Range(max(min(self._low_j - unseen_j, self._mid_j), 0.0), self._mid_j, self._high_j + unseen_j)


def _is_silence(gap: Gap) -> bool:
    return gap.reason in ("did not answer yet", "ceased to answer", "never answered")


def replace_power(one: Reading) -> Reading:
    return one._replace(power_w=None)


def scaled(joules: Range, share: float) -> Range:
    return Range(joules.low * share, joules.mid * share, joules.high * share)
