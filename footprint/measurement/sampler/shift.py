"""One thread's turn at the sensors: steady readings, counters alone in between, fast ones at the edges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import gt
from typing import Protocol, TypeVar

from footprint.errors import SensorError
from footprint.measurement.sampler.pace import Pace
from footprint.units import MILLIJOULES_PER_J
from footprint.values import Sample

__all__ = ["FULL_INTERVALS", "FULL_S", "Readable", "Relieved", "Shift", "Take", "TakeCounts"]

Answer = TypeVar("Answer")

Take = Callable[[float, Sequence[Sample], bool], None]
"""(moment, samples, whether counters alone were read to find an edge)."""

TakeCounts = Callable[[float, tuple[str, ...], Sequence[int]], None]
"""(moment, meters, millijoules of each): a reading in between."""

MOMENT_S = 0.02
"""Counters that take no longer to read are read at one moment."""

FULL_S, FULL_INTERVALS = 20.0, 20
"""Between two readings in full where energy is counted: in between a counter tells all that must not be lost."""

FIRST_INTERVALS, SLOWER_TIMES = 2, 4
"""At the start they come sooner, each after so many times as long: a short run is known too."""


class Readable(Protocol):
    """What the sampler needs of a sensor that is open.

    One that has `count()` too (see `sensors.base`) need not be read in full at each interval; nor need one that
    `is_model` beside it.
    """

    name: str
    period_s: float | None

    def read(self) -> Sequence[Sample]:
        """One sample for each meter that answers."""
        ...

    def read_counters(self) -> Sequence[Sample]:
        """Energy alone."""
        ...

    def lost(self) -> tuple[tuple[str, str], ...]:
        """Meters that ceased to answer, with the reason."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class Relieved(Exception):
    """The call came back after all; others read on meanwhile."""


