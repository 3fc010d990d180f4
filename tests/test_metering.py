"""Samples of sensors whose true energy is known add up to it, and the range says how far off they can be."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from emulator.waves import Constant, Sine, Square, Wave
from hypothesis import given, settings
from hypothesis import strategies as st

from footprint.measurement.metering import HostIntegral, Limits, MeterIntegral
from footprint.measurement.metering.meter import MOST_GAPS
from footprint.units import J_PER_KWH
from footprint.values import Meter, Range, Sample

LIMITS = Limits(stalled_utilization=0.05, gap_ratio=3.0, period_s=0.1, overshoot_ratio=1.5)
MOST_W = 700.0
QUICK_S = 0.004
"""Between two fast readings."""
START_EDGE_S, END_EDGE_S = 0.3, 0.035
MILLIJOULE = 0.001
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def counting(**changes: object) -> Meter:
    """A device with a counter of energy, as NVML has it."""
    plain = Meter("gpu", "accelerator", "H100", "nvml", "gpu", "measured", has_counter=True, period_s=0.1, max_w=MOST_W)
    return replace(plain, **changes)  # type: ignore[arg-type]


def of_power(window_s: float | None, **changes: object) -> Meter:
    """A device that shows watts alone."""
    return counting(**{"has_counter": False, "window_s": window_s, "idle_w": 60.0} | changes)


def integral(
    meter: Meter, samples: Iterable[Sample] = (), interval_s: float = 1.0, utc_s: float = 0.0
) -> MeterIntegral:
    found = MeterIntegral(meter, interval_s, LIMITS, utc_s)
    for sample in samples:
        found.push(sample)
    return found


def joules(at_s: float, energy_j: float | None, power_w: float | None = None, **more: float) -> Sample:
    return Sample("gpu", at_s, energy_j=energy_j, power_w=power_w, **more)


def watts(at_s: float, power_w: float, **more: float) -> Sample:
    return Sample("gpu", at_s, power_w=power_w, **more)


@dataclass(frozen=True)
class Counter:
    """A counter that shows, in millijoules, the energy up to its last update."""

    wave: Wave
    period_s: float
    phase_s: float = 0.0

    def read(self, at_s: float, stale_s: float | None = None) -> Sample:
        updated_s = self.phase_s + math.floor((at_s - self.phase_s) / self.period_s) * self.period_s
        return joules(at_s, round(1e6 + self.wave.energy_j(updated_s), 3), stale_s=stale_s)  # type: ignore[arg-type]


def measured(
    counter: Counter,
    started_s: float,
    duration_s: float,
    *,
    has_edges: bool,
    meter: Meter | None = None,
    quick_s: float = QUICK_S,
    interval_s: float = 1.0,
) -> tuple[Range, float]:
    """Read as the sampler reads: once, fast until two updates, each interval, once more, fast until one update."""
    found = MeterIntegral(meter or counting(period_s=counter.period_s), interval_s, LIMITS, 0.0)
    ended_s = started_s + duration_s

    def follow(last: Sample, wanted: int, most_s: float) -> None:
        at_s, seen = last.at_s, 0
        while seen < wanted and at_s - found.last.at_s < most_s:  # type: ignore[union-attr]
            at_s += quick_s
            quick = counter.read(at_s, stale_s=at_s - last.at_s)
            if quick.energy_j != last.energy_j:
                found.push_edge(quick)
                seen += 1
            last = quick
        if not seen:
            found.push_edge(replace(last, stale_s=None))

    found.push(counter.read(started_s))
    if has_edges:
        follow(counter.read(started_s), 2, START_EDGE_S)
    for number in range(1, math.ceil(duration_s / interval_s)):
        found.push(counter.read(started_s + number * interval_s))
    found.push(counter.read(ended_s))
    if has_edges:
        follow(counter.read(ended_s), 1, END_EDGE_S)
    return found.joules(started_s, ended_s), counter.wave.energy_j(ended_s) - counter.wave.energy_j(started_s)


def squares(low_w: float = 60.0) -> st.SearchStrategy[Square]:
    """Loads that jump between idle and the limit, each 0.05 to 7 s, at any phase."""
    return st.builds(
        Square,
        st.just(low_w),
        st.floats(low_w, MOST_W),
        st.floats(0.05, 7.0),
        st.floats(0.05, 0.95),
        st.floats(0.0, 7.0),
    )


def sines() -> st.SearchStrategy[Sine]:
    return st.builds(Sine, st.just(380.0), st.floats(0.0, 320.0), st.floats(0.05, 7.0), st.floats(0.0, 7.0))


# a counter


def test_energy_is_the_difference_of_two_counts_whatever_they_start_from() -> None:
    for start_j in (0.0, 1e9):
        found = integral(counting(), [joules(0, start_j), joules(1, start_j + 300), joules(2, start_j + 900)])
        assert found.live_j() == pytest.approx(900.0, abs=1e-6)


@given(
    wave=squares() | sines(),
    period_s=st.sampled_from((0.02, 0.05, 0.1)),
    phase_s=st.floats(0.0, 0.1),
    started_s=st.floats(100.0, 107.0),
    duration_s=st.floats(0.3, 60.0),
)
@settings(max_examples=120, deadline=None)
def test_true_energy_lies_in_the_range_and_within_half_an_update_of_the_mid_where_edges_are_read(
    wave: Wave, period_s: float, phase_s: float, started_s: float, duration_s: float
) -> None:
    counter = Counter(wave, period_s, phase_s)
    found, true_j = measured(counter, started_s, duration_s, has_edges=True)
    assert found.low - MILLIJOULE <= true_j <= found.high + MILLIJOULE
    # a quarter of an update an edge by how its joules lie in it, and how well fast readings know its age and length;
    # an update that does not come within END_EDGE_S leaves half of the rest
    timing_s = 4 * QUICK_S
    end_s = max(period_s / 4, (period_s - END_EDGE_S) / 2)
    assert abs(found.mid - true_j) <= MOST_W * (period_s / 4 + end_s + timing_s)


@given(
    wave=squares() | sines(),
    period_s=st.sampled_from((0.02, 0.05, 0.1)),
    phase_s=st.floats(0.0, 0.1),
    started_s=st.floats(100.0, 107.0),
    duration_s=st.floats(0.3, 60.0),
    is_known=st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_true_energy_lies_in_the_range_and_within_an_update_of_the_mid_without_edges(
    wave: Wave, period_s: float, phase_s: float, started_s: float, duration_s: float, is_known: bool
) -> None:
    meter = counting(period_s=period_s if is_known else None)
    found, true_j = measured(Counter(wave, period_s, phase_s), started_s, duration_s, has_edges=False, meter=meter)
    assert found.low - MILLIJOULE <= true_j <= found.high + MILLIJOULE
    assert abs(found.mid - true_j) <= MOST_W * period_s + MILLIJOULE


@given(
    wave=squares(), quick_s=st.floats(0.001, 0.05), phase_s=st.floats(0.0, 0.1), started_s=st.floats(100.0, 107.0),
    duration_s=st.floats(0.5, 20.0),
)  # fmt: skip
@settings(max_examples=120, deadline=None)
def test_fast_readings_that_come_late_widen_the_range_and_never_leave_the_truth_outside(
    wave: Wave, quick_s: float, phase_s: float, started_s: float, duration_s: float
) -> None:
    found, true_j = measured(
        Counter(wave, 0.1, phase_s), started_s, duration_s, has_edges=True, quick_s=quick_s,
        meter=counting(period_s=None),
    )  # fmt: skip
    assert found.low - MILLIJOULE <= true_j <= found.high + MILLIJOULE


def test_a_constant_load_is_known_to_a_few_fast_readings_where_edges_are_read() -> None:
    for phase_s in (0.0, 0.013, 0.05, 0.099):
        found, true_j = measured(Counter(Constant(300.0), 0.1, phase_s), 100.0, 2.0, has_edges=True)
        assert found.mid == pytest.approx(true_j, abs=300.0 * (4 * QUICK_S + (0.1 - END_EDGE_S) / 2))


def test_reading_the_edges_narrows_the_range_of_a_short_run() -> None:
    counter = Counter(Square(60.0, 600.0, 0.7, 0.4), 0.1, 0.033)
    with_edges, _ = measured(counter, 100.0, 1.0, has_edges=True)
    without, _ = measured(counter, 100.0, 1.0, has_edges=False)
    assert with_edges.high - with_edges.low < 0.7 * (without.high - without.low)


def test_the_range_of_a_counter_does_not_grow_with_the_run() -> None:
    short, _ = measured(Counter(Constant(400.0), 0.1, 0.03), 100.0, 5.0, has_edges=True)
    long, _ = measured(Counter(Constant(400.0), 0.1, 0.03), 100.0, 500.0, has_edges=True)
    assert long.high - long.low == pytest.approx(short.high - short.low, abs=0.1)


def test_a_counter_that_says_how_old_it_is_needs_no_edges() -> None:
    meter = counting(period_s=0.001, max_w=350.0)
    found = integral(meter, [joules(0, 0.0, stale_s=0.001), joules(10, 2000.0, stale_s=0.001)])
    assert found.joules(0, 10) == Range(2000.0 - 0.35, 2000.0, 2000.0 + 0.35)


def test_the_sensors_own_error_is_put_on_after_the_edges() -> None:
    exact = counting(period_s=0.0)
    off = replace(exact, true_over_read_ratio=Range(0.9, 1.02, 1.1))
    samples = [joules(0, 0.0), joules(10, 1000.0)]
    assert integral(exact, samples).joules(0, 10) == Range.exactly(1000.0)
    assert integral(off, samples).joules(0, 10) == Range(900.0, 1020.0, 1100.0)


def test_an_unknown_limit_leaves_the_edges_between_nothing_and_a_whole_update() -> None:
    found = MeterIntegral(counting(max_w=None), 1.0, LIMITS, 0.0)
    found.push(joules(0, 0.0))
    found.push_edge(joules(0.05, 30.0, stale_s=0.004))
    found.push_edge(joules(0.15, 60.0, stale_s=0.004))
    found.push(joules(10, 3000.0))
    found.push_edge(joules(10.05, 3030.0, stale_s=0.004))
    assert found.joules(0, 10) == Range(2970.0, 3000.0, 3030.0)


# a counter that breaks


def test_a_wrapped_counter_goes_on_from_its_range() -> None:
    meter = counting(wraps_at_j=262_144.0, max_w=350.0)
    found = integral(meter, [joules(0, 262_000.0), joules(1, 100.0), joules(2, 300.0)])
    assert found.resets_count == 0
    assert found.live_j() == pytest.approx(262_144.0 - 262_000.0 + 300.0, abs=1e-6)


def test_a_fall_that_no_wrap_explains_is_a_reset_bridged_by_power() -> None:
    meter = counting(wraps_at_j=262_144.0)
    found = integral(meter, [joules(0, 5000.0, 300.0), joules(1, 40.0, 300.0), joules(2, 340.0, 300.0)])
    assert found.resets_count == 1
    assert found.live_j() == pytest.approx(600.0, abs=1e-6)
    (gap,) = found.gaps
    assert (gap.started_utc_s, gap.ended_utc_s, gap.reason) == (0.0, 1.0, "the counter was reset")
    usage = found.usage("host", 0.0, 2.0)
    assert usage.coverage_share == 0.5
    assert usage.it_energy_kwh.low * J_PER_KWH <= 340.0
    assert usage.it_energy_kwh.high * J_PER_KWH >= MOST_W + 300.0


def test_what_a_counter_counted_since_its_reset_is_the_least_that_was_drawn() -> None:
    found = integral(counting(), [joules(0, 5000.0, 100.0), joules(1, 400.0, 100.0)])
    assert found.live_j() == 400.0


def test_a_reset_without_power_readings_is_bridged_by_the_mean_so_far() -> None:
    found = integral(counting(), [joules(0, 5000.0), joules(1, 5300.0), joules(2, 5600.0), joules(3, 10.0)])
    assert found.live_j() == pytest.approx(900.0, abs=1e-6)


@given(wave=squares(), reset_after_s=st.floats(2.0, 8.0), phase_s=st.floats(0.0, 0.1))
@settings(max_examples=120, deadline=None)
def test_true_energy_lies_in_the_range_across_a_reset(wave: Wave, reset_after_s: float, phase_s: float) -> None:
    counter, found = Counter(wave, 0.1, phase_s), MeterIntegral(counting(), 1.0, LIMITS, 0.0)
    base_j = counter.read(100.0 + reset_after_s).energy_j or 0.0
    for second in range(11):
        sample = counter.read(100.0 + second)
        less_j = base_j if second > reset_after_s else 0.0
        found.push(replace(sample, energy_j=(sample.energy_j or 0.0) - less_j, power_w=wave.power_w(sample.at_s)))
    true_j = wave.energy_j(110.0) - wave.energy_j(100.0)
    reached = found.joules(100.0, 110.0)
    assert reached.low - 2 * MILLIJOULE <= true_j <= reached.high + 2 * MILLIJOULE


def test_a_jump_that_the_device_cannot_draw_is_not_believed() -> None:
    found = integral(counting(), [joules(0, 0.0, 300.0), joules(1, 1e9, 300.0), joules(2, 1e9 + 300, 300.0)])
    assert found.live_j() == pytest.approx(600.0, abs=1e-6)
    assert found.resets_count == 1


def test_an_update_that_was_seen_late_makes_no_reset_of_the_leaps_between_quick_readings() -> None:
    """A busy host sees the first update just before the second one: the counter seems to move ten times as often."""
    counter = Counter(Constant(MOST_W), 0.1)
    found = integral(counting(), [counter.read(0.05)], interval_s=0.05)
    found.push_edge(counter.read(0.19, stale_s=0.13))
    found.push_edge(counter.read(0.201, stale_s=0.011))
    for number in range(5, 100):
        found.push(counter.read(number * 0.05 + 0.01))
    assert (found.resets_count, found.gaps) == (0, [])
    assert found.joules(0.05, 4.96).mid == pytest.approx(MOST_W * 4.91, abs=MOST_W * 0.1)


def test_one_absurd_count_costs_two_intervals_of_coverage_and_no_energy() -> None:
    counts = [1e6, 1e6 + 300, 7e12, 1e6 + 900, 1e6 + 1200]
    found = integral(counting(), [joules(second, count, 300.0) for second, count in enumerate(counts)])
    assert found.live_j() == pytest.approx(1200.0, abs=1e-6)
    assert found.usage("host", 0.0, 4.0).coverage_share == pytest.approx(0.5, abs=1e-9)


def test_a_counter_that_stands_still_while_power_is_drawn_is_bridged_from_where_it_stopped() -> None:
    moving = [joules(second, 300.0 * second, 300.0) for second in range(5)]
    stuck = [joules(second, 1200.0, 300.0) for second in range(5, 15)]
    found = integral(counting(), moving + stuck)
    assert found.live_j() == pytest.approx(14 * 300.0, abs=1e-6)
    (gap,) = found.gaps
    assert (gap.started_utc_s, gap.ended_utc_s) == (4.0, 14.0)
    assert "stood still" in gap.reason
    assert found.usage("host", 0.0, 14.0).coverage_share == pytest.approx(4 / 14, abs=1e-9)


@pytest.mark.parametrize("missed_j", [300.0, 10 * 300.0])
def test_a_counter_that_wakes_counts_nothing_twice_whether_it_catches_up_or_not(missed_j: float) -> None:
    stuck = [joules(second, 1000.0, 300.0) for second in range(10)]
    after = [joules(10, 1000.0 + missed_j, 300.0), joules(11, 1300.0 + missed_j, 300.0)]
    assert integral(counting(), stuck + after).live_j() == pytest.approx(11 * 300.0, abs=1e-6)


def test_a_counter_that_stands_still_where_power_is_not_known_is_told_and_kept_at_the_mean() -> None:
    moving = [joules(second, 100.0 * second) for second in range(5)]
    found = integral(counting(), moving + [joules(second, 400.0) for second in range(5, 11)])
    assert found.live_j() == pytest.approx(1000.0, abs=1e-6)
    assert found.usage("host", 0.0, 10.0).coverage_share == pytest.approx(0.4, abs=1e-9)


def test_a_counter_that_never_moves_covers_nothing() -> None:
    usage = integral(counting(), [joules(second, 77.0) for second in range(20)]).usage("host", 0.0, 19.0)
    assert usage.coverage_share == 0.0
    assert usage.it_energy_kwh.high * J_PER_KWH >= 19 * MOST_W


def test_a_counter_may_stand_still_while_nothing_is_drawn() -> None:
    found = integral(counting(), [joules(second, 100.0, 0.0) for second in range(30)])
    assert found.gaps == []
    assert found.live_j() == 0.0


def test_a_counter_slower_than_the_interval_does_not_stand_still() -> None:
    samples = [joules(tenth / 10, 300.0 * (tenth // 10), 300.0) for tenth in range(100)]
    found = integral(counting(period_s=1.0), samples, interval_s=0.1)
    assert found.gaps == []
    assert found.live_j() == 2700.0


def test_a_wait_that_a_counter_can_wrap_in_twice_is_told_and_not_taken_at_its_word() -> None:
    """A process that was stopped for an hour reads a counter of 12 minutes' range."""
    meter = counting(wraps_at_j=262_144.0, max_w=700.0)
    samples = [joules(second, 1000.0 + 350.0 * second) for second in range(11)]
    true_j = 3600 * 350.0
    found = integral(meter, [*samples, joules(3610, (4500.0 + true_j) % 262_144.0)])
    (gap,) = found.gaps
    assert "more than once" in gap.reason
    assert found.resets_count == 0
    assert found.joules(0, 3610).low < true_j < found.joules(0, 3610).high
    assert found.live_j() == pytest.approx(3500.0 + true_j, rel=1e-6)  # at the mean so far


