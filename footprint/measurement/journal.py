"""The journal of a run: append-only lines in one file for each process that has something to tell.

    <runs folder>/<run id>/<host>-<restart>-<pid>.jsonl

The first line says who writes, what is metered and what the user said of the place; then a line for each reading,
with watts and joules alone: intensity, PUE and prices are applied when a journal is read. A line is one write, so
whatever ends the process loses at most the interval since the last one; torn lines are passed over when read.
"""

from __future__ import annotations

import errno
import itertools
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from footprint import records
from footprint.errors import JournalError
from footprint.measurement.lines import counts_as_samples, numbers, packed
from footprint.units import H_PER_YEAR, MICROSECONDS_PER_S, S_PER_H
from footprint.values import Meter, Sample

__all__ = [
    "Header", "Journal", "JournalWriter", "Tick", "files_of", "home", "read", "run_folders",
    "runs_folder",
]  # fmt: skip

FORMAT = 1
"""Raised when a key changes its meaning; not when one is added."""

SUFFIX = ".jsonl"
SYNC_S = 10.0
"""A power cut loses at most so much, the end of a process nothing that was written."""

_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What text that is no line of ours raises."""

_LONGEST_RUN_S, _LONGEST_AGE_S = 10 * H_PER_YEAR * S_PER_H, S_PER_H
"""No moment lies further from the run's start, no sample from its reading: a line that says so is torn."""

RETRY_S = 10.0
"""A file that could not be written is tried again after so long."""


def home(environment: Mapping[str, str]) -> Path:
    """Where runs and their ledger live: FOOTPRINT_HOME, else the user's data folder."""
    named = environment.get("FOOTPRINT_HOME")
    if named:
        return Path(named)
    data = environment.get("XDG_DATA_HOME")
    return (Path(data) if data else Path(os.path.expanduser("~")) / ".local" / "share") / "footprint"


def runs_folder(environment: Mapping[str, str], folder: str | os.PathLike[str] | None = None) -> Path:
    """The folder of runs: the one given, else FOOTPRINT_FOLDER, else `runs` at home."""
    named = folder or environment.get("FOOTPRINT_FOLDER")
    return Path(named) if named else home(environment) / "runs"


def run_folders(root: Path) -> list[Path]:
    """The folders below `root` that hold journals, by name."""
    if not root.is_dir():
        return []
    return sorted(p for p in root.iterdir() if p.is_dir() and any(p.glob("*" + SUFFIX)))


def files_of(run: Path) -> list[Path]:
    """The journals of a run's folder; a file stands for itself."""
    return [run] if run.is_file() else sorted(run.glob("*" + SUFFIX))


@dataclass(frozen=True, slots=True)
class Header:
    """A journal's first line."""

    run: str
    name: str
    host: str
    boot: str  # the host's start: monotonic clocks of one boot can be compared
    pid: int
    restart_count: int
    rank: int
    started_utc_s: float
    started_s: float  # the same moment on the monotonic clock
    interval_s: float
    meters: tuple[Meter, ...] = ()
    project: str = ""
    tags: tuple[str, ...] = ()
    words: Mapping[str, Any] = field(default_factory=dict)  # what the user said of model and place
    planned: Mapping[str, Any] | None = None  # a Footprint as plain data
    version: str = ""

    @property
    def file_name(self) -> str:
        """Safe on any file system, and different for each process of a run."""
        return f"{re.sub(r'[^A-Za-z0-9.-]', '_', self.host)[:64]}-{self.restart_count}-{self.pid}{SUFFIX}"


@dataclass(frozen=True, slots=True)
class Tick:
    """One reading: what the meters showed, and what the training did since the reading before."""

    at_s: float
    samples: tuple[Sample, ...] = ()
    is_edge: bool = False  # counters alone, read fast to find when they move
    windows: Mapping[str, tuple[int, float]] = field(default_factory=dict)  # name -> closed ones, seconds inside
    progress: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    end: str = ""
    error: str = ""
    begun_s: float | None = None  # told once: the training runs since then; what was read before is not its own


