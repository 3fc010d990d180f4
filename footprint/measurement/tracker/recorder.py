"""Between the sampler and the journal: who this run is, which devices it counts, and what is written of them."""

from __future__ import annotations

import atexit
import os
import platform
import re
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from footprint import records
from footprint.catalog import open_catalog
from footprint.errors import InputError, SensorError, SensorUnavailable
from footprint.measurement import journal
from footprint.measurement.claims import Claims, claims_folder
from footprint.measurement.journal import Header, JournalWriter, Tick
from footprint.measurement.launcher import Launch, launch_of
from footprint.measurement.metering import HostIntegral
from footprint.measurement.sampler import Pace, Readable, Sampler
from footprint.measurement.sensors import detect
from footprint.measurement.tracker.active import ActiveRun
from footprint.measurement.tracker.companions import Companions
from footprint.measurement.tracker.forecasting import over_budget
from footprint.measurement.tracker.limits import boot_id, limits
from footprint.measurement.tracker.words import TrackWords
from footprint.values import Meter, Run, Sample
from footprint.version import __version__

if TYPE_CHECKING:
    from footprint.report.run_result import RunResult

__all__ = ["Options", "Recorder"]

OPEN_PATIENCE_S = 10.0
"""A driver that answers no sooner is waited for in the background."""

STOP_PATIENCE_S = 2.0
"""A call that hangs holds up the end of a training no longer."""

EDGE_GAP_S = 0.004
START_EDGE_S = 0.3
END_EDGE_S = 0.035
"""Fast readings of counters: between two of them, and in all, at the start (beside the training) and at the end."""

COMPANIONS_S = 5.0
"""Between two looks at the journals of other processes, and at the budget."""

