"""A thread that opens the sensors, reads them each interval, and stops within a bound.

Everything that touches a sensor happens on this one thread, so a driver call that hangs holds up the thread and
nothing else: who starts waits a bounded time, who stops too. A second thread looks after it now and then, and goes on
without a sensor that hangs. What a reading means is not known here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from footprint.measurement.sampler.pace import Pace
from footprint.measurement.sampler.shift import Readable, Relieved, Shift, Take, TakeCounts

__all__ = ["Sampler"]

_TO_KNOW_THE_PERIOD = 2
"""Moves of a counter: the time between them."""


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
        self._open_sensors, self._finish, self.pace = open_sensors, finish, pace
        self._ready, self._done = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []  # who reads, then who looks after it
        self._pid = os.getpid()
        self.problems: dict[str, str] = {}
        self.failure = ""
        self._shift = Shift((), pace, take, take_counts, self.problems)

    def start(self, patience_s: float) -> bool:
        """Start reading; False when the first reading has not come within `patience_s` (it may yet)."""
        self._begin(self._run, "footprint-sampler")
        return self._ready.wait(patience_s)

    def _begin(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:  # no thread can be started
            self._threads.remove(thread)
            raise

    def stop(self, patience_s: float) -> bool:
        """Ask for the last reading and wait for it; False when the thread is held up in a call, or never was.

        Asked on the thread itself, it comes when the thread is done with what it is at.
        """
        self.pace.stop()
        if not self._threads or self._pid != os.getpid():
            return False  # never started, or a forked child, that has no such thread
        if threading.current_thread() in self._threads:
            return True
        is_done = self._done.wait(patience_s)
        if is_done:
            for thread in tuple(self._threads):
                thread.join(patience_s)
        return is_done

    @property
    def is_running(self) -> bool:
        """Whether a thread reads in this process."""
        return bool(self._threads) and self._threads[0].is_alive() and self._pid == os.getpid()

    def _run(self) -> None:
        shift = self._shift
        try:
            shift.sensors = self._open_sensors()
            with suppress(RuntimeError):  # no thread can be started: nobody looks after this one
                self._begin(self._look_after, "footprint-watch")
            shift.read(shift.sensors)
            self._ready.set()
            shift.find_ticks(_TO_KNOW_THE_PERIOD, self.pace.start_edge_s, is_end=False)
        except Relieved:
            self._end(shift)
        except Exception as error:  # noqa: BLE001 - the guard: nothing of ours may end a training
            self.failure = f"{type(error).__name__}: {error}"
            self._end(shift)
        else:
            self._go_on(shift)

    def _go_on(self, shift: Shift) -> None:
        try:
            shift.loop()
            shift.read(shift.sensors)
            shift.find_ticks(1, self.pace.end_edge_s, is_end=True)
        except Relieved:
            pass
        except Exception as error:  # noqa: BLE001 - the same guard
            self.failure = self.failure or f"{type(error).__name__}: {error}"
        self._end(shift)

    def _end(self, shift: Shift) -> None:
        """Close what is open; of a turn that was taken over, the sensor that hung alone."""
        lasts: Sequence[Callable[[], None]]
        if shift.hanging is None:
            lasts = (self._finish, *(sensor.close for sensor in shift.sensors), self._ready.set, self._done.set)
        else:
            lasts = (shift.hanging.close,)
        for last in lasts:
            try:
                last()
            except Exception as error:  # noqa: BLE001 - the same guard at the end
                self.failure = self.failure or f"{type(error).__name__}: {error}"

    def _look_after(self) -> None:
        """Now and then, until a sensor hangs: then this thread reads the others, and another one looks after it."""
        while not self._done.wait(self.pace.hang_s):
            before = self._shift
            hanging = before.relieve()
            if hanging is None:
                continue
            self.problems[hanging.name] = f"gave no answer for {self.pace.hang_s:g} s: given up, the others are read on"
            self._shift = before.without(hanging)
            del self._threads[0]
            with suppress(RuntimeError):
                self._begin(self._look_after, "footprint-watch")
            self._ready.set()
            self._go_on(self._shift)
            return