class JournalWriter:
    """Writes one file; a failing disk is told by `problem`, never raised.

    What could not be written is kept as far as it can be added up (windows, progress, notes): memory stays bounded,
    and counters carry the energy over to the next line that gets through. A file that is gone is begun anew, from the
    first reading on.
    """

    def __init__(self, folder: Path, header: Header) -> None:
        self.header = header
        self.path = folder / header.file_name
        self.problem, self.is_begun_anew = "", False
        self._places = {meter.id: i for i, meter in enumerate(header.meters)}
        self._sync_due_s, self._failed_s = self._synced(header.started_s), -math.inf
        self._left: Tick | None = None
        self._counting: tuple[str, ...] = ()
        self._counts_line = b""
        self._is_torn = False
        self._handle: int | None = None
        self._own: os.stat_result | None = None  # the file that is open, asked once
        first = {"journal": FORMAT, **records.to_plain(header), "words": dict(header.words), "planned": header.planned}
        self._head = (json.dumps(first, ensure_ascii=True) + "\n").encode()
        self._first_line = b""
        try:
            self._handle = self._open()
        except OSError as error:
            self._fail(error, header.started_s)

    def _open(self) -> int:
        """The file as it was left, or a new one, under a name that no other tracker has taken."""
        folder, stem = self.path.parent, self.header.file_name.removesuffix(SUFFIX)
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        folder.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            path = folder / (stem + (f"-{number}" if number > 1 else "") + SUFFIX)
            try:
                handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                if path == self.path and self._is_mine(path):
                    return os.open(path, flags)
                continue
            try:
                _write_all(handle, self._head + self._first_line)
            except OSError:
                os.close(handle)
                path.unlink(missing_ok=True)
                raise
            self.path, self._is_torn, self.is_begun_anew = path, False, bool(self._first_line)
            return handle
        raise AssertionError  # numbers do not end

    def _is_mine(self, path: Path) -> bool:
        with path.open("rb") as file:
            return file.readline() == self._head

    def write(self, tick: Tick) -> None:
        """Append a reading; True to disk every `SYNC_S` seconds."""
        if self._left is not None:
            tick = _added(self._left, tick)
        if self.problem and tick.at_s - self._failed_s < RETRY_S and not tick.end:
            self._left = _without_samples(tick)
            return
        is_sync_due = bool(tick.end) or tick.at_s >= self._sync_due_s
        try:
            if is_sync_due and self._has_vanished():
                self.close()
            self._append(tick)
        except OSError as error:
            self._left = _without_samples(tick)
            self._fail(error, tick.at_s)
            return
        self.problem, self._left = "", None
        if is_sync_due:
            self._sync(tick.at_s)

    def _sync(self, at_s: float) -> None:
        if self._handle is not None:
            self._sync_due_s = self._synced(at_s)
            with suppress(OSError):
                os.fsync(self._handle)

    def _synced(self, at_s: float) -> float:
        """When the next one is due: half an interval early rather than half a one late, readings are not on the dot."""
        return at_s + SYNC_S - min(self.header.interval_s, SYNC_S) / 2

    def write_counts(self, at_s: float, meters: tuple[str, ...], counted: Sequence[int], beside: Tick | None) -> None:
        """Append a reading of counters alone, in millijoules, and what there is to tell beside it: the short way."""
        if meters is not self._counting:
            self._counting, self._counts_line = meters, self._line_of_counts(meters)
        handle, is_sync_due = self._handle, at_s >= self._sync_due_s
        if handle is None or not self._counts_line or (is_sync_due and self._has_vanished()):
            self.write(replace(beside or Tick(at_s), samples=counts_as_samples(at_s, meters, counted)))
            return
        told = b"" if beside is None else _beside(beside).encode()
        try:
            _write_all(handle, self._counts_line % (int(at_s * MICROSECONDS_PER_S), *counted, told))
        except OSError as error:
            self._left = beside
            self._fail(error, at_s)
            return
        if is_sync_due:
            self._sync(at_s)

    def _line_of_counts(self, meters: tuple[str, ...]) -> bytes:
        """To be filled with microseconds, millijoules of each, and the rest; empty where one is none of mine."""
        if not self._places.keys() >= set(meters):
            return b""
        rows = ",".join(f"[{self._places[one]},0,%de-3]" for one in meters)
        return f'{{"t":%de-6,"s":[{rows}]%b}}\n'.encode()

    def _has_vanished(self) -> bool:
        """Whether what is written goes to no file that could be read: deleted, or on a mount that is gone."""
        if self._handle is None:
            return False
        self._own = self._own or os.fstat(self._handle)
        try:
            return not os.path.samestat(os.stat(self.path), self._own)
        except OSError:
            return True

    def _append(self, tick: Tick) -> None:
        if self._handle is None:
            self._handle = self._open()
        line = self._line(tick)
        _write_all(self._handle, b"\n" + line if self._is_torn else line)
        self._is_torn = False
        if not self._first_line and tick.samples and not tick.is_edge:
            self._first_line = self._line(Tick(tick.at_s, tick.samples))

    def _fail(self, error: OSError, at_s: float) -> None:
        """A handle of a vanished mount never comes back; a new one may."""
        self.problem = error.strerror or str(error)
        self._failed_s, self._is_torn = at_s, True
        self.close()

    def close(self) -> None:
        """Let go of the file; harmless twice."""
        if self._handle is not None:
            with suppress(OSError):
                os.close(self._handle)
            self._handle = self._own = None

    def _line(self, tick: Tick) -> bytes:
        at_s, places = tick.at_s, self._places
        text = f'{{"t":{round(at_s, 6)!r}'
        if tick.samples:
            rows = [packed(places[one.meter], one, at_s) for one in tick.samples if one.meter in places]
            text += f',"s":{numbers(rows)}'
        return (text + _beside(tick) + "}\n").encode()


def _beside(tick: Tick) -> str:
    """What a line holds beside samples."""
    windows = {name: [count, round(seconds, 6)] for name, (count, seconds) in tick.windows.items()}
    rest: dict[str, Any] = {"edge": int(tick.is_edge), "w": windows, "p": dict(tick.progress)}
    rest |= {"n": tick.notes, "end": tick.end, "error": tick.error, "from": tick.begun_s}
    told = {key: value for key, value in rest.items() if value}
    return "," + json.dumps(told, separators=(",", ":"))[1:-1] if told else ""


