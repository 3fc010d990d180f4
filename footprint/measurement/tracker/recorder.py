"""Between the sampler and the journal: who this run is, which devices it counts, and what is written of them."""

from __future__ import annotations

import atexit
import math
import os
import signal
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from footprint.catalog import open_catalog
from footprint.errors import SensorUnavailable
from footprint.measurement.claims import Claims, claims_folder
from footprint.measurement.journal import Header, JournalWriter, Tick
from footprint.measurement.launcher import launch_of
from footprint.measurement.limits import limits
from footprint.measurement.lines import counts_as_samples
from footprint.measurement.metering import HostIntegral
from footprint.measurement.sampler import Pace, Readable, Sampler
from footprint.measurement.sensors import preload
from footprint.measurement.tracker.active import ActiveRun
from footprint.measurement.tracker.budget import look_at_budget
from footprint.measurement.tracker.companions import Companions
from footprint.measurement.tracker.headers import header_of
from footprint.measurement.tracker.options import Options
from footprint.measurement.tracker.places import follows_another, move_journal, run_id_of, safe, writable_folder
from footprint.measurement.tracker.tally import Tally
from footprint.measurement.tracker.words import TrackWords
from footprint.values import Meter, Run, Sample

if TYPE_CHECKING:
    from footprint.report.run_result import RunResult

__all__ = ["Options", "Recorder"]

OPEN_PATIENCE_S = 10.0
"""A driver that answers no sooner is waited for in the background."""

STOP_PATIENCE_S = 2.0
"""A call that hangs holds up the end of a training no longer."""

DISK_PATIENCE_S = 1.0
"""A disk that hangs neither."""

MOST_TOLD = 1000
"""Different complaints that are remembered: memory stays bounded."""

EDGE_GAP_S = 0.004
START_EDGE_S = 0.3
END_EDGE_S = 0.048
"""Fast readings of counters: between two of them, and in all, at the start (beside the training) and at the end."""

COMPANIONS_S = 5.0
"""Between two looks at the journals of other processes, and at the budget."""

_active: WeakSet[Recorder] = WeakSet()


