"""The sampler owns time: when it reads, what it does where a sensor fails or hangs, how it ends. No test waits."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from emulator.waves import Square

from footprint.errors import SensorLost
from footprint.measurement.metering import HostIntegral, Limits
from footprint.measurement.sampler import Pace, Sampler
from footprint.values import Meter, Sample

PATIENCE_S = 20.0
"""For threads that have nothing to wait for: reached by a hang alone."""
EDGE_GAP_S, START_EDGE_S, END_EDGE_S = 0.004, 0.3, 0.035


class FakePace(Pace):
    """Time passes when it is waited for, or when a sensor takes some; a stop comes at a moment of it."""

    def __init__(self, interval_s: float = 1.0, stop_at_s: float = math.inf, late_by_s: float = 0.0) -> None:
        super().__init__(interval_s, EDGE_GAP_S, START_EDGE_S, END_EDGE_S, clock=lambda: self.now_s)
        self.now_s, self.stop_at_s, self.late_by_s = 100.0, 100.0 + stop_at_s, late_by_s
        self.paused_s = 0.0

    def wait(self, seconds: float) -> bool:
        if self.now_s + seconds + self.late_by_s >= self.stop_at_s:
            self.now_s = max(self.now_s, self.stop_at_s)
            return True
        self.now_s += max(seconds, 0.0) + self.late_by_s
        return False

    def pause(self, seconds: float) -> None:
        self.now_s += seconds
        self.paused_s += seconds


class FakeSensor:
    """Counts 100 J/s, updated each 100 ms; tells its log of every call."""

    def __init__(self, pace: FakePace, name: str = "fake", **settings: float | None) -> None:
        self.pace, self.name = pace, name
        self.period_s = settings.get("period_s")
        self.cost_s = settings.get("cost_s") or 0.0
        self.updates_s = settings.get("updates_s", 0.1)
        self.log: list[str] = []
        self.read_at_s: list[float] = []
        self.fails: Callable[[int], BaseException | None] = lambda count: None
        self.gone: tuple[tuple[str, str], ...] = ()

    def _sample(self) -> Sample:
        now_s = self.pace.now_s
        energy_j = None
        if self.updates_s is not None:
            energy_j = 100.0 * math.floor((now_s + 1e-9) / self.updates_s) * self.updates_s
        self.pace.now_s += self.cost_s
        return Sample(self.name, now_s, energy_j, 100.0)

    def read(self) -> Sequence[Sample]:
        self.log.append("read")
        self.read_at_s.append(self.pace.now_s)
        error = self.fails(self.log.count("read"))
        if error is not None:
            raise error
        return [self._sample()]

    def read_counters(self) -> Sequence[Sample]:
        self.log.append("counters")
        return [] if self.updates_s is None else [self._sample()]

    def lost(self) -> tuple[tuple[str, str], ...]:
        return self.gone

    def close(self) -> None:
        self.log.append("close")


class Taken:
    """What the sampler hands on."""

    def __init__(self) -> None:
        self.full: list[tuple[float, Sequence[Sample]]] = []
        self.edges: list[tuple[float, Sequence[Sample]]] = []
        self.finished = 0

    def take(self, at_s: float, samples: Sequence[Sample], is_edge: bool) -> None:
        (self.edges if is_edge else self.full).append((at_s, samples))

    def finish(self) -> None:
        self.finished += 1


def sampled(pace: FakePace, *sensors: FakeSensor) -> tuple[Sampler, Taken]:
    """A whole life of a sampler, on its own thread."""
    taken = Taken()
    sampler = Sampler(lambda: sensors, taken.take, taken.finish, pace)
    assert sampler.start(PATIENCE_S)
    assert sampler._done.wait(PATIENCE_S)
    return sampler, taken


# order and pace


def test_a_reading_stands_at_either_end_with_fast_ones_of_counters_after_each() -> None:
    pace = FakePace(stop_at_s=0.5)
    sensor = FakeSensor(pace)
    _, taken = sampled(pace, sensor)
    first_edges = sensor.log.index("read", 1)
    assert sensor.log[0] == "read"
    assert set(sensor.log[1:first_edges]) == {"counters"}
    assert set(sensor.log[first_edges + 1 : -1]) == {"counters"}
    assert sensor.log[-1] == "close"
    assert [at_s for at_s, _ in taken.full] == [100.0, 100.5]


def test_readings_keep_a_steady_pace() -> None:
    pace = FakePace(interval_s=1.0, stop_at_s=60.0)
    sensor = FakeSensor(pace, updates_s=None)
    sampled(pace, sensor)
    assert sensor.read_at_s == pytest.approx([100.0 + second for second in range(61)], abs=1e-6)


def test_a_wait_that_is_always_late_does_not_add_up() -> None:
    """Timers of a busy host come late; the next reading is due when it was due."""
    pace = FakePace(interval_s=1.0, stop_at_s=100.0, late_by_s=0.02)
    sensor = FakeSensor(pace, updates_s=None)
    sampled(pace, sensor)
    assert len(sensor.read_at_s) == pytest.approx(101, abs=2)
    assert all(later - sooner < 1.05 for sooner, later in pairwise(sensor.read_at_s))


def test_a_long_call_is_late_once_and_not_followed_by_a_burst() -> None:
    pace = FakePace(interval_s=1.0, stop_at_s=20.0)
    sensor = FakeSensor(pace, updates_s=None)

    def hang(count: int) -> None:
        pace.now_s += 5.5 if count == 4 else 0.0

    sensor.fails = hang
    sampled(pace, sensor)
    gaps = [later - sooner for sooner, later in pairwise(sensor.read_at_s)]
    assert max(gaps) == pytest.approx(5.5, abs=1e-6)
    assert all(gap > 0.9 for gap in gaps[:-1])


def test_a_host_that_lets_the_thread_sleep_too_long_is_late_once_too() -> None:
    pace = FakePace(interval_s=1.0, stop_at_s=20.5)
    plain = pace.wait

    def wait(seconds: float) -> bool:
        if 105.0 <= pace.now_s < 106.0:
            pace.now_s += 3.7  # nobody ran
        return plain(seconds)

    pace.wait = wait  # type: ignore[method-assign]
    sensor = FakeSensor(pace, updates_s=None)
    sampled(pace, sensor)
    gaps = [later - sooner for sooner, later in pairwise(sensor.read_at_s)]
    assert max(gaps) == pytest.approx(4.7, abs=1e-6)
    assert all(gap > 0.9 for gap in gaps[:-1])


def test_a_sensor_slower_than_the_interval_is_read_as_fast_as_it_can() -> None:
    pace = FakePace(interval_s=0.1, stop_at_s=10.0)
    sensor = FakeSensor(pace, updates_s=None, cost_s=0.7)
    sampled(pace, sensor)
    assert len(sensor.read_at_s) == pytest.approx(10.0 / 0.7, abs=2)


def test_a_sensor_with_a_short_period_is_read_in_between_and_the_others_are_not() -> None:
    pace = FakePace(interval_s=1.0, stop_at_s=9.95)
    quick, slow = FakeSensor(pace, "quick", period_s=0.1, updates_s=None), FakeSensor(pace, "slow", updates_s=None)
    _, taken = sampled(pace, quick, slow)
    assert len(slow.read_at_s) == 11
    assert len(quick.read_at_s) == pytest.approx(101, abs=1)
    alone = [samples for _, samples in taken.full if len(samples) == 1]
    assert {sample.meter for samples in alone for sample in samples} == {"quick"}
    assert max(later - sooner for sooner, later in pairwise(quick.read_at_s)) < 0.11


def test_a_sensor_with_a_long_period_is_read_with_the_others() -> None:
    pace = FakePace(interval_s=1.0, stop_at_s=5.0)
    sensor = FakeSensor(pace, period_s=187.0, updates_s=None)
    sampled(pace, sensor)
    assert len(sensor.read_at_s) == 6


# counters alone


class Counting(FakeSensor):
    """The same, with the short way."""

    moment_s = 0.0

    def count(self) -> Sequence[int]:
        self.log.append("count")
        self.pace.now_s += self.moment_s
        (sample,) = super().read_counters()
        self.log.pop()
        return [round((sample.energy_j or 0.0) * 1e3)]


class Model(FakeSensor):
    is_model = True


def counted(pace: FakePace, *sensors: FakeSensor) -> tuple[Taken, list[tuple[float, tuple[str, ...], Sequence[int]]]]:
    """A whole life of a sampler that may read counters alone."""
    taken, counts = Taken(), []
    sampler = Sampler(
        lambda: sensors, taken.take, taken.finish, pace, lambda at_s, meters, mj: counts.append((at_s, meters, mj))
    )
    assert sampler.start(PATIENCE_S)
    assert sampler._done.wait(PATIENCE_S)
    assert sampler.failure == ""
    return taken, counts


def test_between_readings_in_full_counters_alone_are_read_and_models_are_not() -> None:
    pace = FakePace(stop_at_s=35.5)
    gpu, cpu = Counting(pace, "gpu"), Model(pace, "cpu", updates_s=None)
    taken, counts = counted(pace, gpu, cpu)
    begun_s = counts[0][0] - 1.0
    full_s = [round(at_s - begun_s) for at_s, _ in taken.full[1:-1]]
    assert full_s == [2, 10, 30]
    assert [round(at_s - begun_s) for at_s, _, _ in counts] == [n for n in range(1, 36) if n not in full_s]
    assert all(meters == ("gpu",) for _, meters, _ in counts)
    assert [mj for _, _, (mj,) in counts] == sorted({mj for _, _, (mj,) in counts})
    assert len(cpu.read_at_s) == len(taken.full)


def test_a_short_interval_has_readings_in_full_as_much_more_often_and_a_long_one_no_others() -> None:
    for interval_s, gap_s in ((0.2, 4.0), (5.0, 20.0), (20.0, 20.0), (30.0, 30.0)):
        pace = FakePace(interval_s, stop_at_s=100.5 * interval_s)
        taken, _ = counted(pace, Counting(pace))
        gaps = [later - sooner for (sooner, _), (later, _) in pairwise(taken.full[:-1])]
        first = [min(interval_s * times, gap_s) for times in (2, 8)]
        assert gaps == pytest.approx(first + [gap_s] * (len(gaps) - len(first)), abs=0.3 + 1e-6)


def test_a_counter_that_does_not_rise_is_read_in_full() -> None:
    pace = FakePace(stop_at_s=30.5)
    gpu = Counting(pace, updates_s=1000.0)
    taken, counts = counted(pace, gpu)
    assert counts == []
    assert len(taken.full) == 32


@pytest.mark.parametrize("answer", [(), (1, 2), (0,)], ids=["none", "one more", "a fall"])
def test_counters_that_are_not_those_of_the_reading_in_full_are_read_in_full(answer: Sequence[int]) -> None:
    pace = FakePace(stop_at_s=30.5)
    gpu = Counting(pace)
    gpu.count = lambda: answer  # type: ignore[method-assign]
    taken, counts = counted(pace, gpu)
    assert (counts, len(taken.full)) == ([], 32)


def test_counters_that_raise_or_take_long_are_read_in_full() -> None:
    pace = FakePace(stop_at_s=30.5)
    slow = Counting(pace)
    slow.moment_s = 0.03
    taken, counts = counted(pace, slow)
    assert (counts, len(taken.full)) == ([], 32)
    pace = FakePace(stop_at_s=30.5)
    broken = Counting(pace)

    def refuse() -> Sequence[int]:
        raise OSError("gone")

    broken.count = refuse  # type: ignore[method-assign]
    taken, counts = counted(pace, broken)
    assert (counts, len(taken.full)) == ([], 32)


@pytest.mark.parametrize("beside", [FakeSensor, Counting], ids=["without the short way", "of power alone"])
def test_beside_a_sensor_of_power_everything_is_read_in_full(beside: type[FakeSensor]) -> None:
    pace = FakePace(stop_at_s=30.5)
    other = beside(pace, "other", updates_s=None if beside is FakeSensor else 0.1)
    other.read = lambda: [Sample("other", pace.now_s, power_w=5.0)]  # type: ignore[method-assign]
    taken, counts = counted(pace, Counting(pace), other)
    assert (counts, len(taken.full)) == ([], 32)


# edges


def test_a_counter_is_followed_until_it_has_moved_twice_at_the_start_and_once_at_the_end() -> None:
    pace = FakePace(stop_at_s=2.05)
    sensor = FakeSensor(pace, updates_s=0.02)
    _, taken = sampled(pace, sensor)
    moments = [at_s - 100.0 for at_s, _ in taken.edges]
    assert moments == pytest.approx([0.02, 0.04, 2.06], abs=EDGE_GAP_S + 1e-6)
    for _, (sample,) in taken.edges:
        assert sample.stale_s == pytest.approx(EDGE_GAP_S, abs=1e-6)


def test_fast_readings_end_in_time_where_a_counter_does_not_move_and_its_standing_still_is_told_at_the_end() -> None:
    pace = FakePace(stop_at_s=5.0)
    _, taken = sampled(pace, FakeSensor(pace, updates_s=1000.0))
    ((told_s, (sample,)),) = taken.edges
    assert told_s - 105.0 == pytest.approx(END_EDGE_S, abs=EDGE_GAP_S)
    assert sample.at_s == pytest.approx(told_s, abs=1e-6)
    assert pace.paused_s <= END_EDGE_S + EDGE_GAP_S


def test_without_a_counter_nothing_is_followed() -> None:
    pace = FakePace(stop_at_s=1.0)
    sensor = FakeSensor(pace, updates_s=None)
    _, taken = sampled(pace, sensor)
    assert "counters" not in sensor.log
    assert taken.edges == []
    assert pace.paused_s == 0.0


@pytest.mark.parametrize("stop_at_s", [0.0, 0.001, 0.05, 0.11])
def test_a_stop_in_the_middle_of_the_start_ends_it_at_once_and_the_end_is_still_read(stop_at_s: float) -> None:
    pace = FakePace(stop_at_s=stop_at_s)
    sensor = FakeSensor(pace)
    _, taken = sampled(pace, sensor)
    assert len(taken.full) == 2
    assert taken.full[-1][0] == pytest.approx(100.0 + stop_at_s, abs=1e-6)
    assert pace.now_s <= 100.0 + stop_at_s + END_EDGE_S + EDGE_GAP_S
    assert taken.finished == 1


def test_a_counter_that_cannot_be_read_fast_does_not_end_the_readings() -> None:
    pace = FakePace(stop_at_s=3.0)
    sensor = FakeSensor(pace)

    def broken() -> Sequence[Sample]:
        raise RuntimeError("no fast path")

    sensor.read_counters = broken  # type: ignore[method-assign]
    sampler, taken = sampled(pace, sensor)
    assert len(taken.full) == 4
    assert sampler.failure == ""


def test_what_the_sampler_reads_of_a_load_of_known_energy_holds_it() -> None:
    wave, pace = Square(60.0, 600.0, 0.73, 0.41, 0.2), FakePace(stop_at_s=7.3)

    class Device(FakeSensor):
        def _sample(self) -> Sample:
            now_s = self.pace.now_s
            self.pace.now_s += 0.002  # a driver's call
            return Sample("gpu", now_s, round(1e5 + wave.energy_j(math.floor(now_s / 0.1) * 0.1), 3))

    meter = Meter("gpu", "accelerator", "H100", "nvml", "gpu", "measured", has_counter=True, max_w=600.0)
    host = HostIntegral((meter,), 1.0, Limits(0.05, 3.0, 0.1, 1.5), 0.0)
    device = Device(pace)
    sampler = Sampler(lambda: [device], host.push, lambda: None, pace)
    assert sampler.start(PATIENCE_S)
    assert sampler._done.wait(PATIENCE_S)
    started_s, ended_s = host.by_meter["gpu"].first.at_s, host.by_meter["gpu"].last.at_s  # type: ignore[union-attr]
    reached = host.by_meter["gpu"].joules(started_s, ended_s)
    true_j = wave.energy_j(ended_s) - wave.energy_j(started_s)
    assert reached.low <= true_j <= reached.high
    assert reached.mid == pytest.approx(true_j, abs=600.0 * 0.05)


# faults


def test_a_sensor_that_raises_becomes_a_problem_and_the_others_go_on() -> None:
    pace = FakePace(stop_at_s=5.0)
    bad, good = FakeSensor(pace, "bad", updates_s=None), FakeSensor(pace, "good", updates_s=None)
    bad.fails = lambda count: RuntimeError("driver reloaded") if count > 2 else None
    sampler, taken = sampled(pace, bad, good)
    assert sampler.problems == {"bad": "RuntimeError: driver reloaded"}
    assert [len(samples) for _, samples in taken.full] == [2, 2, 1, 1, 1, 1]
    assert sampler.failure == ""


def test_a_sensor_that_comes_back_is_read_again() -> None:
    pace = FakePace(stop_at_s=5.0)
    sensor = FakeSensor(pace, updates_s=None)
    sensor.fails = lambda count: SensorLost("fake", "fell off the bus") if count == 3 else None
    sampler, taken = sampled(pace, sensor)
    assert sampler.problems == {"fake": "fell off the bus"}
    assert [len(samples) for _, samples in taken.full] == [1, 1, 0, 1, 1, 1]


def test_a_meter_that_is_lost_is_told_by_its_own_name() -> None:
    pace = FakePace(stop_at_s=2.0)
    sensor = FakeSensor(pace)
    sensor.gone = (("GPU-7", "is lost"),)
    sampler, _ = sampled(pace, sensor)
    assert sampler.problems == {"GPU-7": "is lost"}


def test_a_reading_that_cannot_be_kept_is_a_problem_and_the_next_one_is_taken() -> None:
    pace, count = FakePace(stop_at_s=4.0), [0]

    def take(at_s: float, samples: Sequence[Sample], is_edge: bool) -> None:
        count[0] += 1
        if count[0] == 2:
            raise ValueError("disk")

    sampler = Sampler(lambda: [FakeSensor(pace, updates_s=None)], take, lambda: None, pace)
    assert sampler.start(PATIENCE_S)
    assert sampler._done.wait(PATIENCE_S)
    assert sampler.problems == {"tracker": "ValueError: disk"}
    assert count == [5]


def test_sensors_that_cannot_be_opened_end_the_thread_and_the_failure_is_told() -> None:
    taken = Taken()

    def refuse() -> Sequence[FakeSensor]:
        raise RuntimeError("no such catalog")

    sampler = Sampler(refuse, taken.take, taken.finish, FakePace())
    assert sampler.start(PATIENCE_S)
    assert sampler.stop(PATIENCE_S)
    assert sampler.failure == "RuntimeError: no such catalog"
    assert (taken.full, taken.finished) == ([], 1)


def test_no_sensor_at_all_is_a_run_of_empty_readings() -> None:
    pace = FakePace(stop_at_s=3.0)
    sampler, taken = sampled(pace)
    assert [samples for _, samples in taken.full] == [[], [], [], []]
    assert sampler.failure == ""


def test_an_end_that_fails_is_told_and_every_sensor_is_closed_all_the_same() -> None:
    pace = FakePace(stop_at_s=1.0)
    first, second = FakeSensor(pace, "first"), FakeSensor(pace, "second")

    def refuse() -> None:
        raise OSError("disk is full")

    first.close = refuse  # type: ignore[method-assign]
    sampler = Sampler(lambda: [first, second], Taken().take, refuse, pace)
    assert sampler.start(PATIENCE_S)
    assert sampler.stop(PATIENCE_S)
    assert sampler.failure == "OSError: disk is full"
    assert second.log[-1] == "close"


# the end


def test_finish_comes_once_after_the_last_reading_and_before_the_sensors_are_closed() -> None:
    pace, order = FakePace(stop_at_s=2.0), []
    sensor = FakeSensor(pace, updates_s=None)
    sensor.close = lambda: order.append("close")  # type: ignore[method-assign]
    sampler = Sampler(
        lambda: [sensor], lambda at_s, samples, is_edge: order.append("take"), lambda: order.append("finish"), pace
    )
    assert sampler.start(PATIENCE_S)
    assert sampler.stop(PATIENCE_S)
    assert sampler.stop(PATIENCE_S)
    assert order == ["take"] * 3 + ["finish", "close"]
    assert not sampler.is_running


class Held(FakeSensor):
    """A driver's call that hangs until it is let go."""

    def __init__(self, pace: FakePace) -> None:
        super().__init__(pace, updates_s=None)
        self.let_go = threading.Event()

    def read(self) -> Sequence[Sample]:
        assert self.let_go.wait(PATIENCE_S)
        return super().read()