# readings that are none


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -5.0])
def test_a_reading_that_is_no_number_changes_nothing(bad: float) -> None:
    good = [joules(0, 0.0, 300.0), joules(1, 300.0, 300.0), joules(3, 900.0, 300.0)]
    plain = integral(counting(), good)
    told = integral(counting(), [*good[:2], joules(2, bad, 300.0), *good[2:]])
    assert told.usage("host", 0.0, 3.0) == plain.usage("host", 0.0, 3.0)
    power = [watts(0, 300.0), watts(1, 300.0), watts(3, 300.0)]
    plain = integral(of_power(0.0), power)
    told = integral(of_power(0.0), [power[0], watts(0.5, bad), *power[1:2], watts(2, bad), power[2]])
    assert told.usage("host", 0.0, 3.0) == plain.usage("host", 0.0, 3.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -5.0])
def test_power_that_is_no_number_beside_a_good_count_spoils_neither_peak_nor_audit(bad: float) -> None:
    samples = [joules(0, 0.0, 300.0), joules(1, 300.0, 300.0), joules(2, 600.0, bad), joules(3, 900.0, 300.0)]
    usage = integral(counting(), samples).usage("host", 0.0, 3.0)
    assert usage.it_energy_kwh.mid * J_PER_KWH == pytest.approx(900.0, abs=1e-6)
    assert usage.peak_w == 300.0
    assert usage.counter_over_power_ratio == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_reading_of_no_moment_changes_nothing(bad: float) -> None:
    samples = [joules(bad, 5.0), joules(0, 0.0), joules(1, 300.0), joules(bad, 900.0), joules(2, 600.0)]
    assert integral(counting(), samples).live_j() == 600.0


