"""Adds samples up to energy, with what is not known of it: the same arithmetic for a live run and for a journal.

A counter shows the true energy of its last update, up to a period ago. Inside a run that cancels; at the two edges
it does not, so they are read fast until the counter moves (`push_edge`), which tells how old it was. Bounds follow
from what cannot be otherwise: energy never falls, and power stays between idle and the device's limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from footprint.measurement.metering.parts import Audit, Parts
from footprint.measurement.metering.soundness import sound
from footprint.units import J_PER_KWH
from footprint.values import Gap, Meter, MeterUsage, Range, Sample

__all__ = ["Limits", "MeterIntegral"]

MOST_GAPS = 100
"""Further ones are added to the last: memory stays bounded however broken a sensor is."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a reading is told apart; from `data/constants.csv`."""

    stalled_utilization: float  # below it a device does next to nothing
    gap_ratio: float  # an interval so many times the usual one is a gap
    period_s: float  # of a counter whose period nobody knows
    overshoot_ratio: float  # of the power limit, for a moment


@dataclass(slots=True)
class _Bounds:
    """A sum with its ends."""

    low: float = 0.0
    mid: float = 0.0
    high: float = 0.0

    def add(self, low: float, mid: float, high: float) -> None:
        self.low += low
        self.mid += mid
        self.high += high