def test_a_driver_that_hangs_holds_up_its_thread_and_nobody_else() -> None:
    pace, taken = FakePace(stop_at_s=1.0), Taken()
    sensor = Held(pace)
    sampler = Sampler(lambda: [sensor], taken.take, taken.finish, pace)
    assert not sampler.start(patience_s=0.0)
    assert sampler.is_running
    assert not sampler.stop(patience_s=0.0)
    assert taken.full == []
    sensor.let_go.set()
    assert sampler.stop(PATIENCE_S)
    assert len(taken.full) == 2
    assert taken.finished == 1


@pytest.mark.parametrize("way", ["read", "count"])
def test_where_one_sensor_hangs_the_others_are_read_on_and_the_end_waits_for_nothing(way: str) -> None:
    hangs, has_hung, pace = threading.Event(), threading.Event(), FakePace()
    stuck, well = Counting(pace, "stuck"), Counting(pace, "well")
    real = Pace(0.02, EDGE_GAP_S, 0.0, 0.0, hang_s=0.2)
    inner = getattr(stuck, way)

    def hang() -> Sequence[object]:
        pace.now_s += 0.1  # counters rise
        if len(taken.full) > 1:
            has_hung.set()
            hangs.wait(PATIENCE_S)
        return inner()  # type: ignore[no-any-return]

    setattr(stuck, way, hang)
    taken, told = Taken(), []
    sampler = Sampler(lambda: [stuck, well], taken.take, taken.finish, real, lambda *counts: told.append(counts))
    assert sampler.start(PATIENCE_S)
    assert has_hung.wait(PATIENCE_S)
    read_before = len(well.read_at_s)
    deadline_s = time.monotonic() + PATIENCE_S
    while len(well.read_at_s) < read_before + 3 and time.monotonic() < deadline_s:
        pace.now_s += 0.1
        time.sleep(0.01)
    assert list(sampler.problems) == ["stuck"]
    assert "no answer for 0.2 s" in sampler.problems["stuck"]
    assert sampler.stop(PATIENCE_S)
    assert [sample.meter for sample in taken.full[-1][1]] == ["well"]
    assert (taken.finished, well.log[-1], "close" in stuck.log) == (1, "close", False)
    full_count = len(taken.full)
    hangs.set()  # it comes back: nobody waits for it any more
    while "close" not in stuck.log and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert (taken.finished, stuck.log[-1], len(taken.full), sampler.failure) == (1, "close", full_count, "")