_active: WeakSet[Recorder] = WeakSet()


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is recorded."""

    folder: Path | None = None
    run_id: str | None = None
    pids: Callable[[], Iterable[int]] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    sensors: Collection[str] | None = None
    detect: Callable[..., Any] = detect
    clock: Callable[[], float] = time.monotonic


class Recorder:
    """One start of a run in one process."""

    def __init__(self, words: TrackWords, options: Options) -> None:
        self.words, self.options = words, options
        self._launch = launch_of(options.environment)
        self.run_id = _run_id(words, options, self._launch)
        self._pid = os.getpid()
        self._end_lock = threading.Lock()
        self._is_over = self._is_abandoned = False
        self._status, self._error = "finished", ""
        self._looked_s = self._taken_s = 0.0
        self._windows: dict[str, tuple[int, float, float]] = {}
        self._told: set[str] = set()
        self._mine: frozenset[str] = frozenset()
        self._writer: JournalWriter | None = None
        self._header: Header | None = None
        self.run = ActiveRun(self.run_id, words, options.clock)
        self.run.read_result, self.run.rejoin = self.result, self._rejoin
        self._folder = self._writable_folder()
        self._claims = Claims(claims_folder(options.environment), self.run_id)
        pace = Pace(words.interval_s, EDGE_GAP_S, START_EDGE_S, END_EDGE_S, options.clock)
        self._sampler = Sampler(self._open, self._take, self._finish, pace)

    @property
    def is_active(self) -> bool:
        """Whether it has been started and not stopped."""
        return not self._is_over

    def start(self) -> ActiveRun:
        """Open sensors and take the first reading."""
        _active.add(self)
        if not self._sampler.start(OPEN_PATIENCE_S):
            self.run.note(f"sensors have not answered within {OPEN_PATIENCE_S:g} s: measuring begins when they do")
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
        """The sampler hangs in a call: its thread is left behind, the journal is closed here."""
        self._is_abandoned = True
        self.run.note(f"a sensor did not answer within {STOP_PATIENCE_S:g} s at the end: its last reading stands")
        try:
            self._write_end()
        except Exception as error:  # noqa: BLE001 - the guard
            self.run.note(f"{type(error).__name__}: {error}")

    # on the sampler's thread

    def _open(self) -> Sequence[Readable]:
        sensors, findings = self.options.detect(
            self.options.environment, self.options.clock, self.options.sensors,
            **({} if self.options.pids is None else {"pids": self.options.pids}),
        )  # fmt: skip
        for finding in findings:
            if not finding.is_available:
                self.run.note(f"{finding.sensor} is not measured: {finding.told}")
        opened: list[Readable] = []
        meters: list[Meter] = []
        for sensor in sensors:
            try:
                own = [m for m in (self._claimed(meter) for meter in sensor.open()) if m is not None]
            except SensorError as error:
                self.run.note(str(error))
                continue
            if own:
                opened.append(sensor)
                meters += own
            else:
                sensor.close()
        self._mine = frozenset(m.id for m in meters)
        self._begin(tuple(meters))
        return opened

    def _claimed(self, meter: Meter) -> Meter | None:
        """The meter where this process counts it, or where another run does; None where a rank of this run does."""
        holder = self._claims.claim(f"{meter.component}-{meter.id}")
        if holder is None:
            return meter
        if holder == self.run_id:
            return None
        return replace(meter, counted_in=holder or "another")

    def _begin(self, meters: tuple[Meter, ...]) -> None:
        now_s = self.options.clock()
        self.run.started_s = self._taken_s = now_s
        self._header = Header(
            run=self.run_id, name=self.words.name, host=platform.node(), boot=boot_id(), pid=self._pid,
            restart_count=self._launch.restart_count, rank=self._launch.rank, started_utc_s=time.time(),
            started_s=now_s, interval_s=self.words.interval_s, meters=meters, project=self.words.project,
            tags=self.words.tags, words=self.words.plain(),
            planned=None if self.words.planned is None else records.to_plain(self.words.planned), version=__version__,
        )  # fmt: skip
        constants = limits(open_catalog(self.words.data))
        offset_s = self._header.started_utc_s - now_s
        self.run.host = HostIntegral(meters, self.words.interval_s, constants, offset_s)
        self.run.rank, self.run.world_count = self._launch.rank, self._launch.world_count
        if self._folder is not None:
            try:
                self._writer = JournalWriter(self._folder / self.run_id, self._header)
            except OSError as error:
                self.run.note(f"no journal: {error.strerror or error}; the run is kept in memory alone")
        if self._writer is not None and (self._launch.world_count > 1 or self._launch.is_named_by_user):
            only = None if self._launch.rank == 0 else frozenset((0,))
            self.run.companions = Companions(self._writer.path, self._header.started_utc_s, constants, only)

    def _take(self, at_s: float, samples: Sequence[Sample], is_edge: bool) -> None:
        if self._is_abandoned:
            return
        own = tuple(sample for sample in samples if sample.meter in self._mine)
        host = self.run.host
        joules = host.push(at_s, own, is_edge) if host is not None else 0.0
        if is_edge:
            self._write(Tick(at_s, own, is_edge=True))
            return
        if at_s >= self._looked_s + COMPANIONS_S:
            self._looked_s = at_s
            self._look_around()
        self.run.mark(at_s)
        for name, problem in self._sampler.problems.items():
            if (line := f"{name}: {problem}") not in self._told:
                self._told.add(line)
                self.run.note(line)
        windows, progress, notes = self.run.taken(at_s)
        self._add_windows(windows, at_s, joules)
        self._write(Tick(at_s, own, windows=windows, progress=progress, notes=notes))

    def _look_around(self) -> None:
        """What other processes say, and whether the budget holds."""
        run = self.run
        if run.companions is not None and (run.rank == 0 or self.words.on_budget == "stop"):
            run.companions.refresh()
            run.hear_of_stop()
        if self.words.budgets and run.rank == 0:
            self._check_budget()

    def _add_windows(self, windows: Mapping[str, tuple[int, float]], at_s: float, joules: float) -> None:
        elapsed_s, self._taken_s = at_s - self._taken_s, at_s
        for name, (count, seconds) in windows.items():
            had = self._windows.get(name, (0, 0.0, 0.0))
            part = min(seconds / elapsed_s, 1.0) if elapsed_s > 0 else 0.0
            self._windows[name] = (had[0] + count, had[1] + seconds, had[2] + joules * part)

    def _write(self, tick: Tick) -> None:
        if self._writer is None:
            return
        self._writer.write(tick)
        if self._writer.problem and self._writer.problem not in self._told:
            self._told.add(self._writer.problem)
            self.run.note(f"the journal cannot be written ({self._writer.problem}): tried again, nothing is lost yet")

    def _finish(self) -> None:
        if not self._is_abandoned:
            self._write_end()

    def _write_end(self) -> None:
        now_s = self.options.clock() if self.run.ended_s is None else self.run.ended_s
        if self._sampler.failure:
            self.run.note(f"measuring ended early: {self._sampler.failure}")
        windows, progress, notes = self.run.taken(now_s)
        if self._writer is not None:
            end = Tick(now_s, (), False, windows, progress, notes, self._status, self._error)
            self._writer.write(end)
            self._writer.close()
        self._claims.release()

    def _check_budget(self) -> None:
        if self.run.budget_reached:
            return
        live = self.run.live()
        spent = {
            "budget_kwh": live.facility_energy_kwh,
            "budget_kgco2e": live.operational_location_kgco2e,
            "budget_usd": live.electricity_usd,
        }
        reason = over_budget(self.words.budgets, spent, self.run.forecast())
        if reason is None:
            return
        self.run.budget_reached = True
        self.run.note(reason)
        if callable(self.words.on_budget):
            try:
                self.words.on_budget(self.run, reason)
            except Exception as error:  # noqa: BLE001 - the user's own function, on our thread
                self.run.note(f"on_budget raised {type(error).__name__}: {error}")
        elif self.words.on_budget == "stop":
            self.run.agree_to_stop(2 * COMPANIONS_S + 2 * self.words.interval_s)
        elif self.words.on_budget == "signal":
            os.kill(os.getpid(), signal.SIGTERM)

    # folders and results

    def _writable_folder(self) -> Path | None:
        """The folder of runs; one that was named must be writable, the usual one gives way to a temporary one."""
        named = self.options.folder or self.options.environment.get("FOOTPRINT_FOLDER")
        root = journal.runs_folder(self.options.environment, named)
        try:
            _try(root / self.run_id)
            return root
        except OSError as error:
            if named:
                told = f"cannot be written ({error.strerror or error})"
                raise InputError("folder", str(root), told, "name a folder that you may write in") from error
        import tempfile

        other = Path(tempfile.gettempdir()) / f"footprint-{os.getuid() if hasattr(os, 'getuid') else 'runs'}" / "runs"
        try:
            _try(other / self.run_id)
        except OSError as error:
            self.run.note(f"no journal: {root} and {other} cannot be written ({error.strerror or error})")
            return None
        self.run.note(f"{root} cannot be written: the journal is in {other}; name a folder with FOOTPRINT_FOLDER")
        return other

    def _rejoin(self, run_id: str) -> None:
        """Move this start's journal to the run that it goes on with."""
        safe = _safe(run_id)
        try:
            if self._writer is not None and self._folder is not None:
                old = self._writer.path
                new = self._folder / safe / old.name
                new.parent.mkdir(parents=True, exist_ok=True)
                os.replace(old, new)
                self._writer.path = new
                if not any(old.parent.iterdir()):
                    old.parent.rmdir()
        except OSError as error:
            self.run.note(f"could not go on with run {run_id}: {error.strerror or error}")
            return
        self.run_id = self.run.id = safe
        self._claims.rename(safe)

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

        header, host = self._header, self.run.host
        if header is None or host is None:
            raise SensorUnavailable("track", "the sensors have not answered yet", "ask again later")
        ended_s = self.run.ended_s if self.run.ended_s is not None else self.options.clock()
        status = self._status if self._is_over else "running"
        told = self.run.state_dict()["progress"]
        segment = from_memory(header, host, ended_s, status, self._windows, told)
        return run_of([segment], header.words, open_catalog(self.words.data))


def _try(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".{os.getpid()}-{secrets.token_hex(4)}"
    probe.touch()
    probe.unlink()


def _safe(run_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", run_id)[:150].lstrip(".") or "run"


def _run_id(words: TrackWords, options: Options, launch: Launch) -> str:
    """As given; as the launcher's processes share it, under the run's name; else made of name, time and chance."""
    if options.run_id:
        return _safe(options.run_id)
    if launch.job and launch.is_named_by_user:
        return _safe(launch.job)
    if launch.job:
        return _safe(f"{words.name}-{launch.job}")
    if launch.shares_parent:
        return _safe(f"{words.name}-{platform.node()}-{os.getppid()}-{_started(os.getppid())}")
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return _safe(f"{words.name}-{moment}-{secrets.token_hex(3)}")


def _started(pid: int) -> str:
    """When a process began, in the kernel's ticks: tells apart two with one number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "0"


def _stop_forgotten() -> None:
    """At the interpreter's end: runs that nobody stopped; failed where an exception ended it."""
    failed = getattr(sys, "last_value", None)
    for recorder in list(_active):
        recorder.stop("failed" if failed is not None else "finished", failed)


atexit.register(_stop_forgotten)