class MeterIntegral:
    """One meter's energy, sample by sample.

    Parameters
    ----------
    meter : what is read, with its period, window and limits
    interval_s : seconds, usual time between samples
    limits : when a reading is a gap, a stall or impossible
    utc_offset_s : seconds from the monotonic clock to UTC, for the labels of gaps and hours
    """

    def __init__(self, meter: Meter, interval_s: float, limits: Limits, utc_offset_s: float) -> None:
        self.meter, self.limits, self.utc_offset_s = meter, limits, utc_offset_s
        self.interval_s = interval_s
        self.first: Sample | None = None
        self.last: Sample | None = None
        self.gaps: list[Gap] = []
        self.resets_count = 0
        self.peak_w: float | None = None
        self._sum = _Bounds()
        self._count = 0
        self._unmeasured_s = self._observed_s = self._span_s = self._read_j = 0.0
        self._audit, self._parts = Audit(), Parts(meter, limits.stalled_utilization, utc_offset_s)
        self._is_stuck = False
        self._bridged_until_s = -math.inf
        self._owed_since_s: float | None = None  # a counter stands still, but is not taken for stuck yet
        self._owed_j = 0.0  # drawn meanwhile, by power
        self._edge_w = (0.0, 0.0)  # in the first interval and in the last one
        self._start_ticks: list[Sample] = []
        self._end_edges: list[Sample] = []

    # adding

    def push(self, sample: Sample) -> float:
        """Take the next sample; returns the joules since the last one (mid, my share of the device)."""
        sample = sound(sample)
        if sample.power_w is not None:
            self.peak_w = sample.power_w if self.peak_w is None else max(self.peak_w, sample.power_w)
        number = sample.energy_j if self.meter.has_counter else sample.power_w
        if number is None or not math.isfinite(sample.at_s):
            return 0.0
        if self.last is None:
            self.first = self.last = sample
            self._audit.begin(sample)
            return 0.0
        elapsed_s = sample.at_s - self.last.at_s
        if elapsed_s <= 0:
            return 0.0  # the same reading again, from another file or an unchanged sensor
        self._count += 1
        joules = (self._counted if self.meter.has_counter else self._powered)(self.last, sample, elapsed_s)
        self._span_s += elapsed_s
        self._parts.add(joules, self.last, sample)
        self._end_edges.clear()
        near_w = joules / elapsed_s if self.meter.has_counter else sample.power_w or 0.0
        self._edge_w = (near_w if self._count == 1 else self._edge_w[0], near_w)
        self.last = sample
        return joules * self.meter.share

    def push_edge(self, sample: Sample) -> None:
        """Take a fast reading of the counter after the first sample or after the last one."""
        sample = sound(sample)
        if self.last is None or sample.energy_j is None:
            return
        edges = self._end_edges if self._count else self._start_ticks
        before = edges[-1] if edges else self.last
        is_tick = before.energy_j is not None and sample.energy_j > before.energy_j
        if before.at_s < sample.at_s < math.inf and (is_tick or self._count):
            edges.append(sample)

    def _counted(self, last: Sample, sample: Sample, elapsed_s: float) -> float:
        assert last.energy_j is not None
        assert sample.energy_j is not None
        moved_j, wraps_at_j = sample.energy_j - last.energy_j, self.meter.wraps_at_j or math.inf
        most_j = self._most_w() * self.limits.overshoot_ratio * (elapsed_s + self._longest_period_s())
        if moved_j < 0 and math.isfinite(wraps_at_j) and moved_j + wraps_at_j <= most_j:
            moved_j += wraps_at_j
        power_w = sample.power_w
        if power_w is not None and last.power_w is not None:
            power_w = (last.power_w + power_w) / 2
        drawn_j = (self._mean_w() if power_w is None else power_w) * elapsed_s
        if not 0 <= moved_j <= most_j:
            self.resets_count += 1
            since_j = sample.energy_j if moved_j < 0 and sample.energy_j <= most_j else 0.0
            return self._bridge(last.at_s, sample, since_j, drawn_j, "the counter was reset")
        if moved_j + wraps_at_j <= most_j < math.inf:
            return self._bridge(last.at_s, sample, moved_j, drawn_j, "the counter may have wrapped more than once")
        is_still = not moved_j and power_w != 0.0  # nothing that is on draws nothing
        if is_still or self._is_stuck or self._owed_since_s is not None:
            since_s, untold_j = self._untold(is_still, last.at_s, sample.at_s, drawn_j)
            if since_s is not None:
                return self._bridge(since_s, sample, 0.0, untold_j, "the counter stood still")
        self._sum.add(moved_j, moved_j, moved_j)
        self._audit.add(moved_j, sample)
        return moved_j

    def _untold(self, is_still: bool, started_s: float, ended_s: float, drawn_j: float) -> tuple[float | None, float]:
        """Since when, and joules, that a counter misses which stands still, and which wakes: that move may hold them.

        What it had not moved for some intervals before it is taken for stuck is owed, and bridged with the rest.
        """
        was_stuck, self._is_stuck = self._is_stuck, False
        if is_still:
            started_s = started_s if self._owed_since_s is None else self._owed_since_s
            drawn_j += self._owed_j
            self._is_stuck = was_stuck or ended_s - started_s > self._usual_s()
        is_owed = is_still and not self._is_stuck
        self._owed_since_s, self._owed_j = (started_s, drawn_j) if is_owed else (None, 0.0)
        return (started_s if was_stuck or self._is_stuck else None), drawn_j

    def _bridge(self, started_s: float, sample: Sample, least_j: float, drawn_j: float, reason: str) -> float:
        """An interval that the counter does not tell: integrated power, at least what it counted since it restarted."""
        ended_s = sample.at_s
        elapsed_s = ended_s - started_s
        is_first = self._bridged_until_s != started_s  # then a counter behind by a period may have to make it up
        most_j = max(self._most_w() * (elapsed_s + (self._longest_period_s() if is_first else 0.0)), least_j)
        most_j = most_j if math.isfinite(most_j) else max(least_j, drawn_j)
        middle_j = min(max(drawn_j, least_j), most_j)
        self._sum.add(least_j, middle_j, most_j)
        self._unmeasured_s += elapsed_s
        self._bridged_until_s = ended_s
        self._audit.begin(sample)
        self._tell_gap(started_s, ended_s, reason)
        return middle_j

    def _powered(self, last: Sample, sample: Sample, elapsed_s: float) -> float:
        assert self.first is not None
        assert last.power_w is not None
        assert sample.power_w is not None
        window_s = self.meter.window_s
        if window_s is None:  # a mean since the reading before
            joules = sample.power_w * elapsed_s
            self._sum.add(joules, joules, joules)
            self._read_j += joules
            self._observed_s += elapsed_s
            return joules
        # from the middle of the last window to that of this one, as far as they lie inside the run
        reach_s = min(max(sample.at_s - self.first.at_s - window_s / 2, 0.0), elapsed_s)
        is_before = reach_s < elapsed_s and window_s > elapsed_s / 2  # the run: what the last reading tells of
        joules = (sample.power_w if is_before else (last.power_w + sample.power_w) / 2) * reach_s
        if elapsed_s > self._usual_s():
            least_j, most_j = (self.meter.idle_w or 0.0) * elapsed_s, self._most_w() * elapsed_s
            self._sum.add(min(least_j, joules), joules, max(most_j, joules) if math.isfinite(most_j) else joules)
            self._unmeasured_s += elapsed_s
            self._tell_gap(last.at_s, sample.at_s, "no reading")
        else:
            self._sum.add(joules, joules, joules)
            self._read_j += joules
            self._observed_s += min(window_s, elapsed_s)
        return joules

    def _tell_gap(self, started_s: float, ended_s: float, reason: str) -> None:
        started, ended = started_s + self.utc_offset_s, ended_s + self.utc_offset_s
        before = self.gaps[-1] if self.gaps else None
        if before and before.reason == reason and (before.ended_utc_s == started or len(self.gaps) >= MOST_GAPS):
            self.gaps[-1] = Gap(before.started_utc_s, ended, reason)
        elif len(self.gaps) < MOST_GAPS:
            self.gaps.append(Gap(started, ended, reason))

    # what is known

    @property
    def hourly_j(self) -> dict[int, float]:
        """Joules by the hour of UTC in which they were drawn, my share of the device."""
        return self._parts.hourly_j

    def _period_s(self) -> float:
        """Between two updates: as seen at the start, else as the sensor is known to have it."""
        if len(self._start_ticks) > 1:
            return (self._start_ticks[-1].at_s - self._start_ticks[0].at_s) / (len(self._start_ticks) - 1)
        return self.meter.period_s if self.meter.period_s is not None else self.limits.period_s

    def _longest_period_s(self) -> float:
        """The same at most: the first update seen may have come right after the reading before it."""
        if len(self._start_ticks) > 1:
            return self._period_s() + (self._start_ticks[0].stale_s or 0.0) / (len(self._start_ticks) - 1)
        return self._period_s()

    def _usual_s(self) -> float:
        """Between two readings, at most; what is longer is a gap."""
        return self.limits.gap_ratio * max(self.interval_s, self._period_s())

    def _mean_w(self) -> float:
        """So far, as far as it was told."""
        owed_s = 0.0 if self._owed_since_s is None or self.last is None else self.last.at_s - self._owed_since_s
        return self._sum.mid / (self._span_s - owed_s) if self._span_s > owed_s else 0.0

    def _most_w(self) -> float:
        return self.meter.max_w if self.meter.max_w is not None else math.inf

    def power_w(self) -> float | None:
        """The last reading of power, else what the counter says since then; my share of the device."""
        if self.last is None or (self.last.power_w is None and not self._span_s):
            return None
        power_w = self.last.power_w if self.last.power_w is not None else self._audit.since_w(self.last)
        return (self._mean_w() if power_w is None else power_w) * self.meter.share

    def edge_w(self) -> tuple[float, float]:
        """Power right after the first sample and right before the last one, the whole device's."""
        first_w, last_w = self._edge_w
        if self._start_ticks and self.first is not None and self.first.energy_j is not None:
            tick, lacked_j = self._start_ticks[-1], self._before_start().mid
            first_w = max((tick.energy_j or 0.0) - self.first.energy_j - lacked_j, 0.0) / (tick.at_s - self.first.at_s)
        return first_w, last_w

    def live_j(self) -> float:
        """Joules so far without the edges, my share of the device."""
        return self._sum.mid * self.meter.share * self.meter.true_over_read_ratio.mid

    def joules(self, started_s: float, ended_s: float) -> Range:
        """Energy from the first to the last sample, edges put right, with its bounds; the whole device's."""
        total = _Bounds(self._sum.low, self._sum.mid, self._sum.high)
        if self.first is None or self.last is None:
            return Range.exactly(0.0)
        if self.meter.has_counter:
            before, after = self._before_start(), self._after_end()
            total.add(after.low - before.high, after.mid - before.mid, after.high - before.low)
        elif self._count:
            self._add_power_edges(total, self.meter.window_s or 0.0, ended_s)
        ratio = self.meter.true_over_read_ratio
        low, mid, high = max(total.low, 0.0), max(total.mid, 0.0), max(total.high, 0.0)
        low, high = min(low, mid), max(mid, high)
        return Range(low * ratio.low, mid * ratio.mid, high * ratio.high)

    def _before_start(self) -> Range:
        """Joules that the counter lacked at the first sample."""
        assert self.first is not None
        if self.first.stale_s is not None or not self._start_ticks:
            return self._unseen(self.first, 0.0)
        return self._within_tick(self.first, self._start_ticks[0])

    def _after_end(self) -> Range:
        """Joules that the counter lacked at the last sample."""
        assert self.last is not None
        if self.last.stale_s is not None or not self._end_edges:
            return self._unseen(self.last, 0.0)
        energy_j = self.last.energy_j or 0.0
        for edge in self._end_edges:
            if edge.energy_j is not None and edge.energy_j > energy_j:
                return self._within_tick(self.last, edge)
        return self._unseen(self.last, self._end_edges[-1].at_s - self.last.at_s)

    def _within_tick(self, sample: Sample, tick: Sample) -> Range:
        """How much of a tick's joules fell before a sample that was taken inside it."""
        assert sample.energy_j is not None
        assert tick.energy_j is not None
        period_s, most_w = self._period_s(), self._most_w()
        tick_j, later_s, slack_s = tick.energy_j - sample.energy_j, tick.at_s - sample.at_s, tick.stale_s or 0.0
        age_s = min(max(period_s - later_s, 0.0), period_s)
        middle_j = tick_j * age_s / period_s if period_s else 0.0
        if not math.isfinite(most_w):
            return Range(0.0, min(middle_j, tick_j), tick_j)
        low = max(0.0, tick_j - most_w * (later_s + slack_s))
        high = min(tick_j, most_w * max(self._longest_period_s() - later_s + slack_s, 0.0))
        return Range(min(low, middle_j), middle_j, max(high, middle_j))

    def _unseen(self, sample: Sample, still_s: float) -> Range:
        """A counter that stood still for `still_s` after a sample: at the sample it was no older than the rest."""
        most_stale_s = math.inf if sample.stale_s is None else sample.stale_s
        age_s, oldest_s = (
            min(max(period_s - still_s, 0.0), most_stale_s) for period_s in (self._period_s(), self._longest_period_s())
        )
        now_w = sample.power_w if sample.power_w is not None else self._mean_w()
        most_w = self._most_w() if math.isfinite(self._most_w()) else max(self.peak_w or 0.0, now_w, self._mean_w())
        middle_j = min(now_w, most_w) * age_s / 2
        return Range(0.0, middle_j, max(most_w * oldest_s, middle_j))

    def _add_power_edges(self, total: _Bounds, window_s: float, ended_s: float) -> None:
        """The half window after the last reading, the time since it, and what a sensor that looks away cannot see."""
        assert self.last is not None
        last_w, idle_w = self.last.power_w or 0.0, self.meter.idle_w or 0.0
        most_w = max(self._most_w() if math.isfinite(self._most_w()) else (self.peak_w or 0.0), last_w)
        rest_s = max(ended_s - self.last.at_s, 0.0)
        if rest_s > self._usual_s():
            rest_s = 0.0  # it had ceased to answer: told as a gap, not guessed
        edge_s = min(window_s / 2, self._span_s) + rest_s
        # at the start, half a window may tell of the time before the run
        start_j = most_w * window_s / 2
        read_s = self._span_s - self._unmeasured_s
        unseen_s = max(read_s - self._observed_s, 0.0)
        unseen_j = self._read_j * unseen_s / read_s if unseen_s else 0.0
        low_j = min(last_w, idle_w) * edge_s - start_j + min(idle_w * unseen_s, unseen_j) - unseen_j
        high_j = most_w * edge_s + start_j + max(most_w * unseen_s, unseen_j) - unseen_j
        total.add(low_j, last_w * edge_s, high_j)

    def usage(self, host: str, started_s: float, ended_s: float) -> MeterUsage:
        """Everything that the samples say, over a run from `started_s` to `ended_s`."""
        energy, share = self.joules(started_s, ended_s), self.meter.share
        duration_s = max(ended_s - started_s, 0.0)
        silent_s = self._silence(started_s, ended_s)
        measured_s = max(duration_s - silent_s - self._unmeasured_s, 0.0)
        correction = energy.mid / self._sum.mid if self._sum.mid else 1.0
        stalled_j, attributed_j, attributed = self._parts.stalled_j, self._parts.attributed_j, None
        if attributed_j is not None and energy.mid:
            part = min(attributed_j * correction / energy.mid, 1.0)
            attributed = _kwh(energy, share * part)
        return MeterUsage(
            host=host,
            meter=self.meter,
            it_energy_kwh=_kwh(energy, share),
            duration_s=duration_s,
            coverage_share=min(measured_s / duration_s, 1.0) if duration_s else 0.0,
            mean_w=energy.mid * share / duration_s if duration_s else None,
            peak_w=None if self.peak_w is None else self.peak_w * share,
            stalled_it_energy_kwh=None if stalled_j is None else stalled_j * correction * share / J_PER_KWH,
            attributed_it_energy_kwh=attributed,
            counter_over_power_ratio=self._audit.ratio,
            resets_count=self.resets_count,
            gaps=tuple(self._all_gaps(started_s, ended_s)),
        )

    def _silence(self, started_s: float, ended_s: float) -> float:
        """Seconds before the first and after the last sample, where they are more than an interval or two."""
        return sum(end - start for start, end, _ in self._silences(started_s, ended_s))

    def _silences(self, started_s: float, ended_s: float) -> Iterator[tuple[float, float, str]]:
        usual_s = self._usual_s()
        if self.first is None or self.last is None:
            yield started_s, ended_s, "never answered"
            return
        if self.first.at_s - started_s > usual_s:
            yield started_s, self.first.at_s, "did not answer yet"
        if ended_s - self.last.at_s > usual_s:
            yield self.last.at_s, ended_s, "ceased to answer"

    def _all_gaps(self, started_s: float, ended_s: float) -> Iterator[Gap]:
        yield from self.gaps
        for start, end, reason in self._silences(started_s, ended_s):
            yield Gap(start + self.utc_offset_s, end + self.utc_offset_s, reason)


def _kwh(joules: Range, share: float) -> Range:
    return Range(*(end * share / J_PER_KWH for end in (joules.low, joules.mid, joules.high)))