def _write_all(handle: int, line: bytes) -> None:
    """In one write; a part of a line is a failure."""
    if os.write(handle, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _without_samples(tick: Tick) -> Tick:
    return replace(tick, samples=(), is_edge=False, notes=tick.notes[-20:], error="")


def _added(left: Tick, tick: Tick) -> Tick:
    """What an unwritten reading had to say beside its samples, put on the next one."""
    windows = dict(left.windows)
    for name, (count, seconds) in tick.windows.items():
        had_count, had_seconds = windows.get(name, (0, 0.0))
        windows[name] = (had_count + count, had_seconds + seconds)
    return Tick(
        tick.at_s, tick.samples, tick.is_edge, windows, {**left.progress, **tick.progress},
        tuple(dict.fromkeys((*left.notes, *tick.notes))), tick.end or left.end, tick.error,
        left.begun_s if tick.begun_s is None else tick.begun_s,
    )  # fmt: skip


@dataclass(slots=True)
class Journal:
    """A journal that is read: its header, and its readings as often as they are asked for."""

    path: Path
    header: Header
    torn_count: int = 0

    def ticks(self) -> Iterator[Tick]:
        """The readings in the order of writing; lines that cannot be read are counted in `torn_count`."""
        self.torn_count = 0
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                tick = self.tick_of(line)
                if tick is not None:
                    yield tick
                elif line.strip():  # an empty one ends one that was torn
                    self.torn_count += 1

    def tick_of(self, line: bytes) -> Tick | None:
        """One line as a reading; None for one that is torn."""
        try:
            told = json.loads(line)
            at_s = told["t"]
            _check(at_s - self.header.started_s, _LONGEST_RUN_S)
            return Tick(
                at_s=float(at_s),
                samples=tuple(self._unpacked(packed, at_s) for packed in told.get("s", ())),
                is_edge=bool(told.get("edge")),
                windows={str(k): (int(v[0]), float(v[1])) for k, v in told.get("w", {}).items()},
                progress={str(k): float(v) for k, v in told.get("p", {}).items()},
                notes=tuple(str(n) for n in told.get("n", ())),
                end=str(told.get("end", "")),
                error=str(told.get("error", "")),
                begun_s=float(told["from"]) if "from" in told else None,
            )
        except _UNREADABLE:
            return None

    def _unpacked(self, packed: Sequence[Any], at_s: float) -> Sample:
        place, after_s, *told = packed
        _check(after_s, _LONGEST_AGE_S)
        numbers = (*told, None, None, None, None, None)[:5]
        energy_j, power_w, utilization, stale_s, share = (None if n is None else float(n) for n in numbers)
        return Sample(self.header.meters[place].id, at_s + after_s, energy_j, power_w, utilization, share, stale_s)


def read(path: str | os.PathLike[str]) -> Journal:
    """Open a journal.

    Raises
    ------
    JournalError
        When the file cannot be read, or is none.
    """
    place = Path(path)
    fix = "give a journal that footprint.track wrote, or the folder of a run"
    try:
        with place.open("rb") as file:
            line = file.readline()
    except OSError as error:
        raise JournalError(place, f"cannot be read ({error.strerror or error})", fix) from error
    first: Any = None
    with suppress(ValueError, RecursionError):
        first = json.loads(line)
    if not isinstance(first, dict) or "journal" not in first:
        raise JournalError(place, "is no journal", fix)
    if not isinstance(first["journal"], int) or first["journal"] > FORMAT:
        raise JournalError(place, f"has format {first['journal']}, newer than {FORMAT}", "use a newer footprint")
    return Journal(place, _header(place, first))


def _header(place: Path, first: dict[str, Any]) -> Header:
    try:
        meters = tuple(records.from_plain(Meter, one) for one in first.get("meters", ()))
        return Header(
            run=str(first["run"]), name=str(first["name"]), host=str(first["host"]), boot=str(first.get("boot", "")),
            pid=int(first["pid"]), restart_count=int(first["restart_count"]), rank=int(first.get("rank", 0)),
            started_utc_s=_finite(first["started_utc_s"]), started_s=_finite(first["started_s"]),
            interval_s=_finite(first["interval_s"]), meters=meters, project=str(first.get("project", "")),
            tags=tuple(map(str, first.get("tags", ()))), words=dict(first.get("words") or {}),
            planned=first.get("planned"), version=str(first.get("version", "")),
        )  # fmt: skip
    except _UNREADABLE as error:
        raise JournalError(place, f"has a broken first line ({error})", "restore it from a copy") from error


def _check(length_s: float, most_s: float) -> None:
    if not abs(length_s) < most_s:  # nan is not
        raise ValueError(f"{length_s} s cannot be")


def _finite(number: Any) -> float:
    if not math.isfinite(number):
        raise ValueError(f"{number} is no moment")
    return float(number)