class Shift:
    """One thread's turn at the sensors.

    Parameters
    ----------
    sensors : that are open
    pace, take, take_counts, problems : the sampler's
    """

    def __init__(
        self,
        sensors: Sequence[Readable],
        pace: Pace,
        take: Take,
        take_counts: TakeCounts | None,
        problems: dict[str, str],
    ) -> None:
        self.sensors, self.pace, self.problems = sensors, pace, problems
        self._take, self._take_counts = take, take_counts
        self.hanging: Readable | None = None  # not None: another thread has taken over
        self._asked: tuple[Readable, float] | None = None  # the sensor that is in a call, and since when
        self._counts: Sequence[tuple[Readable, Callable[[], Sequence[int]]]] = ()
        self._counted: tuple[str, ...] = ()
        self._counted_mj: Sequence[int] = ()
        self._last: Sequence[Sample] = ()
        self._latest: dict[str, Sample] = {}  # of counters, while they are read fast

    def relieve(self) -> Readable | None:
        """The sensor that hangs, if one does; this turn is over then."""
        asked = self._asked
        if asked is not None and self.pace.clock() - asked[1] >= self.pace.hang_s:
            self.hanging = asked[0]
        return self.hanging

    def without(self, hanging: Readable) -> Shift:
        """A turn at the others."""
        others = [sensor for sensor in self.sensors if sensor is not hanging]
        return Shift(others, self.pace, self._take, self._take_counts, self.problems)

    def _ask(self, sensor: Readable, question: Callable[[], Answer]) -> Answer:
        self._check()
        self._asked = sensor, self.pace.clock()
        try:
            return question()
        finally:
            self._asked = None
            self._check()

    def _check(self) -> None:
        if self.hanging is not None:
            raise Relieved

    def loop(self) -> None:
        """Readings at a steady pace, until a stop."""
        quick = [s for s in self.sensors if s.period_s is not None and s.period_s < self.pace.interval_s]
        self._counts = () if quick or self._take_counts is None else _counts_of(self.sensors)
        if self._counts:
            self._loop_counting()
        else:
            self._loop_in_full(quick)

    def _loop_in_full(self, quick: Sequence[Readable]) -> None:
        """All sensors each interval; those with a shorter period of their own in between."""
        pace, clock, interval_s = self.pace, self.pace.clock, self.pace.interval_s
        beat_s = min([interval_s, *(s.period_s for s in quick if s.period_s)])
        due_s = clock()
        all_due_s = due_s + interval_s
        while True:
            due_s = max(due_s + beat_s, clock())  # late once is late once, not a burst of readings
            if pace.wait(due_s - clock()):
                return
            now_s = clock()
            if now_s > due_s + beat_s:
                due_s = now_s
            if now_s + beat_s / 2 < all_due_s:
                self.read(quick)
            else:
                all_due_s = max(all_due_s + interval_s, now_s)
                self.read(self.sensors)

    def _loop_counting(self) -> None:
        """Counters alone each interval; all sensors now and then, and where counters will not do."""
        wait, clock, interval_s = self.pace.wait, self.pace.clock, self.pace.interval_s
        most_s = max(interval_s, min(FULL_S, FULL_INTERVALS * interval_s))
        full_s = min(FIRST_INTERVALS * interval_s, most_s)
        due_s = now_s = clock()
        full_due_s = due_s + full_s - interval_s / 2
        while True:
            due_s = max(due_s + interval_s, now_s)  # late once is late once, not a burst of readings
            if wait(due_s - now_s):
                return
            now_s = clock()
            if now_s > due_s + interval_s:
                due_s = now_s
            if now_s >= full_due_s or not self._has_counted(now_s):
                full_s = min(SLOWER_TIMES * full_s, most_s)
                full_due_s = now_s + full_s - interval_s / 2
                self.read(self.sensors)
            now_s = clock()

    def _has_counted(self, begun_s: float) -> bool:
        """Read counters alone; False where that will not do: one has not risen, is gone or slow, or there is none."""
        had_mj, take = self._counted_mj, self._take_counts
        if not had_mj or take is None:
            return False
        counted_mj: list[int] = []
        try:
            for sensor, count in self._counts:
                self._asked = sensor, begun_s
                counted_mj += count()
            self._asked, at_s = None, self.pace.clock()
            if self.hanging is not None:
                return False
            if at_s - begun_s > MOMENT_S or len(counted_mj) != len(had_mj) or not all(map(gt, counted_mj, had_mj)):
                return False
            self._counted_mj = counted_mj
            take(at_s, self._counted, counted_mj)
        except Exception:  # noqa: BLE001 - told by the reading in full that comes instead
            return False
        return True

    def read(self, sensors: Sequence[Readable]) -> None:
        """One reading in full."""
        samples: list[Sample] = []
        measured: list[Sample] = []
        for sensor in sensors:
            try:
                own = self._ask(sensor, sensor.read)
                samples += own
                if not _is_model(sensor):
                    measured += own
            except Relieved:
                raise
            except SensorError as error:
                self.problems[sensor.name] = error.told
            except Exception as error:  # noqa: BLE001 - a sensor's fault is a note, never the training's end
                self.problems[sensor.name] = f"{type(error).__name__}: {error}"
            for meter, reason in sensor.lost():
                self.problems[meter] = reason
        self._last = samples
        self._counted = tuple([one.meter for one in measured])
        self._counted_mj = [round(one.energy_j * MILLIJOULES_PER_J) for one in measured if one.energy_j is not None]
        if len(self._counted_mj) < len(measured):
            self._counted_mj = ()  # power must be read each time
        self._hand_on(samples, False)

    def _hand_on(self, samples: Sequence[Sample], is_edge: bool) -> None:
        try:
            self._take(self.pace.clock(), samples, is_edge)
        except Exception as error:  # noqa: BLE001 - one reading that could not be kept is no reason to keep none
            self.problems["tracker"] = f"{type(error).__name__}: {error}"

    def find_ticks(self, wanted: int, most_s: float, is_end: bool) -> None:
        """Read counters fast until each has moved so often: twice at the start tells the period, once ends the run.

        At the end, a counter that has not moved is handed on too: it tells how old the last reading can be.
        """
        self._latest = {one.meter: one for one in self._last if one.energy_j is not None}
        counted = dict.fromkeys(self._latest, 0)
        started_s = self.pace.clock()
        while counted and self.pace.clock() - started_s < most_s:
            if is_end:
                self.pace.pause(self.pace.edge_gap_s)
            elif self.pace.wait(self.pace.edge_gap_s):
                return
            moved = self._poll()
            for sample in moved:
                counted[sample.meter] = counted.get(sample.meter, 0) + 1
            if moved:
                self._hand_on(moved, True)
            if all(count >= wanted for count in counted.values()):
                return
        if is_end:
            still = [one for meter, one in self._latest.items() if not counted.get(meter, 0)]
            if still:
                self._hand_on(still, True)

    def _poll(self) -> list[Sample]:
        """The counters that have moved since they were last read."""
        moved: list[Sample] = []
        for sensor in self.sensors:
            try:
                samples = self._ask(sensor, sensor.read_counters)
            except Relieved:
                raise
            except Exception:  # noqa: BLE001 - told by the next full reading
                continue
            for sample in samples:
                before = self._latest.get(sample.meter)
                if before is None or sample.energy_j is None:
                    continue
                if sample.energy_j != before.energy_j:
                    moved.append(replace(sample, stale_s=sample.at_s - before.at_s))
                self._latest[sample.meter] = sample
        return moved


def _is_model(sensor: Readable) -> bool:
    return bool(getattr(sensor, "is_model", False))


def _counts_of(sensors: Sequence[Readable]) -> Sequence[tuple[Readable, Callable[[], Sequence[int]]]]:
    """How energy alone is read of all that measure; nothing where one of them cannot."""
    found = [(sensor, getattr(sensor, "count", None)) for sensor in sensors if not _is_model(sensor)]
    counts = [(sensor, count) for sensor, count in found if count is not None]
    return counts if len(counts) == len(found) else ()