def test_a_call_that_takes_its_time_is_waited_for() -> None:
    pace = Pace(0.02, EDGE_GAP_S, 0.0, 0.0, hang_s=0.3)
    slow = FakeSensor(FakePace(), "slow", updates_s=None)
    slow.fails = lambda count: time.sleep(0.1)
    taken = Taken()
    sampler = Sampler(lambda: [slow], taken.take, taken.finish, pace)
    assert sampler.start(PATIENCE_S)
    time.sleep(0.8)
    assert sampler.stop(PATIENCE_S)
    assert (sampler.problems, taken.finished) == ({}, 1)
    assert not any(thread.is_alive() for thread in sampler._threads)


def test_a_stop_that_is_asked_for_on_the_samplers_own_thread_does_not_wait_for_itself() -> None:
    pace, answers = Pace(1000.0, EDGE_GAP_S, START_EDGE_S, END_EDGE_S), []
    sampler = Sampler(
        lambda: [FakeSensor(FakePace(), updates_s=None)],
        lambda at_s, samples, is_edge: answers.append(sampler.stop(PATIENCE_S)),
        lambda: None,
        pace,
    )
    assert sampler.start(PATIENCE_S)
    assert sampler._done.wait(PATIENCE_S)
    assert answers == [True, True]


def test_a_sampler_that_was_never_started_stops_at_once() -> None:
    sampler = Sampler(list, Taken().take, lambda: None, FakePace())
    assert not sampler.stop(PATIENCE_S)
    assert not sampler.is_running


def test_in_a_forked_child_the_sampler_does_not_run_and_stopping_it_waits_for_nothing() -> None:
    sampler, _ = sampled(FakePace(stop_at_s=1.0))
    sampler._pid = os.getpid() + 1  # as a child finds it
    assert not sampler.is_running
    assert not sampler.stop(PATIENCE_S)


def test_threads_own_pace_waits_no_longer_once_a_stop_was_asked_for() -> None:
    pace = Pace(1.0, EDGE_GAP_S, START_EDGE_S, END_EDGE_S)
    assert not pace.wait(0.0)
    assert not pace.wait(-1.0)
    pace.stop()
    assert pace.wait(1000.0)
    pace.pause(-1.0)
