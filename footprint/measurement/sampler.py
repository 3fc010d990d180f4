"""Owns time: a thread that opens the sensors, reads them each interval, and stops within a bound.

Everything that touches a sensor happens on this one thread, so a driver call that hangs holds up the thread and
nothing else: who starts waits a bounded time, who stops too. What a reading means is not known here.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from operator import gt
from typing import Protocol

from footprint.errors import SensorError
from footprint.units import MILLIJOULES_PER_J
from footprint.values import Sample

__all__ = ["Pace", "Readable", "Sampler"]

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

_TO_KNOW_THE_PERIOD = 2
"""Moves of a counter: the time between them."""


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


class Pace:
    """How time passes: a thread's own, or a test's.

    Parameters
    ----------
    interval_s : between readings
    edge_gap_s : between fast readings at the start and the end
    start_edge_s, end_edge_s : how long they go on at most, per edge
    """

    def __init__(
        self,
        interval_s: float,
        edge_gap_s: float,
        start_edge_s: float,
        end_edge_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.interval_s, self.edge_gap_s = interval_s, edge_gap_s
        self.start_edge_s, self.end_edge_s = start_edge_s, end_edge_s
        self.clock = clock
        self._is_stopping = False
        self._awake = threading.Lock()  # held until then; an event would make a lock of its own for each wait
        self._awake.acquire()

    def wait(self, seconds: float) -> bool:
        """Let time pass; True at once when a stop was asked for."""
        if not self._is_stopping:
            self._awake.acquire(timeout=max(seconds, 0.0))
        return self._is_stopping

    def pause(self, seconds: float) -> None:
        """Let time pass whatever was asked for."""
        time.sleep(max(seconds, 0.0))

    def stop(self) -> None:
        """Ask for a stop."""
        self._is_stopping = True
        with suppress(RuntimeError):  # asked before
            self._awake.release()


class Sampler:
    """Reads sensors until told to stop.

    Parameters
    ----------
    open_sensors : called on the thread: opens what is readable, returns it
    take : called on the thread with each reading
    finish : called on the thread after the last reading, before the sensors are closed
    pace : how time passes
    take_counts : called on the thread with a reading of counters alone; None where each is to be in full
    """

    def __init__(
        self,
        open_sensors: Callable[[], Sequence[Readable]],
        take: Take,
        finish: Callable[[], None],
        pace: Pace,
        take_counts: TakeCounts | None = None,
    ) -> None:
        self._open_sensors, self._take, self._finish, self.pace = open_sensors, take, finish, pace
        self._take_counts = take_counts
        self._count: Callable[[], Sequence[int]] | None = None
        self._counted: tuple[str, ...] = ()
        self._counted_mj: Sequence[int] = ()
        self._ready, self._done = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self.problems: dict[str, str] = {}
        self.failure = ""
        self._last: Sequence[Sample] = ()
        self._latest: dict[str, Sample] = {}  # of counters, while they are read fast

    def start(self, patience_s: float) -> bool:
        """Start reading; False when the first reading has not come within `patience_s` (it may yet)."""
        thread = threading.Thread(target=self._run, name="footprint-sampler", daemon=True)
        thread.start()
        self._thread = thread
        return self._ready.wait(patience_s)

    def stop(self, patience_s: float) -> bool:
        """Ask for the last reading and wait for it; False when the thread is held up in a call, or never was.

        Asked on the thread itself, it comes when the thread is done with what it is at.
        """
        self.pace.stop()
        if self._thread is None or self._pid != os.getpid():
            return False  # never started, or a forked child, that has no such thread
        if self._thread is threading.current_thread():
            return True
        is_done = self._done.wait(patience_s)
        if is_done:
            self._thread.join(patience_s)
        return is_done

    @property
    def is_running(self) -> bool:
        """Whether the thread reads in this process."""
        return self._thread is not None and self._thread.is_alive() and self._pid == os.getpid()

    def _run(self) -> None:
        sensors: Sequence[Readable] = ()
        self._thread = threading.current_thread()  # `start` may not have come so far
        try:
            sensors = self._open_sensors()
            self._read(sensors)
            self._ready.set()
            self._find_ticks(sensors, _TO_KNOW_THE_PERIOD, self.pace.start_edge_s, is_end=False)
            self._loop(sensors)
            self._read(sensors)
            self._find_ticks(sensors, 1, self.pace.end_edge_s, is_end=True)
        except Exception as error:  # noqa: BLE001 - the guard: nothing of ours may end a training
            self.failure = f"{type(error).__name__}: {error}"
        finally:
            self._ready.set()
            self._end(sensors)

    def _end(self, sensors: Sequence[Readable]) -> None:
        for last in (self._finish, *(sensor.close for sensor in sensors)):
            try:
                last()
            except Exception as error:  # noqa: BLE001 - the same guard at the end
                self.failure = self.failure or f"{type(error).__name__}: {error}"
        self._done.set()

    def _loop(self, sensors: Sequence[Readable]) -> None:
        """Readings at a steady pace; sensors with a period of their own in between."""
        quick = [s for s in sensors if s.period_s is not None and s.period_s < self.pace.interval_s]
        interval_s = self.pace.interval_s
        beat_s = min([interval_s, *(s.period_s for s in quick if s.period_s)])
        most_s = max(interval_s, min(FULL_S, FULL_INTERVALS * interval_s))
        full_s = min(FIRST_INTERVALS * interval_s, most_s)
        clock = self.pace.clock
        due_s = clock()
        all_due_s, full_due_s = due_s + interval_s, due_s + full_s
        self._count = _count_of(sensors) if self._take_counts is not None and not quick else None
        while True:
            due_s = max(due_s + beat_s, clock())  # late once is late once, not a burst of readings
            if self.pace.wait(due_s - clock()):
                return
            now_s = clock()
            if now_s > due_s + beat_s:
                due_s = now_s
            soon_s = now_s + beat_s / 2
            if soon_s < all_due_s:
                self._read(quick)
                continue
            all_due_s = max(all_due_s + interval_s, now_s)
            if soon_s >= full_due_s or not self._has_counted(clock):
                full_s = min(SLOWER_TIMES * full_s, most_s)
                full_due_s = now_s + full_s
                self._read(sensors)

    def _has_counted(self, clock: Callable[[], float]) -> bool:
        """Read counters alone; False where that will not do: one has not risen, is gone or slow, or there is none."""
        had_mj, begun_s = self._counted_mj, clock()
        if self._count is None or self._take_counts is None or not had_mj:
            return False
        try:
            counted_mj = self._count()
            at_s = clock()
            if len(counted_mj) != len(had_mj) or at_s - begun_s > MOMENT_S or not all(map(gt, counted_mj, had_mj)):
                return False
            self._counted_mj = counted_mj
            self._take_counts(at_s, self._counted, counted_mj)
        except Exception:  # noqa: BLE001 - told by the reading in full that comes instead
            return False
        return True

    def _read(self, sensors: Sequence[Readable]) -> None:
        samples: list[Sample] = []
        measured: list[Sample] = []
        for sensor in sensors:
            try:
                own = sensor.read()
                samples += own
                if not _is_model(sensor):
                    measured += own
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

    def _find_ticks(self, sensors: Sequence[Readable], wanted: int, most_s: float, is_end: bool) -> None:
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
            moved = self._poll(sensors)
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

    def _poll(self, sensors: Sequence[Readable]) -> list[Sample]:
        """The counters that have moved since they were last read."""
        moved: list[Sample] = []
        for sensor in sensors:
            try:
                samples = sensor.read_counters()
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


def _count_of(sensors: Sequence[Readable]) -> Callable[[], Sequence[int]] | None:
    """How energy alone is read of all that measure; None where one of them cannot, or none is there."""
    counts = [getattr(sensor, "count", None) for sensor in sensors if not _is_model(sensor)]
    if len(counts) < 2 or None in counts:
        return counts[0] if len(counts) == 1 else None
    return lambda: [one for count in counts if count is not None for one in count()]