class Recorder:
    """One start of a run in one process."""

    def __init__(self, words: TrackWords, options: Options) -> None:
        self.words, self.options = words, options
        self._launch = launch_of(options.environment)
        self.run_id = run_id_of(words.name, options.run_id, self._launch)
        self._pid, self._look_due_s = os.getpid(), math.inf
        self._end_lock, self._disk_lock = threading.RLock(), threading.Lock()
        self._is_over = self._is_abandoned = self._is_written = False
        self._earlier_failure = id(getattr(sys, "last_value", None))
        self._status, self._error = "finished", ""
        self._begun_s: float | None = None  # told by the next reading in full
        self._tally: Tally | None = None
        self._told: set[str] = set()
        self._mine: frozenset[str] = frozenset()
        self._writer: JournalWriter | None = None
        self._header: Header | None = None
        self.run = ActiveRun(self.run_id, words, options.clock)
        self.run.read_result, self.run.rejoin = self.result, self._rejoin
        self._folder, told = writable_folder(options.environment, options.folder, self.run_id)
        for line in told:
            self.run.note(line)
        self._claims = Claims(claims_folder(options.environment), self.run_id)
        pace = Pace(words.interval_s, EDGE_GAP_S, START_EDGE_S, END_EDGE_S, options.clock)
        self._sampler = Sampler(self._open, self._take, self._finish, pace, self._take_counts)

    @property
    def is_active(self) -> bool:
        """Whether it has been started and not stopped."""
        return not self._is_over

    def start(self) -> ActiveRun:
        """Open sensors and take the first reading."""
        _active.add(self)
        has_begun = False
        try:
            if not self._sampler.start(OPEN_PATIENCE_S):
                self.run.note(f"sensors have not answered within {OPEN_PATIENCE_S:g} s: measuring begins when they do")
            else:
                self._begun_s = self.options.clock()
            has_begun = True
        except RuntimeError as error:  # no thread can be started
            self.run.note(f"nothing is measured: {error}")
            has_begun = True
        finally:
            if not has_begun:  # Ctrl-C while it waits: nobody would stop it
                self.stop("failed")
        return self.run

    def stop(self, status: str, error: BaseException | None = None) -> None:
        """The last reading, the journal's last line; bounded in time, never raises."""
        with self._end_lock:
            if self._is_over:
                return
            self._is_over = True
        _active.discard(self)
        if self._pid != os.getpid():
            return  # a forked child: the run is its parent's
        self._status = "stopped" if status == "finished" and self.run.should_stop else status
        self._error = type(error).__name__ if error is not None else ""
        self.run.ended_s = self.options.clock()
        if not self._sampler.stop(STOP_PATIENCE_S):
            self._abandon()

    def _abandon(self) -> None:
        """The sampler hangs in a call: its thread is left behind, the journal is closed beside it, if the disk lets."""
        self._is_abandoned = True
        if self._sampler.is_running:
            self.run.note(f"no answer of sensor or disk within {STOP_PATIENCE_S:g} s at the end: what was read stands")
        end = threading.Thread(target=self._end_alone, name="footprint-end", daemon=True)
        with suppress(RuntimeError):  # no thread can be started: the journal stands as it is
            end.start()
            end.join(DISK_PATIENCE_S)

    def _end_alone(self) -> None:
        try:
            self._begin(())  # where the sensors have not answered yet
            self._write_end()
        except Exception as error:  # noqa: BLE001 - the guard
            self.run.note(f"{type(error).__name__}: {error}")

    def forget(self) -> None:
        """In a forked child: the run is its parent's; nothing is written here, and no lock of it is held or awaited."""
        self._end_lock, self._disk_lock = threading.RLock(), threading.Lock()
        self._is_over = self._is_abandoned = self._is_written = True
        self.run.forget()
        if self._writer is not None:
            self._writer.close()

    def ended_by(self) -> BaseException | None:
        """The exception that ends the interpreter, where it came after the start."""
        error: BaseException | None = getattr(sys, "last_value", None)
        return None if id(error) == self._earlier_failure else error

    # on the sampler's thread

    def _open(self) -> Sequence[Readable]:
        opened: list[Readable] = []
        meters: list[Meter] = []
        for sensor in self._detected():
            try:
                own = [m for m in (self._claimed(meter) for meter in sensor.open()) if m is not None]
            except Exception as error:  # noqa: BLE001 - the guard: one sensor's fault is not the others'
                self.run.note(str(error) or type(error).__name__)
                continue
            if own:
                opened.append(sensor)
                meters += own
            else:
                sensor.close()
        self._begin(tuple(meters))
        if self._is_abandoned:  # they answered after the end
            self._claims.release()
        return opened

    def _detected(self) -> Sequence[Any]:
        own_pids = {} if self.options.pids is None else {"pids": self._own_pids}
        try:
            sensors, findings = self.options.detect(
                self.options.environment, self.options.clock, self.options.sensors, **own_pids
            )
        except Exception as error:  # noqa: BLE001 - the guard
            self.run.note(f"nothing is measured: {type(error).__name__}: {error}")
            return ()
        for finding in findings:
            if not finding.is_available:
                self.run.note(f"{finding.sensor} is not measured: {finding.told}")
        return list(sensors)

    def _own_pids(self) -> Iterable[int]:
        try:
            return tuple(self.options.pids()) if self.options.pids is not None else ()
        except Exception as error:  # noqa: BLE001 - the user's own function, on our thread
            self.run.note(f"pids raised {type(error).__name__}: {error}")
            return ()

    def _claimed(self, meter: Meter) -> Meter | None:
        """The meter where this process counts it, or where another run does; None where a rank of this run does."""
        holder = self._claims.claim(f"{meter.component}-{meter.id}")
        if holder is None:
            return meter
        if holder == self.run_id:
            return None
        return replace(meter, counted_in=holder or "another")

    def _begin(self, meters: tuple[Meter, ...]) -> None:
        with self._disk_lock:
            if self._header is None:
                self._begin_once(meters)

    def _begin_once(self, meters: tuple[Meter, ...]) -> None:
        now_s = self.options.clock()
        self._mine = frozenset(m.id for m in meters)
        self.run.started_s = now_s
        self._look_due_s = now_s if self.words.budgets else math.inf
        self._header = header_of(self.run_id, self.words, self._launch, meters, now_s)
        constants = limits(open_catalog(self.words.data))
        offset_s = self._header.started_utc_s - now_s
        self.run.host = HostIntegral(meters, self.words.interval_s, constants, offset_s)
        self._tally = Tally(self.run.host, now_s)
        self.run.settle = self._tally.settle
        self.run.rank, self.run.world_count = self._launch.rank, self._launch.world_count
        if self._folder is not None:
            self._writer = JournalWriter(self._folder / self.run_id, self._header)
            self._tell_of_disk()
            follows, self.run.journal = follows_another(self._writer.path, self.words.interval_s), self._writer.path
            self.run.is_resumed = follows or self._launch.restart_count > 0
        if self._writer is not None and (self._launch.world_count > 1 or self._launch.is_named_by_user):
            self._look_due_s = now_s
            only = None if self._launch.rank == 0 else frozenset((0,))
            self.run.companions = Companions(self._writer.path, self._header.started_utc_s, constants, only)

    def _take(self, at_s: float, samples: Sequence[Sample], is_edge: bool) -> None:
        if self._is_abandoned or self._tally is None:
            return
        own = tuple([sample for sample in samples if sample.meter in self._mine])
        if is_edge:
            self._tally.take_edge(at_s, own)
            self._write(Tick(at_s, own, is_edge=True))
            return
        windows = self.run.taken_windows(at_s)
        self._tally.take(at_s, own, windows)
        is_signal_due = False
        if at_s >= self._look_due_s:
            self._look_due_s = at_s + COMPANIONS_S - self.words.interval_s / 2
            try:
                is_signal_due = self._look_around()
            except Exception as error:  # noqa: BLE001 - the guard: the reading is kept all the same
                self._tell(f"the budget cannot be looked at: {type(error).__name__}: {error}")
        self.run.mark(at_s)
        for name, problem in list(self._sampler.problems.items()):
            self._tell(f"{name}: {problem}")
        progress, notes = self.run.taken_words()
        begun_s, self._begun_s = self._begun_s, None
        self._tally.host.bound(self._mine, begun_s)
        self._write(Tick(at_s, own, windows=windows, progress=progress, notes=notes, begun_s=begun_s))
        if is_signal_due:
            os.kill(os.getpid(), signal.SIGTERM)

    def _take_counts(self, at_s: float, meters: tuple[str, ...], counted_mj: Sequence[int]) -> None:
        """Each second, with cold caches: whatever is touched here costs."""
        run, tally, writer = self.run, self._tally, self._writer
        if self._is_abandoned or tally is None:
            return
        if at_s >= self._look_due_s:
            self._take(at_s, counts_as_samples(at_s, meters, counted_mj), False)
            return
        beside = None
        if run.has_news():
            windows = run.taken_windows(at_s)
            progress, notes = run.taken_words()
            beside = Tick(at_s, windows=windows, progress=progress, notes=notes)
            tally.add_windows(windows)
        tally.newest = at_s, meters, counted_mj
        if writer is None:
            return
        with self._disk_lock:
            if not self._is_written:
                writer.write_counts(at_s, meters, counted_mj, beside)
                if writer.problem or writer.is_begun_anew:
                    self._tell_of_disk()

    def _look_around(self) -> bool:
        """What other processes say, and whether the budget holds; whether to send a signal because it does not."""
        run = self.run
        if run.companions is not None and (run.rank == 0 or self.words.on_budget == "stop"):
            run.companions.refresh()
            run.hear_of_stop()
        return run.rank == 0 and look_at_budget(run, 2 * COMPANIONS_S + 2 * self.words.interval_s)

    def _write(self, tick: Tick) -> None:
        with self._disk_lock:
            if self._writer is not None and not self._is_written:
                self._writer.write(tick)
                self._tell_of_disk()

    def _tell_of_disk(self) -> None:
        if self._writer is not None and self._writer.is_begun_anew:
            self._tell("the journal was gone in mid-run: it is begun anew, with the energy since the start")
        if self._writer is not None and self._writer.problem:
            self._tell(f"the journal cannot be written ({self._writer.problem}): tried again, nothing is lost yet")

    def _tell(self, line: str) -> None:
        """A note of what goes wrong, once."""
        if line not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(line)
            self.run.note(line)

    def _finish(self) -> None:
        if not self._is_abandoned:
            self._write_end()

    def _write_end(self) -> None:
        with self._disk_lock:
            if self._is_written:
                return
            self._is_written = True
            now_s = self.options.clock() if self.run.ended_s is None else self.run.ended_s
            if self._sampler.failure:
                self.run.note(f"measuring ended early: {self._sampler.failure}")
            windows = self.run.taken_windows(now_s)
            progress, notes = self.run.taken_words()
            if self._tally is not None:
                self._tally.host.bound(self._mine, ended_s=now_s)
            if self._writer is not None:
                self._writer.write(Tick(now_s, (), False, windows, progress, notes, self._status, self._error))
                self._writer.close()
            self._claims.release()

    # going on, and results

    def _rejoin(self, run_id: str) -> None:
        """Move this start's journal to the run that it goes on with."""
        new_id = safe(run_id)
        if not self._disk_lock.acquire(timeout=DISK_PATIENCE_S):
            self.run.note(f"could not go on with run {run_id}: the disk does not answer")
            return
        try:
            if self._writer is not None and self._folder is not None:
                self.run.journal = self._writer.path = move_journal(self._writer.path, self._folder / new_id)
                if self.run.companions is not None:
                    self.run.companions = self.run.companions.beside(self._writer.path)
        except OSError as error:
            self.run.note(f"could not go on with run {run_id}: {error.strerror or error}")
            return
        finally:
            self._disk_lock.release()
        self.run_id = self.run.id = new_id
        self._claims.rename(new_id)

    def result(self) -> RunResult:
        """The run by its journals; by what this process added up where they cannot be read or written."""
        from footprint.measurement.tracker.reading import read_run
        from footprint.report.run_result import RunResult

        if self._writer is not None and not self._writer.problem:
            run = read_run(self._writer.path.parent, data=self.words.data)
        else:
            run = self._from_memory()
        notes = tuple(dict.fromkeys((*run.notes, *self.run.notes)))
        return RunResult.of(replace(run, notes=notes))

    def _from_memory(self) -> Run:
        from footprint.measurement.tracker.reading import run_of
        from footprint.measurement.tracker.segments import from_memory

        header, tally = self._header, self._tally
        if header is None or tally is None:
            raise SensorUnavailable("track", "the sensors have not answered yet", "ask again later")
        tally.settle(DISK_PATIENCE_S)
        ended_s = self.run.ended_s if self.run.ended_s is not None else self.options.clock()
        status = self._status if self._is_over else "running"
        told = self.run.state_dict()["progress"]
        segment = from_memory(header, tally.host, ended_s, status, tally.windows, told)
        return run_of([segment], header.words, open_catalog(self.words.data))


def _stop_forgotten() -> None:
    """At the interpreter's end: runs that nobody stopped; failed where an exception ended it."""
    for recorder in list(_active):
        error = recorder.ended_by()
        recorder.stop("finished" if error is None else "failed", error)


def _forget_all() -> None:
    for recorder in list(_active):
        recorder.forget()
    _active.clear()


preload()  # with this module, so that no start of a run waits for it
atexit.register(_stop_forgotten)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