@pytest.mark.parametrize("bad", [math.nan, -1.0, 2.0])
def test_a_share_that_is_none_attributes_nothing(bad: float) -> None:
    samples = [joules(0, 0.0), joules(1, 300.0, attributed_share=0.5), joules(2, 600.0, attributed_share=bad)]
    usage = integral(counting(period_s=0.0), samples).usage("host", 0.0, 2.0)
    assert usage.attributed_it_energy_kwh == Range.exactly(150.0 / J_PER_KWH)


NUMBERS = st.floats(-1e9, 1e9) | st.sampled_from((math.nan, math.inf, -math.inf))
SAMPLES = st.builds(Sample, st.just("gpu"), NUMBERS, *[st.none() | NUMBERS] * 5)


@given(
    st.lists(SAMPLES, max_size=12),
    st.sampled_from((counting(), counting(max_w=None), of_power(0.0), of_power(1.0), of_power(None))),
)
@settings(max_examples=150, deadline=None)
def test_whatever_a_sensor_says_the_result_is_a_finite_range(samples: list[Sample], meter: Meter) -> None:
    found = MeterIntegral(meter, 1.0, LIMITS, 0.0)
    for number, sample in enumerate(samples):
        found.push_edge(sample) if number % 3 == 1 else found.push(sample)
    usage = found.usage("host", 0.0, 10.0)
    assert 0 <= usage.it_energy_kwh.low <= usage.it_energy_kwh.high < math.inf
    assert 0.0 <= usage.coverage_share <= 1.0


# power


@pytest.mark.parametrize("window_s", [0.0, 0.025, 0.1, 1.0, None])
@pytest.mark.parametrize("interval_s", [0.05, 0.1, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("duration_s", [0.3, 1.0, 10.3, 60.0])
def test_a_constant_power_is_exact_whatever_window_interval_and_duration(
    window_s: float | None, interval_s: float, duration_s: float
) -> None:
    moments = [number * interval_s for number in range(math.ceil(duration_s / interval_s))] + [duration_s]
    found = integral(of_power(window_s), [watts(50 + at_s, 300.0) for at_s in moments], interval_s)
    reached = found.joules(50.0, 50.0 + duration_s)
    assert reached.mid == pytest.approx(300.0 * duration_s, rel=1e-9)
    assert reached.low - MILLIJOULE <= 300.0 * duration_s <= reached.high + MILLIJOULE


def mean_over(wave: Wave, at_s: float, window_s: float) -> float:
    """What a sensor with this window shows."""
    if not window_s:
        return wave.power_w(at_s)
    return (wave.energy_j(at_s) - wave.energy_j(at_s - window_s)) / window_s


@given(
    wave=squares(), started_s=st.floats(100.0, 107.0), count=st.integers(2, 40),
    window_s=st.sampled_from((0.0, 0.025, 0.1, 1.0)), interval_s=st.sampled_from((0.1, 0.5, 1.0, 2.0)),
    hole=st.tuples(st.integers(2, 20), st.integers(0, 10)),
)  # fmt: skip
@settings(max_examples=120, deadline=None)
def test_what_a_window_does_not_see_lies_between_idle_and_the_limit(
    wave: Wave, started_s: float, count: int, window_s: float, interval_s: float, hole: tuple[int, int]
) -> None:
    """Also where readings are lacking for a while; windows shorter than the interval, or a whole number of them."""
    numbers = [n for n in range(count + 1) if not hole[0] <= n < hole[0] + hole[1]]
    numbers += [] if numbers[-1] == count else [count]
    moments = [started_s + number * interval_s for number in numbers]
    found = integral(of_power(window_s), [watts(t, mean_over(wave, t, window_s)) for t in moments], interval_s)
    true_j = wave.energy_j(moments[-1]) - wave.energy_j(started_s)
    reached = found.joules(started_s, moments[-1])
    assert reached.low - MILLIJOULE <= true_j <= reached.high + MILLIJOULE


def test_a_window_of_one_second_read_each_second_is_exact_but_for_its_two_ends() -> None:
    wave = Square(60.0, 600.0, 0.37, 0.3)
    found = integral(of_power(1.0), [watts(t, mean_over(wave, t, 1.0)) for t in range(100, 161)])
    true_j = wave.energy_j(160.0) - wave.energy_j(100.0)
    reached = found.joules(100.0, 160.0)
    assert reached.mid == pytest.approx(true_j, abs=600.0)
    assert reached.high - reached.low <= 4 * MOST_W * 0.5


def test_a_sensor_that_looks_a_quarter_of_the_time_is_as_unsure_as_that() -> None:
    """25 of each 100 ms: the load that fills just the window and the one that avoids it look alike."""
    found = integral(of_power(0.025, idle_w=None), [watts(n / 10, 350.0) for n in range(601)], interval_s=0.1)
    reached = found.joules(0.0, 60.0)
    assert reached.low == pytest.approx(0.25 * 350.0 * 60, rel=0.01)
    assert reached.high == pytest.approx(0.25 * 350.0 * 60 + 0.75 * MOST_W * 60, rel=0.01)


def test_a_mean_since_the_reading_before_is_exact_across_any_silence() -> None:
    """A processor's load is counted by the kernel: nobody has to look."""
    found = integral(of_power(None), [watts(0, 0.0), watts(1, 100.0), watts(101, 200.0)])
    assert found.joules(0, 101) == Range.exactly(100.0 + 200.0 * 100)
    assert found.gaps == []


def test_an_interval_without_readings_is_a_gap_between_idle_and_the_limit() -> None:
    found = integral(of_power(0.0), [watts(second, 300.0) for second in (0, 1, 2, 12, 13)])
    (gap,) = found.gaps
    assert (gap.started_utc_s, gap.ended_utc_s, gap.reason) == (2.0, 12.0, "no reading")
    usage = found.usage("host", 0.0, 13.0)
    assert usage.coverage_share == pytest.approx(3 / 13, abs=1e-9)
    assert usage.it_energy_kwh.mid * J_PER_KWH == pytest.approx(300.0 * 13, abs=1e-6)


def test_a_counter_needs_no_reading_in_between() -> None:
    found = integral(counting(period_s=0.0), [joules(0, 0.0), joules(1, 100.0), joules(500, 99_900.0)])
    assert found.gaps == []
    assert found.joules(0, 500) == Range.exactly(99_900.0)


def test_power_between_the_last_reading_and_the_end_is_taken_as_the_last_one() -> None:
    found = integral(of_power(0.0), [watts(0, 200.0), watts(1, 200.0)])
    assert found.joules(0.0, 1.5).mid == pytest.approx(300.0, abs=1e-9)


@pytest.mark.parametrize(
    ("started_s", "ended_s", "told"),
    [(-10.0, 5.0, [(-10.0, 0.0, "did not answer yet")]), (0.0, 25.0, [(5.0, 25.0, "ceased to answer")])],
)
def test_silence_at_the_start_or_the_end_is_a_gap_and_not_guessed(
    started_s: float, ended_s: float, told: list[tuple[float, float, str]]
) -> None:
    for meter, samples in (
        (counting(period_s=0.0), [joules(second, 100.0 * second) for second in range(6)]),
        (of_power(0.0), [watts(second, 100.0) for second in range(6)]),
    ):
        usage = integral(meter, samples).usage("host", started_s, ended_s)
        assert [(gap.started_utc_s, gap.ended_utc_s, gap.reason) for gap in usage.gaps] == told
        assert usage.coverage_share == pytest.approx(5 / (ended_s - started_s), abs=1e-9)
        assert usage.it_energy_kwh.mid * J_PER_KWH == pytest.approx(500.0, abs=1e-6)


def test_a_meter_that_never_answers_is_one_gap() -> None:
    usage = integral(counting(), utc_s=1000.0).usage("host", 5.0, 65.0)
    assert [(gap.started_utc_s, gap.ended_utc_s, gap.reason) for gap in usage.gaps] == [(1005, 1065, "never answered")]
    assert usage.it_energy_kwh == Range.exactly(0.0)
    assert usage.coverage_share == 0.0
    assert usage.mean_w == 0.0
    assert usage.peak_w is None


# parts


def test_energy_drawn_while_next_to_nothing_ran_is_stalled() -> None:
    samples = [joules(0, 0.0), joules(1, 100.0, utilization=0.0), joules(2, 500.0, utilization=0.9)]
    samples += [joules(3, 620.0, utilization=0.049), joules(4, 1020.0, utilization=0.05)]
    usage = integral(counting(period_s=0.0), samples).usage("host", 0.0, 4.0)
    assert usage.stalled_it_energy_kwh == pytest.approx(220.0 / J_PER_KWH, rel=1e-9)


def test_what_counters_tell_alone_is_sorted_by_readings_in_full() -> None:
    found = integral(counting(), [joules(0, 0.0, power_w=400.0, utilization=0.9, attributed_share=0.5)])
    for second in range(1, 11):
        full = {"power_w": 400.0, "utilization": 0.01, "attributed_share": 0.25} if second % 5 == 0 else {}
        found.push(joules(second, 400.0 * second, **full))
    found.push(joules(11, 4500.0))
    usage = found.usage("host", 0.0, 11.0)
    assert usage.stalled_it_energy_kwh == pytest.approx(4500.0 / J_PER_KWH, rel=0.01)
    assert usage.attributed_it_energy_kwh is not None
    assert usage.attributed_it_energy_kwh.mid == pytest.approx(1125.0 / J_PER_KWH, rel=0.01)
    assert usage.counter_over_power_ratio == pytest.approx(1.0, abs=1e-9)
    assert found.power_w() == pytest.approx(500.0, abs=1e-9)  # since the last reading of power
    assert (usage.gaps, usage.coverage_share) == ((), 1.0)


def test_what_counters_tell_alone_goes_by_the_nearer_reading_in_full() -> None:
    """Idle at the end alone; and killed, when no reading in full comes any more."""
    found = integral(counting(), [joules(0, 0.0, power_w=400.0, utilization=0.9, attributed_share=0.5)])
    for second, used in ((1, 0.9), (2, None), (3, None), (4, None), (5, None), (6, 0.0), (7, None), (8, None)):
        full = {} if used is None else {"power_w": 400.0, "utilization": used, "attributed_share": 0.5 if used else 0.0}
        found.push(joules(second, 400.0 * second, **full))
    usage = found.usage("host", 0.0, 8.0)
    assert usage.stalled_it_energy_kwh == pytest.approx((800.0 + 400.0 + 800.0) / J_PER_KWH, rel=0.02)
    assert usage.attributed_it_energy_kwh is not None
    assert usage.attributed_it_energy_kwh.mid == pytest.approx((400.0 + 800.0) / 2 / J_PER_KWH, rel=0.02)


def test_readings_of_power_far_apart_are_not_held_against_a_counter() -> None:
    found = integral(counting(), [joules(0, 0.0, power_w=400.0)])
    for second in range(1, 31):
        found.push(joules(second, 100.0 * second, power_w=400.0 if second == 30 else None))
    assert found.usage("host", 0.0, 30.0).counter_over_power_ratio is None


def test_a_model_goes_on_to_the_end_of_what_was_read_at_its_last_watts_and_no_further_than_a_gap() -> None:
    model = of_power(None, component="cpu", period_s=10.0, idle_w=20.0, max_w=100.0)
    samples = [Sample("gpu", at_s, power_w=50.0) for at_s in (0.0, 10.0)]
    found = integral(model, samples)
    killed = found.joules(0.0, 17.0)
    assert (killed.low, killed.mid, killed.high) == pytest.approx((640.0, 850.0, 1200.0), abs=1e-9)
    assert found.usage("host", 0.0, 17.0).gaps == ()
    assert found.joules(0.0, 50.0).mid == pytest.approx(500.0, abs=1e-9)


def test_an_idle_processor_is_no_stall() -> None:
    meter = of_power(None, component="cpu")
    usage = integral(meter, [watts(0, 10.0), watts(10, 10.0, utilization=0.0)]).usage("host", 0.0, 10.0)
    assert usage.stalled_it_energy_kwh is None


@given(st.lists(st.tuples(st.floats(1.0, 700.0), st.floats(0.0, 1.0)), min_size=1, max_size=30))
@settings(max_examples=120, deadline=None)
def test_shares_of_runs_on_one_device_conserve_its_energy(intervals: list[tuple[float, float]]) -> None:
    parts = []
    for turn in (False, True):
        samples, energy_j = [joules(0, 0.0)], 0.0
        for second, (power_w, share) in enumerate(intervals, start=1):
            energy_j += power_w
            samples.append(joules(second, energy_j, attributed_share=1 - share if turn else share))
        parts.append(integral(counting(), samples).usage("host", 0.0, float(len(intervals))))
    whole = parts[0].it_energy_kwh
    for end in ("low", "mid", "high"):
        summed = sum(getattr(part.attributed_it_energy_kwh, end) for part in parts if part.attributed_it_energy_kwh)
        assert summed == pytest.approx(getattr(whole, end), rel=1e-9)


def test_instances_of_a_device_add_up_to_it() -> None:
    samples = [joules(second, 250.0 * second, 250.0, utilization=0.01) for second in range(61)]
    whole = integral(counting(), samples).usage("host", 0.0, 60.0)
    parts = [integral(counting(share=n / 7), samples).usage("host", 0.0, 60.0) for n in (1, 2, 4)]
    for name in ("mean_w", "peak_w", "stalled_it_energy_kwh"):
        assert sum(getattr(part, name) for part in parts) == pytest.approx(getattr(whole, name), rel=1e-9), name
    for end in ("low", "mid", "high"):
        assert sum(getattr(part.it_energy_kwh, end) for part in parts) == pytest.approx(
            getattr(whole.it_energy_kwh, end), rel=1e-9
        )
    assert integral(counting(share=0.25), samples).power_w() == 62.5
    assert parts[0].coverage_share == whole.coverage_share == 1.0


def test_counted_and_integrated_energy_are_held_against_each_other() -> None:
    samples = [joules(second, 330.0 * second, 300.0) for second in range(11)]
    usage = integral(counting(), samples).usage("host", 0.0, 10.0)
    assert usage.counter_over_power_ratio == pytest.approx(1.1, rel=1e-9)
    assert integral(counting(), [joules(0, 0.0), joules(1, 1.0)]).usage("host", 0, 1).counter_over_power_ratio is None


# hours


def test_an_interval_across_the_hour_is_split_at_it() -> None:
    utc_s = NEW_YEAR + 3600 - 10
    found = integral(counting(share=0.5), [joules(0, 0.0), joules(40, 4000.0)], utc_s=utc_s)
    assert found.hourly_j == {int(NEW_YEAR): pytest.approx(500.0), int(NEW_YEAR) + 3600: pytest.approx(1500.0)}


def test_a_reading_on_the_hour_belongs_to_the_hour_before() -> None:
    found = integral(counting(), [joules(0, 0.0), joules(3600, 7200.0)], utc_s=NEW_YEAR)
    assert found.hourly_j == {int(NEW_YEAR): 7200.0}


@given(
    st.lists(st.tuples(st.floats(0.001, 20_000.0), st.floats(1.0, 500.0)), min_size=1, max_size=20),
    st.floats(0.0, 1e9),
)
@settings(max_examples=120, deadline=None)
def test_hours_conserve_energy(steps: list[tuple[float, float]], utc_s: float) -> None:
    at_s, energy_j, samples = 0.0, 0.0, [joules(0.0, 0.0)]
    for elapsed_s, power_w in steps:
        at_s, energy_j = at_s + elapsed_s, energy_j + power_w * elapsed_s
        samples.append(joules(at_s, energy_j))
    found = integral(counting(max_w=None), samples, utc_s=utc_s)
    assert math.fsum(found.hourly_j.values()) == pytest.approx(energy_j, rel=1e-9, abs=1e-6)
    assert all(hour % 3600 == 0 for hour in found.hourly_j)
    assert all(utc_s - 3600 <= hour <= utc_s + at_s for hour in found.hourly_j)


# order, repetition, memory


@given(st.lists(st.floats(0.0, MOST_W), min_size=2, max_size=30), st.data())
@settings(max_examples=120, deadline=None)
def test_readings_that_come_again_add_nothing(powers: list[float], data: st.DataObject) -> None:
    samples, energy_j = [], 0.0
    for second, power_w in enumerate(powers):
        energy_j += power_w
        samples.append(joules(second, energy_j, power_w))
    places = data.draw(st.lists(st.integers(0, len(samples) - 1), max_size=20))
    again = list(samples)
    for place in sorted(places, reverse=True):
        again.insert(place + 1, samples[place])
    for meter in (counting(), of_power(0.0)):
        once = integral(meter, samples).usage("host", 0.0, float(len(samples)))
        assert integral(meter, again).usage("host", 0.0, float(len(samples))) == once


def test_readings_from_before_the_last_one_are_passed_over() -> None:
    found = integral(counting(), [joules(0, 0.0), joules(5, 500.0), joules(3, 300.0), joules(6, 600.0)])
    assert found.live_j() == 600.0
    assert found.resets_count == 0


def test_however_broken_a_sensor_is_its_gaps_stay_bounded() -> None:
    found = integral(counting(), [joules(second, 1000.0 * (second % 2), 300.0) for second in range(10_000)])
    assert len(found.gaps) <= MOST_GAPS
    meter = of_power(0.0)
    found = integral(meter, [watts(10 * n + extra, 300.0) for n in range(5000) for extra in (0.0, 0.5)])
    assert len(found.gaps) == MOST_GAPS
    assert found.gaps[-1].ended_utc_s == 49_990.0


def test_gaps_that_touch_are_one() -> None:
    found = integral(of_power(0.0), [watts(10 * n, 300.0) for n in range(6)])
    (gap,) = found.gaps
    assert (gap.started_utc_s, gap.ended_utc_s) == (0.0, 50.0)


# a host


def host_of(*meters: Meter, **changes: object) -> HostIntegral:
    return HostIntegral(meters, 1.0, LIMITS, 0.0, **changes)  # type: ignore[arg-type]


def test_a_host_is_the_sum_of_its_meters_and_keeps_the_curve_of_it() -> None:
    host = host_of(counting(), of_power(None, id="cpu", component="cpu"), keeps_curve=True)
    for second in range(4):
        cpu = Sample("cpu", float(second), power_w=50.0)
        host.push(float(second), [joules(second, 200.0 * second), cpu])
    assert host.live_j() == pytest.approx(750.0, abs=1e-9)
    assert host.curve == [(0.0, 0.0), (1.0, 250.0), (2.0, 500.0), (3.0, 750.0)]
    assert sum(host.hourly_j().values()) == pytest.approx(750.0, abs=1e-9)
    assert [usage.meter.id for usage in host.usages("host", 0.0, 3.0)] == ["gpu", "cpu"]


def test_a_meter_that_is_read_more_rarely_lies_under_the_curve_in_between_too() -> None:
    host = host_of(counting(), of_power(None, id="cpu", component="cpu"), keeps_curve=True)
    for second in range(6):
        cpu = [Sample("cpu", float(second), power_w=50.0)] if second % 5 == 0 else []
        host.push(float(second), [joules(second, 200.0 * second), *cpu])
    assert host.curve == [(float(second), pytest.approx(250.0 * second, abs=1e-9)) for second in range(6)]
    assert host.live_j() == pytest.approx(1250.0, abs=1e-9)


def test_a_host_returns_what_was_drawn_since_its_last_reading() -> None:
    host = host_of(counting(share=0.5))
    assert host.push(0.0, [joules(0, 1e6)]) == 0.0
    assert host.push(0.02, [joules(0.02, 1e6 + 5, stale_s=0.004)], is_edge=True) == 0.0
    assert host.push(1.0, [joules(1, 1e6 + 300)]) == 150.0
    assert host.curve == []


def test_a_meter_that_comes_later_joins_and_one_that_is_there_stays() -> None:
    host = host_of(counting())
    host.push(0.0, [joules(0, 0.0)])
    host.push(1.0, [joules(1, 100.0)])
    host.add(counting())
    host.add(of_power(None, id="cpu", component="cpu"))
    host.push(2.0, [joules(2, 200.0), Sample("cpu", 2.0, power_w=10.0)])
    host.push(3.0, [joules(3, 300.0), Sample("cpu", 3.0, power_w=10.0)])
    assert host.live_j() == pytest.approx(310.0, abs=1e-9)


def test_what_was_drawn_before_the_training_began_and_after_it_ended_is_not_its_own() -> None:
    """A busy host reads late: 0.5 s of an interval at 200 W before, 1 s at 300 W after."""
    host = host_of(counting(period_s=0.0))
    for second, (energy_j, power_w) in enumerate([(0.0, 100.0), (200.0, 300.0), (500.0, 300.0), (800.0, 300.0)]):
        sample = joules(second, energy_j, power_w, utilization=0.0, attributed_share=0.5)
        host.push(float(second), [sample])
    host.bound(["gpu"], begun_s=0.5)
    host.bound(["gpu"], ended_s=2.0)
    (usage,) = host.usages("host", 0.0, 3.0)
    energy = usage.it_energy_kwh
    assert energy.mid * J_PER_KWH == pytest.approx(800.0 - 100.0 - 300.0, rel=1e-9)
    assert energy.low == 0.0  # a second and a half at the limit is more than all of it
    assert energy.high * J_PER_KWH == pytest.approx(800.0, rel=1e-9)
    assert usage.stalled_it_energy_kwh == pytest.approx(energy.mid, rel=1e-9)
    assert usage.attributed_it_energy_kwh is not None
    assert usage.attributed_it_energy_kwh.mid == pytest.approx(energy.mid / 2, rel=1e-9)


def test_power_before_the_training_began_is_that_of_the_first_fast_readings() -> None:
    """Idle at the start of an interval that is busy later: what was read before the training began is idle."""
    host = host_of(counting(period_s=0.1))
    host.push(0.0, [joules(0, 0.0, 700.0)])
    for at_s in (0.1, 0.2, 0.3):
        host.push(at_s, [joules(at_s, 60.0 * at_s, stale_s=0.0)], is_edge=True)
    host.push(1.0, [joules(1.0, 500.0, 500.0)])
    before = host.usages("host", 0.0, 1.0)[0].it_energy_kwh.mid
    host.bound(["gpu"], begun_s=0.2)
    cut_j = (before - host.usages("host", 0.0, 1.0)[0].it_energy_kwh.mid) * J_PER_KWH
    assert cut_j == pytest.approx(0.2 * 60.0, rel=1e-9)


def test_bounds_outside_of_the_readings_take_nothing_away() -> None:
    host = host_of(counting(period_s=0.0))
    host.push(0.0, [joules(0, 0.0)])
    host.push(2.0, [joules(2, 600.0)])
    before = host.usages("host", 0.0, 2.0)
    host.bound(["gpu"], begun_s=-1.0, ended_s=5.0)
    assert host.usages("host", 0.0, 2.0) == before


@given(
    wave=squares(), phase_s=st.floats(0.0, 0.1), early_s=st.floats(0.0, 1.5), late_s=st.floats(0.0, 1.5),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_true_energy_between_the_bounds_lies_in_the_range(
    wave: Square, phase_s: float, early_s: float, late_s: float
) -> None:
    counter, host = Counter(wave, 0.1, phase_s), host_of(counting())
    for second in range(8):
        at_s = 100.0 + second
        host.push(at_s, [replace(counter.read(at_s), power_w=wave.power_w(at_s))])
    host.bound(["gpu"], begun_s=100.0 + early_s, ended_s=107.0 - late_s)
    (usage,) = host.usages("host", 100.0, 107.0)
    true_j = wave.energy_j(107.0 - late_s) - wave.energy_j(100.0 + early_s)
    low_j, high_j = usage.it_energy_kwh.low * J_PER_KWH, usage.it_energy_kwh.high * J_PER_KWH
    assert low_j - 2 * MILLIJOULE <= true_j <= high_j + 2 * MILLIJOULE
